"""What was checked, the same for databases and plans: a table of what was seen, and below it, in full width to copy, what to do."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing, or_nothing
from holdfast.cli.render.words import clean, state
from holdfast.v1.database_service_pb2 import CHECK_STATE_PASSED, CHECK_STATE_WARNING, Check, CheckState
from holdfast.v1.plan_service_pb2 import CheckPlanResponse


def listed(checks: Sequence[Check], *, every: bool = True) -> RenderableType:
    """Return checks in the service's order, and their cures; those that passed by name only, unless all are asked for."""
    passed = [] if every else [clean(check.id) for check in checks if check.state == CHECK_STATE_PASSED]
    table = listing("Check", "Outcome", "Seen")
    for check in checks:
        if every or check.state != CHECK_STATE_PASSED:
            table.add_row(clean(check.id), state(CheckState, check.state), clean(check.message))
    if not passed:
        return Group(or_nothing(table, "Nothing was checked."), *_cures(checks))
    names = Text(f"{len(passed)} passed: ", style="green").append(", ".join(passed), style="dim")
    return Group(*((table, "") if table.row_count else ()), names, *_cures(checks))


def _cures(checks: Sequence[Check]) -> Iterator[RenderableType]:
    """Yield each cure under the name of its check; a folded line of a table could not be copied."""
    for check in checks:
        if check.cure:
            yield Text(f"\n{clean(check.id)}:", style="bold")
            yield Text(clean(check.cure))


def of_plan(response: CheckPlanResponse, *, every: bool = False) -> RenderableType:
    """Return the checks of a plan, and at the end, where eyes rest, what they come to."""
    return Group(listed(response.checks, every=every), "", _verdict(response))


def _verdict(response: CheckPlanResponse) -> Text:
    blocking = [clean(check.id) for check in response.checks if check.state not in (CHECK_STATE_PASSED, CHECK_STATE_WARNING)]
    warnings = sum(check.state == CHECK_STATE_WARNING for check in response.checks)
    noted = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    if response.ready:
        return Text(f"Ready{noted}.", style="yellow" if warnings else "green")
    return Text(f"Not ready: {', '.join(blocking)}{noted}.", style="bold red")
