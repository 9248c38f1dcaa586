"""What of a target the steps of a plan touch: in comes a plan, out goes what it alters, references, locks and builds. Pure.

PostgreSQL's demands were measured on 15, 16 and 18. Adding a key takes ownership of the referencing table and REFERENCES on the
referenced columns; dropping it again takes no right on the referenced table. Locking a table in SHARE mode takes UPDATE, DELETE or
TRUNCATE on it (17+: or MAINTAIN); building an index takes CREATE on its schema, asked of the session's role, not of the owner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, OnDelete, TableKind
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.build import tables_of
from holdfastd.plan.model import Decision, LockLevel, OrphanAction, Plan, Step, StepKind, TableLock

_WEAK = (LockLevel.ACCESS_SHARE, LockLevel.ROW_SHARE, LockLevel.ROW_EXCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key that will be enforced: from then on, owners need rights that they may lack today."""

    referencing: TableName
    referenced: TableName
    on_delete: OnDelete


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedRows:
    """Rows that a cleanup changes in one table, as far as the plan knows."""

    table: TableName
    #: Of the whole relationship: of which partition, the plan does not know.
    orphan_rows: int
    #: Rows that go to the backup from here, cascades included; partitions share them evenly.
    backed_up_rows: int
    #: Whether rows of further tables go along.
    takes_others: bool
    #: The action of the cleanup on the orphan rows themselves.
    action: OrphanAction
    #: Further tables that lose or change rows.
    reached: tuple[TableName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an application touches. Each name once, sorted."""

    #: Everything that it reads: all of the below, too.
    tables: tuple[TableName, ...]
    #: What only an owner may do is done to these.
    altered: tuple[TableName, ...]
    #: Key columns that new keys reference.
    referenced: tuple[ColumnSet, ...] = ()
    #: Locked in SHARE mode while a batch of a cleanup runs.
    share_locked: tuple[TableName, ...] = ()
    #: Schemas that indexes are built in.
    building_schemas: tuple[str, ...] = ()
    #: Tables that some step locks more strongly than a writer does.
    strongly_locked: tuple[TableName, ...] = ()
    keys: tuple[Key, ...] = ()
    #: Columns that indexes are built on.
    builds: tuple[ColumnSet, ...] = ()
    cleaned: tuple[CleanedRows, ...] = ()

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of all tables."""
        return tuple(sorted({table.schema for table in self.tables}))


def needs_of_catalog(catalog: Catalog) -> Needs:
    """Return what plans may come to need: everything, of every table."""
    tables = tuple(sorted(table.name for table in catalog.tables.values() if table.kind is not TableKind.FOREIGN))
    return Needs(
        tables=tables,
        altered=tables,
        referenced=tuple(ColumnSet(table, ()) for table in tables),
        building_schemas=tuple(sorted({table.schema for table in tables})),
    )


def needs_of_plan(plan: Plan) -> Needs:
    """Return what this plan needs, and no more."""
    included = {decision.relationship_id: decision for decision in plan.decisions if decision.included}
    altered = {step.table for step in plan.steps if step.table is not None}
    reached = {table for step in plan.steps if step.recipe is not None for table in step.recipe.tables}
    keyed = [(step, included[step.relationship_id]) for step in plan.steps if _adds_key(step) and step.relationship_id in included]
    cleaning = [(step, included[step.relationship_id]) for step in plan.steps if step.recipe is not None]
    return Needs(
        tables=tables_of(plan.steps, plan.decisions),
        altered=tuple(sorted(altered | reached)),
        referenced=tuple(sorted({decision.referenced for _, decision in keyed})),
        share_locked=tuple(sorted({decision.referenced.table for _, decision in cleaning})),
        building_schemas=tuple(sorted({step.table.schema for step in plan.steps if step.kind is StepKind.CREATE_INDEX and step.table})),
        strongly_locked=tuple(sorted({lock.table for step in plan.steps for lock in _locks(step) if lock.level not in _WEAK})),
        keys=tuple(_key(step, decision) for step, decision in keyed),
        builds=tuple(
            ColumnSet(step.table, included[step.relationship_id].referencing.columns)
            for step in plan.steps
            if step.kind is StepKind.CREATE_INDEX and step.table and step.relationship_id in included
        ),
        cleaned=tuple(_cleaned(step, decision, _steps_of(cleaning, decision)) for step, decision in cleaning),
    )


def _adds_key(step: Step) -> bool:
    """Tell whether a step adds a key, or undoing it does: what was NOT VALID before becomes so again by dropping and adding."""
    return step.kind is StepKind.ADD_FOREIGN_KEY or (step.kind is StepKind.VALIDATE_FOREIGN_KEY and bool(step.undo))


def _locks(step: Step) -> Iterator[TableLock]:
    return (lock for statement in step.statements for lock in statement.locks)


def _key(step: Step, decision: Decision) -> Key:
    """Return the key that a step adds; on a partition it is the partition's own."""
    return Key(referencing=step.table or decision.referencing.table, referenced=decision.referenced.table, on_delete=decision.on_delete)


def _steps_of(cleaning: Sequence[tuple[Step, Decision]], decision: Decision) -> int:
    return sum(other is decision for _, other in cleaning)


def _cleaned(step: Step, decision: Decision, steps: int) -> CleanedRows:
    tables = step.recipe.tables if step.recipe else ()
    rows = max(decision.closure_rows, decision.orphan_rows)
    return CleanedRows(
        table=tables[0],
        orphan_rows=decision.orphan_rows,
        backed_up_rows=-(-rows // steps),
        takes_others=rows > decision.orphan_rows,
        action=decision.orphan_action,
        reached=tuple(tables[1:]),
    )
