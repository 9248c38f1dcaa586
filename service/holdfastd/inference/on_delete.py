"""What should happen to referencing rows when their referenced row is deleted, and why, in one sentence.

In come a relationship and all others believed in; out comes advice. Safety first: a wrong RESTRICT annoys, a wrong CASCADE loses rows.
"""

from collections import Counter

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.inference.model import Advice
from holdfastd.inference.names import words
from holdfastd.inference.ownership import Ownership, Pairs, Relations, look_at
from holdfastd.names import ColumnSet, readable

_VOTES = 3
_AGREEMENT = 0.8


def advise(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, others: Pairs | Relations) -> Advice:
    """Return the ON DELETE action that fits a relationship, with the reason; `others` are all relationships believed in."""
    known = others if isinstance(others, Relations) else Relations.of(others)
    seen = look_at(catalog, referencing, referenced, known)
    return _by_convention(catalog, seen, known) or (_for_optional(seen) if seen.may_be_nulled else _for_required(seen))


def _by_convention(catalog: Catalog, seen: Ownership, known: Relations) -> Advice | None:
    """Declared keys with the same column names to the same table, nullable alike, are the house's own rule when they agree."""
    alike = Counter(
        key.on_delete
        for referencing, referenced in known.into.get(seen.referenced.table, ())
        if referencing.columns == seen.referencing.columns and referenced == seen.referenced and referencing != seen.referencing
        for key in catalog.tables[referencing.table].foreign_keys
        if key.referencing == referencing and _may_be_nulled(catalog, referencing) == seen.may_be_nulled
    )
    total = sum(alike.values())
    if total < _VOTES:
        return None
    action, votes = alike.most_common(1)[0]
    if votes < _AGREEMENT * total or (action is OnDelete.SET_NULL and not seen.may_be_nulled):
        return None
    place = f"{_columns(seen.referencing)} to {_name(seen.referenced)}"
    return Advice(on_delete=action, rationale=f"{votes} of {total} declared keys on {place} here use {action}.")


def _may_be_nulled(catalog: Catalog, columns: ColumnSet) -> bool:
    table = catalog.tables[columns.table]
    return not any(table.column(name).not_null for name in columns.columns)


def _for_optional(seen: Ownership) -> Advice:
    """Nullable columns: keep the row and forget the reference, unless the row is nothing without it."""
    rows, thing, column = _name(seen.referencing), _thing(seen.referenced), _columns(seen.referencing)
    if seen.is_code_list and not seen.is_self:
        reason = f"{_name(seen.referenced)} only lists what {column} may say; deleting an entry in use should fail."
        return Advice(on_delete=OnDelete.RESTRICT, rationale=reason)
    if _is_nothing_without(seen):
        reason = f"{column} may be empty, yet {_why_nothing(seen)}: a row of {rows} goes with its {thing}."
        return Advice(on_delete=OnDelete.CASCADE, rationale=reason)
    if seen.is_self:
        reason = f"A row of {rows} can stand without the one that {column} names, so deleting that one deletes no others."
    elif seen.is_agent:
        reason = f"Rows of {rows} stay valuable when the {thing} in {column} is gone; only the attribution is lost."
    elif seen.is_history:
        reason = f"{rows} tells what happened, which stays true without the {thing}; only the reference in {column} is lost."
    else:
        reason = f"A row of {rows} may exist without a {thing}, as {column} may be empty, so it survives when that is deleted."
    return Advice(on_delete=OnDelete.SET_NULL, rationale=reason)


def _is_nothing_without(seen: Ownership) -> bool:
    """Tell whether a row is meaningless once its nullable reference is gone. History, roles and actors never are owners."""
    if seen.is_self or seen.is_agent or seen.is_history or seen.has_role:
        return False
    if seen.is_sole_owner or seen.is_all_references:
        return True
    return seen.is_small and not seen.is_reference_data and not seen.is_owner


def _why_nothing(seen: Ownership) -> str:
    return "nothing else can own a row" if seen.is_sole_owner else "a row holds little besides its references"


def _for_required(seen: Ownership) -> Advice:
    """Required columns: the row goes with its owner, or blocks the deletion of what it is described by."""
    blocked = _why_blocked(seen)
    if blocked:
        return Advice(on_delete=OnDelete.NO_ACTION if seen.is_partly_nullable else OnDelete.RESTRICT, rationale=blocked)
    rows, thing = _name(seen.referencing), _thing(seen.referenced)
    if seen.is_link:
        reason = f"{rows} only links rows of other tables; a link without its {thing} means nothing."
    elif seen.is_part:
        reason = f"Rows of {rows} are parts of their {thing} and mean nothing without it."
    else:
        reason = f"Every row of {rows} belongs to one {thing} and goes with it."
    lost = f" This deletes what {rows} records as well." if seen.is_history else ""
    return Advice(on_delete=OnDelete.CASCADE, rationale=reason + lost)


def _why_blocked(seen: Ownership) -> str:
    """Say why deleting a referenced row should fail; empty when the referencing rows should go with it."""
    rows, table, thing, column = _name(seen.referencing), _name(seen.referenced), _thing(seen.referenced), _columns(seen.referencing)
    belongs = seen.is_link or seen.is_part
    describes = seen.is_reference_data or (seen.is_small_target and not seen.is_owner)
    reasons = (
        (seen.is_partly_nullable, f"{column} cannot all be set null, and a row of {rows} may exist without a {thing}"),
        (seen.is_self, f"Every row of {rows} needs the one that {column} names, and a cascade could remove a whole tree unnoticed"),
        (seen.holds_part, f"{table} is a part of {rows}, not its owner, and deleting the part should not delete the whole"),
        (belongs, ""),
        (seen.has_role and not seen.is_owner and not seen.identifies, f"{column} gives a {thing} a part to play in {rows}, it owns no row"),
        (describes and not seen.identifies, f"{table} is reference data that describes rows of {rows}"),
        (seen.is_financial and not seen.is_owner, f"{rows} keeps records that must outlive a {thing}"),
    )
    reason = next((reason for applies, reason in reasons if applies), "")
    return f"{reason}; deleting one in use should fail." if reason else ""


def _name(columns: ColumnSet) -> str:
    return readable(columns.table.name)


def _columns(columns: ColumnSet) -> str:
    return ", ".join(readable(name) for name in columns.columns)


def _thing(columns: ColumnSet) -> str:
    """One row of a table, in words: `user vehicle` for user_vehicles."""
    return " ".join(words(columns.table.name)) or columns.table.name
