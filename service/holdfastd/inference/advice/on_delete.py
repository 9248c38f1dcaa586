"""What should happen to referencing rows when their referenced row is deleted, and why, for somebody who has to sign it.

In come a relationship and all others believed in; out comes advice. Safety first: a wrong RESTRICT annoys, a wrong CASCADE loses rows.
The custom of the house comes first, then what the rows are; what PostgreSQL could never carry out is not advised.
"""

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.inference.advice.choices import choices
from holdfastd.inference.advice.customs import custom
from holdfastd.inference.advice.feasibility import why_never_null, why_null_is_risky
from holdfastd.inference.advice.following import tell_followers
from holdfastd.inference.advice.judgement import Suggestion, judge
from holdfastd.inference.advice.ownership import Ownership, Pair, Pairs, Relations, look_at
from holdfastd.inference.model import Advice
from holdfastd.names import ColumnSet, readable

_COLUMN_LISTS = 150_000  # ON DELETE SET NULL (column, …) came with PostgreSQL 15


def advise(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, others: Pairs | Relations) -> Advice:
    """Return the ON DELETE action that fits a relationship, with the reason; `others` are all relationships believed in."""
    known = others if isinstance(others, Relations) else Relations.of(others)
    seen = look_at(catalog, referencing, referenced, known)
    action, reason = _suggest(catalog, seen, known)
    if action is OnDelete.RESTRICT and (above := _taken_along_by(catalog, seen, known)):
        if (referencing, referenced) in known.memory.intended:
            reason += f" Deleting from {above} takes both along, which RESTRICT could refuse and NO ACTION would not."
        else:
            action = OnDelete.NO_ACTION
            reason += f" NO ACTION, not RESTRICT: deleting from {above} takes both along, which RESTRICT could refuse."
    table, columns = catalog.tables[referencing.table], referencing.columns
    never, risk = why_never_null(table, columns), why_null_is_risky(table, columns)
    return Advice(
        on_delete=action,
        rationale=reason + _addition(catalog, seen, action, known, never, risk),
        alternatives=choices(seen, action, can_be_null=not never, risk=risk),
    )


def heed(catalog: Catalog, pair: Pair, on_delete: OnDelete, origin: str, known: Relations) -> None:
    """Make what an application declares the suggestion for a relationship, unless it would always fail: then the reason says so."""
    declares = f"{origin or 'The application'} declares ON DELETE {on_delete}"
    never = _why_not(catalog, pair[0], on_delete)
    if never:
        action, reason = _suggest(catalog, look_at(catalog, *pair, known), known)
        known.memory.suggestions[pair] = action, f"{reason} {declares}, which would fail: {never}."
    else:
        known.memory.suggestions[pair] = on_delete, f"{declares}."
        known.memory.intended.add(pair)


def _why_not(catalog: Catalog, referencing: ColumnSet, action: OnDelete) -> str:
    """Say why an action could never be carried out; empty when it could."""
    table = catalog.tables[referencing.table]
    if action is OnDelete.SET_NULL:
        return why_never_null(table, referencing.columns)
    if action is OnDelete.SET_DEFAULT:
        columns = (table.column(name) for name in referencing.columns)
        return next((f"{readable(each.name)} is NOT NULL and has no default" for each in columns if each.not_null and not each.default), "")
    return ""


def _suggest(catalog: Catalog, seen: Ownership, known: Relations) -> Suggestion:
    """Return the action and its reason, worked out once per relationship."""
    pair = (seen.referencing, seen.referenced)
    if pair not in known.memory.suggestions:
        never = why_never_null(catalog.tables[seen.referencing.table], seen.referencing.columns)
        usual = custom(catalog, seen, known)
        feasible = usual is not None and not (usual[0] is OnDelete.SET_NULL and never)
        known.memory.suggestions[pair] = usual if usual is not None and feasible else judge(seen, never_null=never)
    return known.memory.suggestions[pair]


def _taken_along_by(catalog: Catalog, seen: Ownership, known: Relations) -> str:
    """Return a table from which a CASCADE reaches both tables, so that one deletion removes both rows; empty when there is none."""
    mine, goals = (
        {
            pair[1].table
            for pair in known.out_of.get(each.table, ())
            if pair[1].table not in {seen.referencing.table, seen.referenced.table} and _action_of(catalog, pair, known) is OnDelete.CASCADE
        }
        for each in (seen.referencing, seen.referenced)
    )
    return readable(min(mine & goals).name) if mine & goals else ""


def _action_of(catalog: Catalog, pair: Pair, known: Relations) -> OnDelete:
    """Return what a relationship does on deletion: as declared, else as advised if it is certain enough to be planned."""
    if pair in known.doubtful:
        return OnDelete.NO_ACTION
    keys = catalog.tables[pair[0].table].foreign_keys
    declared = next((key.on_delete for key in keys if (key.referencing, key.referenced) == pair), None)
    if declared is not None:
        return declared
    found = known.memory.suggestions.get(pair)
    return found[0] if found else _suggest(catalog, look_at(catalog, *pair, known), known)[0]


def _addition(catalog: Catalog, seen: Ownership, action: OnDelete, known: Relations, never: str, risk: str) -> str:
    """Say what else the action means: what is lost, how far it goes, what may stand in its way."""
    if action is OnDelete.CASCADE:
        lost = f" This deletes what {seen.rows} records as well." if seen.is_history else ""
        stuck = f" SET NULL would fail: {never}." if never and seen.may_be_nulled else ""
        return lost + stuck + tell_followers(seen.referencing.table, known, lambda pair: _action_of(catalog, pair, known))
    if action is OnDelete.SET_NULL and risk:
        return f" Check first: {risk}."
    if seen.is_partly_nullable and catalog.identity.version_number >= _COLUMN_LISTS:
        return f" By hand, SET NULL ({_nullable(catalog, seen)}) would keep the row."
    return ""


def _nullable(catalog: Catalog, seen: Ownership) -> str:
    table = catalog.tables[seen.referencing.table]
    return ", ".join(readable(name) for name in seen.referencing.columns if not table.column(name).not_null)
