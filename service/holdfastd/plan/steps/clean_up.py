"""CLEAN_UP: back up orphan rows and delete them, set them NULL or repoint them, in batches."""

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.statements import from_only, orphan_condition
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.model import (
    CleanUpRecipe,
    Decision,
    Hazard,
    HazardKind,
    LockLevel,
    LockPolicy,
    OrphanAction,
    Statement,
    Step,
    StepKind,
    TableLock,
)

#: Above this share of a table, a cleanup is worth a second look.
LARGE_CLOSURE_SHARE = 0.05

_WORDS = {OrphanAction.DELETE: "delete", OrphanAction.SET_NULL: "set NULL", OrphanAction.REPOINT: "repoint"}


def clean_up(
    number: int,
    catalog: Catalog,
    relationship: Relationship,
    decision: Decision,
    recipe: CleanUpRecipe,
    closure: dict[TableName, int],
) -> Step:
    """Return the step. `closure`: rows that will be taken or changed, per table."""
    source = f"{from_only(catalog.tables[relationship.referencing.table])} AS referencing"
    orphan = orphan_condition(catalog, relationship.referencing, relationship.referenced, relationship.operators)
    word = _WORDS[decision.orphan_action]
    return Step(
        number=number,
        kind=StepKind.CLEAN_UP,
        title=f"Clean up {relationship.referencing}: back up, {word}",
        relationship_id=relationship.id,
        statements=_statements(relationship, recipe),
        undo=(Statement(sql=recipe.restore, locks=_restore_locks(catalog, recipe), lock_policy=LockPolicy.SHORT),),
        done_when=f"SELECT NOT EXISTS (SELECT FROM {source} WHERE {orphan})",
        hazards=tuple(_hazards(catalog, relationship, decision, recipe, closure)),
        row_estimate=decision.closure_rows,
        recipe=recipe,
        table=relationship.referencing.table,
    )


def _statements(relationship: Relationship, recipe: CleanUpRecipe) -> tuple[Statement, ...]:
    """Return the statements of one batch, in their order."""
    lock = Statement(
        sql=recipe.lock,
        locks=(TableLock(table=relationship.referenced.table, level=LockLevel.SHARE),),
        lock_policy=LockPolicy.SHORT,
    )
    expansions = [sql for expansion in recipe.expansions for sql in (expansion.back_up, expansion.recheck)]
    texts = (recipe.back_up, recipe.recheck, *expansions, recipe.change)
    locks = _row_locks(recipe)
    return (lock, *(Statement(sql=sql, locks=locks, lock_policy=LockPolicy.SHORT) for sql in texts))


def _row_locks(recipe: CleanUpRecipe) -> tuple[TableLock, ...]:
    return tuple(TableLock(table=table, level=LockLevel.ROW_EXCLUSIVE) for table in recipe.tables)


def _restore_locks(catalog: Catalog, recipe: CleanUpRecipe) -> tuple[TableLock, ...]:
    """Return the locks of putting rows back: turning triggers off and on keeps writers out for the batch."""
    return tuple(
        TableLock(table=table, level=LockLevel.SHARE_ROW_EXCLUSIVE if catalog.tables[table].triggers else LockLevel.ROW_EXCLUSIVE)
        for table in recipe.tables
    )


def _hazards(
    catalog: Catalog, relationship: Relationship, decision: Decision, recipe: CleanUpRecipe, closure: dict[TableName, int]
) -> list[Hazard]:
    hazards = [] if not closure else [_rows_hazard(decision, closure)]
    message = f"Writers of {relationship.referenced.table} wait while a batch runs; without orphan rows there is none."
    hazards.append(Hazard(kind=HazardKind.BLOCKS_WRITES, message=message))
    for table, count in closure.items():
        share = count / max(catalog.tables[table].row_estimate, count, 1)
        if share > LARGE_CLOSURE_SHARE:
            hazards.append(Hazard(kind=HazardKind.LARGE_CLOSURE, message=f"{count} rows are {share:.0%} of {table}."))
    hazards += _trigger_hazards(catalog, recipe)
    return hazards


def _rows_hazard(decision: Decision, closure: dict[TableName, int]) -> Hazard:
    kind = HazardKind.DELETES_ROWS if decision.orphan_action is OrphanAction.DELETE else HazardKind.CHANGES_ROWS
    rows = ", ".join(f"{count} of {table}" for table, count in closure.items())
    return Hazard(kind=kind, message=f"Rows taken or changed, all backed up in the same transaction: {rows}.")


def _trigger_hazards(catalog: Catalog, recipe: CleanUpRecipe) -> list[Hazard]:
    firing = [
        f"{trigger.name} on {table}"
        for table in recipe.tables
        for trigger in catalog.tables[table].triggers
        if trigger.fires_on(delete=True, update=True, insert=True)
    ]
    if not firing:
        return []
    message = (
        f"Triggers may fire on rows that are cleaned up: {', '.join(firing)}."
        " What they write elsewhere is not undone; they are off while a rollback puts rows back."
    )
    return [Hazard(kind=HazardKind.USER_TRIGGERS, message=message)]
