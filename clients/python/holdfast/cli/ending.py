"""What `holdfast audit` ends with: the numbers, what matters, and what to type next."""

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.audits import one
from holdfast.cli.render.suggestions import suggestions
from holdfast.v1.audit_service_pb2 import Audit
from holdfast.v1.report_service_pb2 import ListSuggestionsResponse


def ending(audit: Audit, found: ListSuggestionsResponse) -> RenderableType:
    """Return an audit that ended just now: its numbers, what matters, and what to type next."""
    return Group(one(audit), "", Text("What matters", style="bold"), suggestions(found))
