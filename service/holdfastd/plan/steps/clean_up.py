"""CLEAN_UP: back up orphan rows and delete them, set them NULL or repoint them, in batches."""

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.statements import from_only, orphan_condition
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.batch_locks import reading
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
        undo=(Statement(sql=recipe.restore, locks=recipe.restore_locks, lock_policy=LockPolicy.SHORT),),
        done_when=f"SELECT NOT EXISTS (SELECT FROM {source} WHERE {orphan})",
        hazards=tuple(_hazards(catalog, relationship, decision, recipe, closure)),
        row_estimate=decision.closure_rows,
        recipe=recipe,
        table=relationship.referencing.table,
    )


def _statements(relationship: Relationship, recipe: CleanUpRecipe) -> tuple[Statement, ...]:
    """Return the statements of one batch, in their order."""
    referencing, referenced = relationship.referencing.table, relationship.referenced.table
    texts = [
        (recipe.lock, (TableLock(table=referenced, level=LockLevel.SHARE),)),
        (recipe.back_up, reading(referenced, locked=referencing)),
        (recipe.recheck, reading(referencing, referenced)),
    ]
    for expansion in recipe.expansions:
        texts += [(expansion.back_up, expansion.locks), (expansion.recheck, reading(*(each.table for each in expansion.locks)))]
    texts.append((recipe.change, recipe.change_locks))
    texts += [(sql, (lock,)) for sql, lock in zip(recipe.left, recipe.left_locks, strict=True)]
    return tuple(Statement(sql=sql, locks=locks, lock_policy=LockPolicy.SHORT) for sql, locks in texts)


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
    hazards += [_slow_hazard(key) for key in recipe.unindexed]
    hazards += _trigger_hazards(catalog, recipe)
    return hazards


def _rows_hazard(decision: Decision, closure: dict[TableName, int]) -> Hazard:
    kind = HazardKind.DELETES_ROWS if decision.orphan_action is OrphanAction.DELETE else HazardKind.CHANGES_ROWS
    rows = ", ".join(f"{count} of {table}" for table, count in closure.items())
    return Hazard(kind=kind, message=f"Rows taken or changed, all backed up in the same transaction: {rows}.")


def _slow_hazard(key: str) -> Hazard:
    message = (
        f"No index finds the rows of {key} by its key: each deleted row makes PostgreSQL read that whole table while writers wait."
        " Batches shrink to few rows, and a large table ends the application; create an index first."
    )
    return Hazard(kind=HazardKind.BLOCKS_WRITES, message=message)


def _trigger_hazards(catalog: Catalog, recipe: CleanUpRecipe) -> list[Hazard]:
    firing = [
        f"{trigger.name} on {table}"
        for table in recipe.tables
        for trigger in catalog.tables[table].triggers
        if trigger.fires_on(delete=True, update=True, insert=True)
    ]
    ruled = [str(table) for table in recipe.tables if catalog.tables[table].has_rules]
    hazards = []
    if firing:
        message = (
            f"Triggers may fire on rows that are cleaned up: {', '.join(firing)}."
            " What they write elsewhere is not undone; they are off while a rollback puts rows back."
            " They run with an empty search_path. One that raises, or does something else instead, ends the application:"
            " its batch is undone."
        )
        hazards.append(Hazard(kind=HazardKind.USER_TRIGGERS, message=message))
    if ruled:
        message = f"Rules may rewrite what is done to rows of {', '.join(ruled)}; if fewer rows are changed, the batch is undone."
        hazards.append(Hazard(kind=HazardKind.USER_TRIGGERS, message=message))
    return hazards
