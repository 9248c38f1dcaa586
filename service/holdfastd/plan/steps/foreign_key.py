"""ADD_FOREIGN_KEY and VALIDATE_FOREIGN_KEY: enforcement for new rows first, then the proof for the old ones."""

from dataclasses import replace

from holdfastd.catalog.model import ForeignKey, OnDelete
from holdfastd.names import ColumnSet, identifier, identifiers, literal, qualified
from holdfastd.plan.conditions import foreign_key_exists, foreign_key_is_defined, foreign_key_is_validated
from holdfastd.plan.model import Decision, Hazard, HazardKind, LockLevel, LockPolicy, Statement, Step, StepKind, TableLock


def add_foreign_key(number: int, decision: Decision) -> Step:
    """Return the step that adds the key NOT VALID."""
    referencing = decision.referencing
    alter = f"ALTER TABLE {qualified(referencing.table)}"
    return Step(
        number=number,
        kind=StepKind.ADD_FOREIGN_KEY,
        title=f"Add {decision.constraint_name} NOT VALID: enforcement starts",
        relationship_id=decision.relationship_id,
        statements=(
            Statement(
                sql=f"{alter} ADD {_definition(decision)} NOT VALID",
                locks=_on_both(decision, LockLevel.SHARE_ROW_EXCLUSIVE),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        undo=(
            Statement(
                sql=f"{alter} DROP CONSTRAINT IF EXISTS {identifier(decision.constraint_name)}",
                locks=_on_both(decision, LockLevel.ACCESS_EXCLUSIVE),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        done_when=foreign_key_exists(*as_planned(decision)),
        undo_when=foreign_key_exists(*as_planned(decision)),
        hazards=tuple(_add_hazards(decision)),
        object_name=decision.constraint_name,
        table=referencing.table,
    )


def _add_hazards(decision: Decision) -> list[Hazard]:
    referencing, referenced = decision.referencing, decision.referenced
    hazards = [
        Hazard(
            kind=HazardKind.BLOCKS_WRITES,
            message=f"Writers of {referencing.table} and {referenced.table} wait for an instant; undoing blocks their readers, too.",
        ),
        Hazard(
            kind=HazardKind.ENFORCEMENT_STARTS,
            message=(
                f"From here on, writing a {referencing} without its row in {referenced.table} fails,"
                f" and deleting from {referenced.table} does ON DELETE {decision.on_delete}."
            ),
        ),
    ]
    if decision.orphan_rows:
        hazards.append(
            Hazard(
                kind=HazardKind.DOUBLE_UPDATE_FAILS,
                message=(
                    f"Until the key is validated, a transaction that updates one of the {decision.orphan_rows} orphan rows twice fails."
                ),
            )
        )
    return hazards


def validate_foreign_key(number: int, decision: Decision, *, rows: int) -> Step:
    """Return the step that validates the key. `rows`: estimated rows of the referencing table."""
    referencing, referenced = decision.referencing, decision.referenced
    return Step(
        number=number,
        kind=StepKind.VALIDATE_FOREIGN_KEY,
        title=f"Validate {decision.constraint_name}",
        relationship_id=decision.relationship_id,
        statements=(
            Statement(
                sql=f"ALTER TABLE {qualified(referencing.table)} VALIDATE CONSTRAINT {identifier(decision.constraint_name)}",
                locks=(
                    TableLock(table=referencing.table, level=LockLevel.SHARE_UPDATE_EXCLUSIVE),
                    *(TableLock(table=name, level=LockLevel.ROW_SHARE) for name in {referenced.table} - {referencing.table}),
                ),
                lock_policy=LockPolicy.LONG,
            ),
        ),
        done_when=foreign_key_is_validated(*as_planned(decision)),
        hazards=(
            Hazard(
                kind=HazardKind.SCANS_TABLE,
                message=f"Reads {referencing.table}; reads and writes go on, VACUUM and DDL of it wait.",
            ),
        ),
        row_estimate=rows,
        object_name=decision.constraint_name,
        table=referencing.table,
    )


def revalidated(step: Step, decision: Decision, key: ForeignKey) -> Step:
    """Return the validation of a key that was there before, NOT VALID.

    PostgreSQL cannot take a validation back: undoing drops the key, and adds it as it was declared after rows are restored.
    """
    table, name = decision.referencing.table, identifier(decision.constraint_name)
    alter = f"ALTER TABLE {qualified(table)}"
    undo = [
        (f"{alter} DROP CONSTRAINT IF EXISTS {name}", _on_both(decision, LockLevel.ACCESS_EXCLUSIVE)),
        (f"{alter} ADD CONSTRAINT {name} {key.definition}", _on_both(decision, LockLevel.SHARE_ROW_EXCLUSIVE)),
    ]
    if key.comment:
        lock = TableLock(table=table, level=LockLevel.ACCESS_SHARE)
        undo.append((f"COMMENT ON CONSTRAINT {name} ON {qualified(table)} IS {literal(key.comment)}", (lock,)))
    return replace(
        step,
        undo=tuple(Statement(sql=sql, locks=locks, lock_policy=LockPolicy.SHORT) for sql, locks in undo),
        undo_when=foreign_key_is_defined(table, decision.constraint_name, key.definition),
    )


def as_planned(decision: Decision) -> tuple[ColumnSet, ColumnSet, str, OnDelete, tuple[str, ...]]:
    """Return what the conditions about a key compare."""
    columns = decision.set_null_columns if decision.on_delete is OnDelete.SET_NULL else ()
    return decision.referencing, decision.referenced, decision.constraint_name, decision.on_delete, columns


def _on_both(decision: Decision, level: LockLevel) -> tuple[TableLock, ...]:
    tables = dict.fromkeys((decision.referencing.table, decision.referenced.table))
    return tuple(TableLock(table=table, level=level) for table in tables)


def _definition(decision: Decision) -> str:
    referencing, referenced = decision.referencing, decision.referenced
    named = f" ({identifiers(decision.set_null_columns)})" if decision.set_null_columns else ""
    return (
        f"CONSTRAINT {identifier(decision.constraint_name)} FOREIGN KEY ({identifiers(referencing.columns)})"
        f" REFERENCES {qualified(referenced.table)} ({identifiers(referenced.columns)}) ON DELETE {decision.on_delete}"
        f"{named if decision.on_delete is OnDelete.SET_NULL else ''}"
    )
