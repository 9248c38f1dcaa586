"""What should happen to referencing rows when their referenced row is deleted, and why, in one sentence.

In come a relationship and all others believed in; out comes advice. Safety first: a wrong RESTRICT annoys, a wrong CASCADE loses rows.
"""

from collections import Counter
from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.inference.model import Advice
from holdfastd.inference.names import words
from holdfastd.inference.ownership import Ownership, look_at
from holdfastd.names import ColumnSet, readable

Pairs = Sequence[tuple[ColumnSet, ColumnSet]]

_VOTES = 3
_AGREEMENT = 0.8


def advise(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, others: Pairs) -> Advice:
    """Return the ON DELETE action that fits a relationship, with the reason."""
    seen = look_at(catalog, referencing, referenced, others)
    return _by_convention(catalog, seen) or (_for_optional(seen) if seen.may_be_nulled else _for_required(seen))


def _by_convention(catalog: Catalog, seen: Ownership) -> Advice | None:
    """Declared keys with the same column names to the same table, nullable alike, are the house's own rule when they agree."""
    alike = Counter(
        key.on_delete
        for key in catalog.foreign_keys
        if key.referencing.columns == seen.referencing.columns
        and key.referenced == seen.referenced
        and key.referencing != seen.referencing
        and all(not catalog.tables[key.referencing.table].column(name).not_null for name in key.referencing.columns) == seen.may_be_nulled
    )
    total = sum(alike.values())
    if total < _VOTES:
        return None
    action, votes = alike.most_common(1)[0]
    if votes < _AGREEMENT * total or (action is OnDelete.SET_NULL and not seen.may_be_nulled):
        return None
    columns = ", ".join(readable(name) for name in seen.referencing.columns)
    return Advice(on_delete=action, rationale=f"{votes} of {total} declared keys on {columns} to {_name(seen.referenced)} here use {action}.")


def _for_optional(seen: Ownership) -> Advice:
    """Nullable columns: keep the row, forget the reference."""
    rows, thing, column = _name(seen.referencing), _thing(seen.referenced), _columns(seen.referencing)
    if seen.is_self:
        reason = f"A {_thing(seen.referencing)} can stand without the one that {column} names, so deleting that one deletes no others."
    elif seen.is_agent:
        reason = f"{rows} rows stay valuable when the {thing} in {column} is gone; only the attribution is lost."
    elif seen.is_history:
        reason = f"{rows} is history that stays valid without its {thing}; {column} may be empty, so only the reference is lost."
    else:
        reason = f"{rows} rows may exist without a {thing}, as {column} may be empty, so they survive when it is deleted."
    return Advice(on_delete=OnDelete.SET_NULL, rationale=reason)


def _for_required(seen: Ownership) -> Advice:
    """Required columns: the row goes with its owner, or blocks the deletion of what it is described by."""
    rows, table, thing = _name(seen.referencing), _name(seen.referenced), _thing(seen.referenced)
    if seen.is_partly_nullable:
        return Advice(
            on_delete=OnDelete.NO_ACTION,
            rationale=f"{_columns(seen.referencing)} cannot all be set null, and {rows} rows may exist without a {thing}, so deleting one in use should fail.",
        )
    if seen.is_self:
        return Advice(
            on_delete=OnDelete.RESTRICT,
            rationale=f"Every row of {rows} needs the one that {_columns(seen.referencing)} names; a cascade could remove a whole tree unnoticed.",
        )
    if seen.is_link:
        return Advice(on_delete=OnDelete.CASCADE, rationale=f"{rows} only links rows of other tables; a link without its {thing} means nothing.")
    if seen.is_part:
        lost = " This deletes history: back it up if it must be kept." if seen.is_history else ""
        return Advice(on_delete=OnDelete.CASCADE, rationale=f"{rows} rows are parts of their {thing} and mean nothing without it.{lost}".strip())
    if seen.is_reference_data:
        return Advice(
            on_delete=OnDelete.RESTRICT,
            rationale=f"{table} is reference data that {rows} rows are described by; deleting a {thing} in use should fail.",
        )
    if seen.is_financial and not seen.is_owner:
        return Advice(on_delete=OnDelete.RESTRICT, rationale=f"{rows} keeps records that must outlive a {thing}; deleting one in use should fail.")
    if seen.is_agent:
        return Advice(
            on_delete=OnDelete.RESTRICT,
            rationale=f"{_columns(seen.referencing)} is required but says only who acted; deleting that {thing} should not delete {rows} rows.",
        )
    lost = f", which deletes the history in {rows} as well" if seen.is_history else ""
    return Advice(on_delete=OnDelete.CASCADE, rationale=f"Every row of {rows} belongs to one {thing} and goes with it{lost}.")


def _name(columns: ColumnSet) -> str:
    return readable(columns.table.name)


def _columns(columns: ColumnSet) -> str:
    return ", ".join(readable(name) for name in columns.columns)


def _thing(columns: ColumnSet) -> str:
    """One row of a table, in words: `user vehicle` for user_vehicles."""
    return " ".join(words(columns.table.name)) or columns.table.name
