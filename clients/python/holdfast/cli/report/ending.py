"""What `holdfast audit` ends with: the numbers, what matters, and what to type next."""

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.audits import one
from holdfast.cli.report.gather import Facts
from holdfast.cli.report.triage import NOTHING_TO_DO, first_things, severities


def ending(facts: Facts) -> RenderableType:
    """Return an audit that ended just now: its numbers, what matters, and what to type next."""
    todos = first_things(facts)
    lines = [Text(f"{place}. {todo.text}").append(f"\n   {todo.command}", style="cyan") for place, todo in enumerate(todos, start=1)]
    return Group(
        one(facts.audit),
        "",
        Text("What matters", style="bold"),
        *(lines or [Text(NOTHING_TO_DO, style="green")]),
        Text(severities(facts), style="dim"),
    )
