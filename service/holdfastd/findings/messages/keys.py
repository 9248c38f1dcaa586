"""Sentences about declared foreign keys that do not do what they say."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, ForeignKey, OnDelete, Table
from holdfastd.evidence.model import Exactness
from holdfastd.findings.plannable import is_plannable
from holdfastd.findings.words import Words, listed
from holdfastd.inference.model import Relationship
from holdfastd.names import identifier, identifiers, qualified


def not_validated_key(catalog: Catalog, relationship: Relationship) -> Words:
    """A foreign key that is NOT VALID."""
    table = relationship.referencing.table
    also = "; a plan does it as well" if is_plannable(catalog, relationship) else ""
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {table} is not validated.",
        consequence="New and changed rows are checked, older ones may be orphan rows, so nothing can rely on the key.",
        cure=f"{_cleaned(relationship)} "
        f"ALTER TABLE {qualified(table)} VALIDATE CONSTRAINT {identifier(relationship.constraint_name)}{also}.",
    )


def not_enforced_key(relationship: Relationship) -> Words:
    """A foreign key declared NOT ENFORCED."""
    table = relationship.referencing.table
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {table} is not enforced.",
        consequence="It documents the relationship and protects nothing: rows that reference nothing are accepted.",
        cure=f"{_cleaned(relationship)} "
        f"ALTER TABLE {qualified(table)} ALTER CONSTRAINT {identifier(relationship.constraint_name)} ENFORCED.",
    )


def _cleaned(relationship: Relationship) -> str:
    """Return what comes before PostgreSQL can check all rows."""
    count = relationship.orphan_rows
    is_clean = count.exactness is Exactness.EXACT and not count.value
    return "No orphan row stands in the way: run" if is_clean else "Clean up its orphan rows, then run"


def disabled_key(catalog: Catalog, relationship: Relationship) -> Words:
    """A foreign key whose triggers are disabled."""
    tables = [catalog.tables[name] for name in dict.fromkeys((relationship.referencing.table, relationship.referenced.table))]
    sql = listed([f"ALTER TABLE {qualified(table.name)} ENABLE TRIGGER ALL" for table in tables])
    asleep = [f"{identifier(trigger.name)} of {table.name}" for table in tables for trigger in table.triggers if not trigger.enabled]
    caution = f"; this enables {listed(asleep)} as well" if asleep else ""
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {tables[0].name} is declared, but its triggers are disabled.",
        consequence="It looks as if it protected the rows and does not: those that reference nothing are accepted.",
        cure=f"Run {sql} as a superuser, then audit again, for older rows are not checked{caution}.",
    )


def duplicate_key(key: ForeignKey, kept: ForeignKey) -> Words:
    """A foreign key that another one on the same columns makes superfluous."""
    table = key.referencing.table
    name, other = identifier(key.name), identifier(kept.name)
    if actions(key) == actions(kept):
        consequence = "Every write is checked twice, and a change to one key leaves the other as it was."
        check = ""
    else:
        consequence = (
            f"The two disagree about deletions and updates ({actions(key)} against {actions(kept)}), "
            "so what happens depends on which fires first."
        )
        check = f" if {actions(kept)} is what you want"
    return Words(
        message=f"Foreign keys {name} and {other} of {table} both say that {key.referencing} references {key.referenced}.",
        consequence=consequence,
        cure=f"Keep {other}{_strength(kept, key)}{check}, and run ALTER TABLE {qualified(table)} DROP CONSTRAINT {name}.",
    )


def set_null_on_not_null(table: Table, key: ForeignKey, columns: Sequence[str], *, action: str) -> Words:
    """A key whose action sets columns NULL that refuse it."""
    name, target = identifier(key.name), qualified(table.name)
    event = "deleted" if action.startswith("ON DELETE") else "given another key"
    verb = "is" if len(columns) == 1 else "are"
    return Words(
        message=f"Foreign key {name} of {table.name} says {action}, but {listed(columns)} {verb} NOT NULL.",
        consequence=f"No row of {key.referenced.table} that is referenced can be {event}: the statement fails with a not-null violation.",
        cure=_allow_null(table, key, columns, action)
        or f"Run ALTER TABLE {target} DROP CONSTRAINT {name} and declare the key again with "
        f"{action.rpartition(' SET')[0]} NO ACTION, which says what happens today.",
    )


def _allow_null(table: Table, key: ForeignKey, columns: Sequence[str], action: str) -> str:
    """Return the cure of a column that could be NULL; empty when one cannot: part of a primary key, an identity, a NOT NULL domain."""
    found = [table.column(name) for name in columns]
    if set(table.primary_key).intersection(columns) or any(column.identity or column.type.oid != column.type.base_oid for column in found):
        return ""
    changes = ", ".join(f"ALTER COLUMN {identifier(name)} DROP NOT NULL" for name in columns)
    others = [name for name in key.referencing.columns if name not in columns]
    narrower = f", or declare the key again with ON DELETE SET NULL ({identifiers(others)}) (PostgreSQL 15 and later)"
    event = "deletions" if action.startswith("ON DELETE") else "updates"
    return (
        f"Run ALTER TABLE {qualified(table.name)} {changes} if rows shall outlive what they reference"
        f"{narrower if others and event == 'deletions' and not key.set_null_columns else ''}; "
        f"or declare the key again with NO ACTION if {event} shall go on failing."
    )


def actions(key: ForeignKey) -> str:
    """Return what a key does on deletion and update, as SQL says it."""
    columns = f" ({identifiers(key.set_null_columns)})" if key.set_null_columns else ""
    update = "" if key.on_update is OnDelete.NO_ACTION else f" ON UPDATE {key.on_update}"
    return f"ON DELETE {key.on_delete}{columns}{update}"


def _strength(kept: ForeignKey, dropped: ForeignKey) -> str:
    """Return what the kept key has over the other one, as more of the sentence."""
    for has, lacks, text in (
        (kept.enforced, dropped.enforced, "which is enforced"),
        (kept.triggers_enabled, dropped.triggers_enabled, "whose triggers are enabled"),
        (kept.validated, dropped.validated, "which is validated"),
        (not kept.deferrable, not dropped.deferrable, "which is checked at once"),
    ):
        if has and not lacks:
            return f", {text}"
    return ""
