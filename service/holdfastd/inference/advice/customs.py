"""The custom of the house: what declared keys of the same kind do when a referenced row is deleted. The key itself has no vote."""

from collections import Counter, defaultdict

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.inference.advice.ownership import Customs, Ownership, Relations
from holdfastd.names import ColumnSet

_VOTES = 3
_AGREEMENT = {OnDelete.CASCADE: 0.9}
_USUAL_AGREEMENT = 0.8
_ANY: tuple[str, ...] = ()  # in the place of names: whichever

Suggestion = tuple[OnDelete, str]


def custom(catalog: Catalog, seen: Ownership, known: Relations) -> Suggestion | None:
    """Return what declared keys on the same column names to the same key agree upon, or else the table's other nullable ones.

    That lighter rows go is no reason to delete records: there a CASCADE is no custom.
    """
    if known.memory.customs is None:
        known.memory.customs = _customs(catalog)
    own = _own(catalog, seen)
    alike = known.memory.customs.get((seen.referencing.columns, seen.referenced, seen.may_be_nulled), Counter())
    found = _agreed(seen, alike - own, f"declared keys on {seen.column} to {seen.table}")
    if found is None and seen.may_be_nulled:
        company = known.memory.customs.get((_ANY, ColumnSet(seen.referencing.table, _ANY), True), Counter())
        found = _agreed(seen, company - own, f"other declared keys on nullable columns of {seen.rows}")
    return found


def _agreed(seen: Ownership, votes: Counter[OnDelete], place: str) -> Suggestion | None:
    if votes.total() < _VOTES:
        return None
    action, most = votes.most_common(1)[0]
    if most < _AGREEMENT.get(action, _USUAL_AGREEMENT) * votes.total() or action is OnDelete.SET_DEFAULT:
        return None
    if action is OnDelete.CASCADE and seen.keeps_records:
        return None
    return action, f"{most} of {votes.total()} {place} here use {action}."


def _own(catalog: Catalog, seen: Ownership) -> Counter[OnDelete]:
    keys = catalog.tables[seen.referencing.table].foreign_keys
    return Counter(key.on_delete for key in keys if (key.referencing, key.referenced) == (seen.referencing, seen.referenced))


def _customs(catalog: Catalog) -> Customs:
    found: Customs = defaultdict(Counter)
    for key in catalog.foreign_keys:
        table = catalog.tables[key.referencing.table]
        may_be_nulled = not any(table.column(name).not_null for name in key.referencing.columns)
        found[key.referencing.columns, key.referenced, may_be_nulled][key.on_delete] += 1
        found[_ANY, ColumnSet(table.name, _ANY), may_be_nulled][key.on_delete] += 1
    return dict(found)
