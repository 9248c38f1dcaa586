"""How far a CASCADE goes: the tables whose rows go along with the rows that it deletes."""

from collections.abc import Callable

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.advice.likeness import ends_like
from holdfastd.inference.advice.meanings import RECORDS
from holdfastd.inference.advice.ownership import Pair, Relations
from holdfastd.inference.naming.words import words
from holdfastd.names import TableName, readable

_NAMED = 3  # tables that one sentence names
_FAR = 100  # tables after which nobody needs to know more

ActionOf = Callable[[Pair], OnDelete]


def tell_followers(table: TableName, known: Relations, action_of: ActionOf) -> str:
    """Return one sentence on the tables that a CASCADE into this one goes on to, records first; empty when there are none."""
    found = _closure(table, known, action_of)
    if not found:
        return ""
    records = [name for name in found if _keeps_records(name)]
    names = [readable(name.name) for name in (*records, *(name for name in found if name not in records))]
    more = len(names) - _NAMED
    listed = [*names[:_NAMED], *([f"{more} more table{'s' if more > 1 else ''}"] if more > 0 else [])]
    told = " and ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
    lost = f" and deletes what {readable(records[0].name)} records" if records else ""
    return f" The cascade goes on to {told}{lost}."


def _keeps_records(table: TableName) -> bool:
    return ends_like(words(table.name)[-2:], RECORDS)


def _closure(table: TableName, known: Relations, action_of: ActionOf) -> tuple[TableName, ...]:
    """Return the tables reached, the nearest first."""
    found, seen, place = [table], {table}, 0
    while place < len(found) < _FAR:
        further = [name for name in _followers(found[place], known, action_of) if name not in seen]
        found += further
        seen.update(further)
        place += 1
    return tuple(found[1:])


def _followers(table: TableName, known: Relations, action_of: ActionOf) -> tuple[TableName, ...]:
    """Return the tables that the next step reaches."""
    if table in known.memory.followers:
        return known.memory.followers[table]
    found = {pair[0].table for pair in known.into.get(table, ()) if action_of(pair) is OnDelete.CASCADE}
    known.memory.followers[table] = tuple(sorted(found))
    return known.memory.followers[table]
