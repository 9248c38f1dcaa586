"""CREATE_INDEX: build an index on referencing columns while the application writes."""

from holdfastd.names import TableName, identifier, identifiers, qualified
from holdfastd.plan.conditions import index_is_ready, index_is_there
from holdfastd.plan.model import Decision, Hazard, HazardKind, LockLevel, LockPolicy, Statement, Step, StepKind, TableLock


def create_index(number: int, decision: Decision, *, rows: int) -> Step:
    """Return the step for the index that a decision names. `rows`: estimated rows of the table."""
    table = decision.referencing.table
    columns = identifiers(decision.referencing.columns)
    build = f"CREATE INDEX CONCURRENTLY {identifier(decision.index_name)} ON {qualified(table)} ({columns})"
    return Step(
        number=number,
        kind=StepKind.CREATE_INDEX,
        title=f"Index {decision.referencing}",
        relationship_id=decision.relationship_id,
        statements=(_concurrently(build, table),),
        undo=(drop_index(table, decision.index_name),),
        done_when=index_is_ready(table, decision.index_name, decision.referencing.columns),
        undo_when=index_is_there(table, decision.index_name, decision.referencing.columns),
        hazards=(
            Hazard(
                kind=HazardKind.BUILDS_INDEX,
                message=f"Reads {table} twice and waits for transactions that are older; writes go on.",
            ),
        ),
        row_estimate=rows,
        object_name=decision.index_name,
        table=table,
    )


def drop_index(table: TableName, name: str) -> Statement:
    """Return the statement that drops an index without blocking anybody."""
    return _concurrently(f"DROP INDEX CONCURRENTLY IF EXISTS {identifier(table.schema)}.{identifier(name)}", table)


def _concurrently(sql: str, table: TableName) -> Statement:
    return Statement(
        sql=sql,
        locks=(TableLock(table=table, level=LockLevel.SHARE_UPDATE_EXCLUSIVE),),
        lock_policy=LockPolicy.BUILD,
        transactional=False,
    )
