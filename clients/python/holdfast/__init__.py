"""The Python client of Holdfast: `async with Holdfast("127.0.0.1:7443") as holdfast: …`.

All messages and enums of the contract are in holdfast.v1; the nouns that most callers need are here, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.addresses import CannotConnect
    from holdfast.client import DEFAULT_SERVER, Holdfast
    from holdfast.errors import HoldfastError
    from holdfast.pages import every_page
    from holdfast.security import Tls, token_in
    from holdfast.v1.audit_service_pb2 import Audit
    from holdfast.v1.core_pb2 import Event, Finding, Job, Plan, Relationship
    from holdfast.v1.database_service_pb2 import Database, DsnSource
    from holdfast.v1.plan_service_pb2 import Override, Policy
    from holdfast.watching import Patience

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_SERVER",
    "Audit",
    "CannotConnect",
    "Database",
    "DsnSource",
    "Event",
    "Finding",
    "Holdfast",
    "HoldfastError",
    "Job",
    "Override",
    "Patience",
    "Plan",
    "Policy",
    "Relationship",
    "Tls",
    "every_page",
    "token_in",
]

#: Where each name is at home. Looked up when it is used: importing gRPC costs a moment, and reads the environment, which the
#: command must have prepared by then.
_HOMES = {
    "Audit": "holdfast.v1.audit_service_pb2",
    "CannotConnect": "holdfast.addresses",
    "DEFAULT_SERVER": "holdfast.client",
    "Database": "holdfast.v1.database_service_pb2",
    "DsnSource": "holdfast.v1.database_service_pb2",
    "Event": "holdfast.v1.core_pb2",
    "Finding": "holdfast.v1.core_pb2",
    "Holdfast": "holdfast.client",
    "HoldfastError": "holdfast.errors",
    "Job": "holdfast.v1.core_pb2",
    "Override": "holdfast.v1.plan_service_pb2",
    "Patience": "holdfast.watching",
    "Plan": "holdfast.v1.core_pb2",
    "Policy": "holdfast.v1.plan_service_pb2",
    "Relationship": "holdfast.v1.core_pb2",
    "Tls": "holdfast.security",
    "every_page": "holdfast.pages",
    "token_in": "holdfast.security",
}


def __getattr__(name: str) -> Any:
    """Return a name of the client; AttributeError when there is none."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
