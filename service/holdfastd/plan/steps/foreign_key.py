"""ADD_FOREIGN_KEY and VALIDATE_FOREIGN_KEY: enforcement for new rows first, then the proof for the old ones."""

from dataclasses import replace

from holdfastd.names import identifier, identifiers, qualified
from holdfastd.plan.conditions import foreign_key_exists, foreign_key_is_validated
from holdfastd.plan.model import Decision, Hazard, HazardKind, LockLevel, LockPolicy, Statement, Step, StepKind, TableLock


def add_foreign_key(number: int, decision: Decision) -> Step:
    """Return the step that adds the key NOT VALID."""
    referencing, referenced = decision.referencing, decision.referenced
    alter = f"ALTER TABLE {qualified(referencing.table)}"
    both = tuple(dict.fromkeys((referencing.table, referenced.table)))
    return Step(
        number=number,
        kind=StepKind.ADD_FOREIGN_KEY,
        title=f"Add {decision.constraint_name} NOT VALID: enforcement starts",
        relationship_id=decision.relationship_id,
        statements=(
            Statement(
                sql=f"{alter} ADD {_definition(decision)} NOT VALID",
                locks=tuple(TableLock(table=table, level=LockLevel.SHARE_ROW_EXCLUSIVE) for table in both),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        undo=(
            Statement(
                sql=f"{alter} DROP CONSTRAINT IF EXISTS {identifier(decision.constraint_name)}",
                locks=tuple(TableLock(table=table, level=LockLevel.ACCESS_EXCLUSIVE) for table in both),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        done_when=foreign_key_exists(referencing, referenced, decision.constraint_name, decision.on_delete),
        undo_when=foreign_key_exists(referencing, referenced, decision.constraint_name, decision.on_delete),
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
                    TableLock(table=referenced.table, level=LockLevel.ROW_SHARE),
                ),
                lock_policy=LockPolicy.LONG,
            ),
        ),
        done_when=foreign_key_is_validated(referencing, referenced, decision.constraint_name, decision.on_delete),
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


def revalidated(step: Step, decision: Decision) -> Step:
    """Return the validation of a key that was there before, NOT VALID. Undoing drops it, and adds it NOT VALID after rows are restored."""
    table = decision.referencing.table
    both = tuple(dict.fromkeys((table, decision.referenced.table)))
    drop = f"ALTER TABLE {qualified(table)} DROP CONSTRAINT IF EXISTS {identifier(decision.constraint_name)}"
    add = f"ALTER TABLE {qualified(table)} ADD {_definition(decision)} NOT VALID"
    undo = ((drop, LockLevel.ACCESS_EXCLUSIVE), (add, LockLevel.SHARE_ROW_EXCLUSIVE))
    statements = (
        Statement(sql=sql, locks=tuple(TableLock(table=name, level=level) for name in both), lock_policy=LockPolicy.SHORT)
        for sql, level in undo
    )
    is_there = foreign_key_exists(decision.referencing, decision.referenced, decision.constraint_name, decision.on_delete)
    return replace(step, undo=tuple(statements), undo_when=is_there)


def _definition(decision: Decision) -> str:
    referencing, referenced = decision.referencing, decision.referenced
    return (
        f"CONSTRAINT {identifier(decision.constraint_name)} FOREIGN KEY ({identifiers(referencing.columns)})"
        f" REFERENCES {qualified(referenced.table)} ({identifiers(referenced.columns)}) ON DELETE {decision.on_delete}"
    )
