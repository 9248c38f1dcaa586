"""Which referencing columns can be set NULL: by ON DELETE SET NULL, and by cleaning up. Pure.

A key of several columns lets go of a row as soon as one of them is NULL: where some accept no NULL (a column that several keys share),
the others are set NULL alone.
"""

from collections.abc import Iterator

from holdfastd.catalog.model import Catalog, Match, OnDelete
from holdfastd.findings.plannable import declared_key
from holdfastd.inference.model import Relationship
from holdfastd.plan.model import Decision, OrphanAction, Override

#: Since 15 ON DELETE SET NULL can name the columns that it sets NULL.
_NAMED_COLUMNS = 150_000
_OTHER_ACTIONS = "choose CASCADE, RESTRICT or NO ACTION"


def null_columns(catalog: Catalog, relationship: Relationship) -> tuple[str, ...]:
    """Return the referencing columns to set NULL, so that a row is no orphan row any more; empty when there are none.

    MATCH FULL allows a row only all of them or none; a declared SET NULL names its own.
    """
    columns = relationship.referencing.columns
    accepting = tuple(name for name in columns if not _refusal(catalog, relationship, name))
    key = declared_key(catalog, relationship)
    if key is not None and key.match is Match.FULL:
        return accepting if accepting == columns else ()
    if key is not None and key.set_null_columns:
        return key.set_null_columns if set(key.set_null_columns) <= set(accepting) else ()
    return accepting


def can_set_null(catalog: Catalog, relationship: Relationship) -> bool:
    """Tell whether orphan rows can be set NULL and found again: by the primary key."""
    return bool(catalog.tables[relationship.referencing.table].primary_key) and bool(null_columns(catalog, relationship))


def set_null_columns(catalog: Catalog, relationship: Relationship, decision: Decision) -> tuple[str, ...]:
    """Return the columns that a decision sets NULL where those are not all; empty otherwise."""
    if decision.on_delete is not OnDelete.SET_NULL and decision.orphan_action is not OrphanAction.SET_NULL:
        return ()
    key = declared_key(catalog, relationship)
    if key is not None and key.on_delete is OnDelete.SET_NULL:
        return key.set_null_columns
    columns = null_columns(catalog, relationship)
    return columns if columns != relationship.referencing.columns else ()


def set_null_problems(catalog: Catalog, relationship: Relationship, override: Override) -> Iterator[str]:
    """Yield why columns cannot be set NULL as an override asks."""
    if override.on_delete is OnDelete.SET_NULL and not relationship.declared:
        yield from _action_problems(catalog, relationship)
    if override.orphan_action is OrphanAction.SET_NULL and not null_columns(catalog, relationship):
        yield f"orphan rows cannot be set NULL: {_refusals(catalog, relationship)}; delete, repoint or leave them."
    elif override.orphan_action is OrphanAction.SET_NULL and not can_set_null(catalog, relationship):
        yield "orphan rows can be set NULL only where the table has a primary key to find the rows again; delete or leave them."


def _action_problems(catalog: Catalog, relationship: Relationship) -> Iterator[str]:
    columns, refusals = null_columns(catalog, relationship), _refusals(catalog, relationship)
    generated = [name for name in relationship.referencing.columns if _is_generated(catalog, relationship, name)]
    if generated:
        yield f"PostgreSQL refuses ON DELETE SET NULL on the generated column {generated[0]}; {_OTHER_ACTIONS}."
    elif not columns:
        yield f"ON DELETE SET NULL needs columns that accept NULL, and {refusals}; {_OTHER_ACTIONS}."
    elif columns != relationship.referencing.columns and catalog.identity.version_number < _NAMED_COLUMNS:
        yield (
            f"ON DELETE SET NULL would set all columns NULL, and {refusals}; PostgreSQL {catalog.identity.version} cannot name the"
            f" columns to set NULL, 15 and later can: {_OTHER_ACTIONS}."
        )


def _refusals(catalog: Catalog, relationship: Relationship) -> str:
    """Return why not all columns can become NULL, as the middle of a sentence."""
    found = [why for name in relationship.referencing.columns if (why := _refusal(catalog, relationship, name))]
    return " and ".join(found) or "the key names columns of its own"


def _refusal(catalog: Catalog, relationship: Relationship, name: str) -> str:
    if _is_generated(catalog, relationship, name):
        return f"{name} is a generated column"
    return f"{name} is NOT NULL" if catalog.tables[relationship.referencing.table].column(name).not_null else ""


def _is_generated(catalog: Catalog, relationship: Relationship, name: str) -> bool:
    return bool(catalog.tables[relationship.referencing.table].column(name).generated)
