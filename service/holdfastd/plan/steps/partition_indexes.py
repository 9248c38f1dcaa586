"""CREATE_INDEX and ATTACH_INDEX for a partitioned table, where PostgreSQL builds no index concurrently as a whole.

The root and every partitioned level below it get an index without parts, which is not valid; every leaf gets its own, built while the
application writes; then each is attached to the one above it, and with the last part the whole is valid.

An index that is attached cannot be let go again: dropping the root's would drop it, too. So where a leaf has an index that serves the
key already, only leaves without one get one, and the root gets none: nothing that was there before is ever at stake.
"""

from collections.abc import Iterator
from dataclasses import replace

from holdfastd.catalog.indexes import Comparison, serving_index
from holdfastd.catalog.model import Catalog, TableKind
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName, identifier, identifiers, qualified
from holdfastd.plan.conditions import index_is_there
from holdfastd.plan.model import Decision, Hazard, HazardKind, LockLevel, LockPolicy, Statement, Step, StepKind, TableLock
from holdfastd.plan.naming import Names
from holdfastd.plan.partition_conditions import both, index_is_attached, index_is_loose
from holdfastd.plan.steps.create_index import create_index


def index_partitions(catalog: Catalog, relationship: Relationship, decision: Decision, names: Names) -> Iterator[Step]:
    """Yield the steps that index a partitioned table for a key, not numbered yet."""
    root, columns = decision.referencing.table, decision.referencing.columns
    comparison = Comparison(operators=relationship.operators, types=catalog.types)
    served = [leaf for leaf in catalog.leaves(root) if serving_index(catalog.tables[leaf], columns, comparison) is not None]
    if served:
        yield from _fill_gaps(catalog, decision, served, names)
        return
    named = {root: decision.index_name}
    for table in catalog.partitions_below(root):
        named[table] = names.index(ColumnSet(table, columns))
    levels = [table for table in named if catalog.tables[table].kind is TableKind.PARTITIONED]
    yield from (_create_hollow(_on(decision, level, named[level]), catalog) for level in levels)
    yield from (_create_part(catalog, _on(decision, leaf, named[leaf])) for leaf in catalog.leaves(root))
    # Leaves first: a level is whole before it becomes a part itself, so that the last step makes the root's index valid.
    for table in reversed(named):
        above = catalog.tables_above(table)
        if table != root and above:
            yield _attach(decision, table, named[table], above[0], named[above[0]])


def _fill_gaps(catalog: Catalog, decision: Decision, served: list[TableName], names: Names) -> Iterator[Step]:
    """Yield the steps that index the leaves that have no index yet."""
    message = (
        f"{served[0]} has an index of its own already; attached to an index of {decision.referencing.table} it could not be let go again,"
        f" so each partition gets its own and {decision.referencing.table} gets none."
    )
    for leaf in catalog.leaves(decision.referencing.table):
        if leaf not in served:
            name = names.index(ColumnSet(leaf, decision.referencing.columns))
            step = _create_part(catalog, _on(decision, leaf, name))
            yield replace(step, hazards=(*step.hazards, Hazard(kind=HazardKind.BUILDS_INDEX, message=message)))


def _on(decision: Decision, table: TableName, index_name: str) -> Decision:
    """Return the decision about one partition."""
    return replace(decision, referencing=ColumnSet(table, decision.referencing.columns), index_name=index_name)


def _create_part(catalog: Catalog, decision: Decision) -> Step:
    """Return the step that builds the index of a leaf. Once attached, it goes with what it is attached to."""
    step = create_index(0, decision, rows=max(int(catalog.tables[decision.referencing.table].row_estimate), 0))
    return replace(step, undo_when=index_is_loose(decision.referencing, decision.index_name))


def _create_hollow(decision: Decision, catalog: Catalog) -> Step:
    """Return the step that makes the index of a partitioned table, without parts yet."""
    table, columns = decision.referencing.table, decision.referencing.columns
    is_root = not catalog.tables_above(table)
    there = index_is_there(table, decision.index_name, columns)
    below = (table, *catalog.partitions_below(table))
    return Step(
        number=0,
        kind=StepKind.CREATE_INDEX,
        title=f"Index {decision.referencing}, without its partitions yet",
        relationship_id=decision.relationship_id,
        statements=(
            Statement(
                sql=f"CREATE INDEX {identifier(decision.index_name)} ON ONLY {qualified(table)} ({identifiers(columns)})",
                locks=(TableLock(table=table, level=LockLevel.SHARE),),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        undo=(
            Statement(
                sql=f"DROP INDEX IF EXISTS {qualified(TableName(table.schema, decision.index_name))}",
                locks=tuple(TableLock(table=each, level=LockLevel.ACCESS_EXCLUSIVE) for each in below),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        done_when=there,
        undo_when=there if is_root else index_is_loose(decision.referencing, decision.index_name),
        hazards=(
            Hazard(
                kind=HazardKind.BLOCKS_WRITES,
                message=f"Writers of {table} wait for an instant; undoing blocks readers of it and its partitions, too.",
            ),
        ),
        object_name=decision.index_name,
        table=table,
    )


def _attach(decision: Decision, table: TableName, name: str, parent: TableName, parent_name: str) -> Step:
    """Return the step that makes an index a part of the one above it. Dropping that one undoes it."""
    index, whole = TableName(table.schema, name), TableName(parent.schema, parent_name)
    return Step(
        number=0,
        kind=StepKind.ATTACH_INDEX,
        title=f"Attach index {index} to {whole}",
        relationship_id=decision.relationship_id,
        statements=(
            Statement(
                sql=f"ALTER INDEX {qualified(whole)} ATTACH PARTITION {qualified(index)}",
                locks=(
                    TableLock(table=whole, level=LockLevel.SHARE_UPDATE_EXCLUSIVE),
                    TableLock(table=index, level=LockLevel.ACCESS_EXCLUSIVE),
                ),
                lock_policy=LockPolicy.SHORT,
            ),
        ),
        done_when=both(index_is_attached(index, whole), index_is_there(table, name, decision.referencing.columns)),
        hazards=(
            Hazard(
                kind=HazardKind.BLOCKS_READS,
                message=f"Queries of {table} look at all its indexes: they wait for an instant, and this waits for those that run.",
            ),
        ),
        object_name=name,
        table=table,
    )
