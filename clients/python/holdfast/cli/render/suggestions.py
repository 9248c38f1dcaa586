"""What to do about an audit, the most urgent first, each with the command that goes on from there."""

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.words import clean
from holdfast.v1.report_service_pb2 import DrawMapResponse, ListSuggestionsResponse

NOTHING_TO_DO = "Nothing: no open finding is worse than INFO."


def suggestions(found: ListSuggestionsResponse) -> RenderableType:
    """Return the suggestions, and how many findings stand."""
    lines = [
        Text(f"{place}. {clean(each.text)}").append(f"\n   {clean(each.command)}", style="cyan")
        for place, each in enumerate(found.suggestions, start=1)
    ]
    return Group(*(lines or [Text(NOTHING_TO_DO, style="green")]), Text(clean(found.findings), style="dim"))


def drawing(drawn: DrawMapResponse) -> RenderableType:
    """Return the map as it is to be written to a file."""
    return Text(drawn.svg)
