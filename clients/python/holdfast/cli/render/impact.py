"""What deleting a row would do, as a table."""

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing
from holdfast.cli.render.words import NOTHING, clean, number, prose, word
from holdfast.v1.core_pb2 import EXACTNESS_EXACT, EXACTNESS_NOT_COUNTED
from holdfast.v1.impact_service_pb2 import IMPACT_ACTION_BLOCK, IMPACT_ACTION_ORPHAN, GetImpactResponse, Impact, ImpactAction

_HAPPENS = {
    "DELETE": Text("deleted"),
    "SET NULL": Text("set NULL"),
    "SET DEFAULT": Text("set to default"),
    "BLOCK": Text("forbid it", style="bold red"),
    "ORPHAN": Text("left as orphans", style="yellow"),
}
_KEYS = 40


def impacts(response: GetImpactResponse) -> RenderableType:
    """Return one line per table and key, then what the whole comes to."""
    table = listing("Table", "Rows", "What", "By", "Such as", numbers=("Rows",))
    for each in response.impacts:
        table.add_row(prose(each.table), _rows(each), _HAPPENS.get(word(ImpactAction, each.action), Text("?")), _by(each), _samples(each))
    return Group(table, "", _verdict(response), *(Text(f"Not told: {prose(reason)}.", style="yellow") for reason in response.unknown))


def _rows(each: Impact) -> str:
    if each.rows.exactness == EXACTNESS_NOT_COUNTED:
        return NOTHING
    return number(each.rows.value) if each.rows.exactness == EXACTNESS_EXACT else f"≥ {number(each.rows.value)}"


def _by(each: Impact) -> str:
    if not each.relationship_id:
        return ""
    return clean(each.constraint_name) or "no key"


def _samples(each: Impact) -> str:
    keys = ["/".join(sample.values) for sample in each.samples]
    shown = clean(", ".join(keys))
    return shown if len(shown) <= _KEYS else f"{shown[:_KEYS]}…"


def _verdict(response: GetImpactResponse) -> Text:
    blocking = [each for each in response.impacts if each.action == IMPACT_ACTION_BLOCK and each.rows.value]
    if blocking:
        return Text(f"Deleting it would fail: {prose(blocking[0].reason)} of {prose(blocking[0].table)}.", style="bold red")
    orphans = sum(each.rows.value for each in response.impacts if each.action == IMPACT_ACTION_ORPHAN)
    if orphans:
        return Text(f"Deleting it would succeed, and leave {number(orphans)} orphan rows.", style="yellow")
    return Text("Deleting it would succeed.", style="green")
