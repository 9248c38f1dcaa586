"""Could a rollback be exact? Asked before anything is touched: in come a session, the catalog as it is now, and a plan.

The answer is the reasons why not, with the keys of the rows concerned. Rows must fit what is in force today, not only what was when
the plan was made: somebody may have added a key, a unique index or a CHECK since.
"""

from collections.abc import Iterable, Iterator, Sequence

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.names import TableName
from holdfastd.plan.edges import KeyName
from holdfastd.plan.model import Decision, Plan, Step, StepKind
from holdfastd.plan.obstacles import expression_checks, rule_checks
from holdfastd.sql import load_queries
from holdfastd.target.errors import is_about_rows, sqlstate
from holdfastd.target.rules import read_expressions, read_rules

_QUERIES = load_queries("holdfastd.execute", "obstacles.sql")
_SHOWN = 20
#: How PostgreSQL refuses to read an image as a row of its table.
NO_ROWS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.UndefinedTableError, asyncpg.UndefinedObjectError)
NO_ROW = "the backup holds what is no row of its table: somebody changed it, or a type that the table uses"


async def obstacles(connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan) -> tuple[str, ...]:
    """Return why a rollback could not be exact; empty when it can. Refused BACKUP_GONE when rows that it needs were purged."""
    if not await ledger.exists(connection):
        return ("schema holdfast is gone, and the backup with it",)
    await ledger.refuse_purged(connection, plan_id)
    # Without statistics the planner takes a backup for a handful of rows, and compares each with each.
    await connection.execute("ANALYZE holdfast.ledger, holdfast.backup")
    begun = await ledger.begun_steps(connection, plan_id)
    undoable = [step for step in plan.steps if step.number in begun and step.undo]
    found = await damages(connection, catalog, plan_id, plan, undoable)
    return found or await misfits(connection, catalog, plan_id, plan, dropped=await _dropped(connection, plan))


async def damages(connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan, steps: Sequence[Step]) -> tuple[str, ...]:
    """Return what is missing of the tables that steps name, and of the backup of a plan."""
    return (*_missing_parts(catalog, plan, steps), *await _damage(connection, plan_id))


async def misfits(
    connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan, *, dropped: frozenset[KeyName]
) -> tuple[str, ...]:
    """Return why rows of the backup of a plan do not fit what is there now. `dropped`: keys that are gone when they come back."""
    saved_steps = {batch.step for batch in await ledger.batches_to_restore(connection, plan_id)}
    found: list[str] = []
    for step in plan.steps:
        if step.recipe is not None and step.number in saved_steps:
            found += await _ask(connection, plan_id, step.recipe.restore_checks, step=step.number)
    return tuple(found or await _broken_rules(connection, catalog, plan_id, dropped))


def refuse(found: tuple[str, ...], deed: str = "rollback") -> Refused:
    """Return the refusal that names the obstacles."""
    details = "; ".join(found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = f"The {deed} could not be exact, so nothing was touched: {details}{more}."
    return Refused(message, reason=Reason.ROLLBACK_NOT_EXACT, facts={"details": details + more})


def _missing_parts(catalog: Catalog, plan: Plan, steps: Sequence[Step]) -> Iterator[str]:
    """Yield what was renamed or dropped, of all that undoing and verifying would name."""
    undoable = {step.relationship_id for step in steps}
    missing: dict[str, None] = {}
    for decision in plan.decisions:
        if decision.relationship_id in undoable:
            missing |= dict.fromkeys(_missing_columns(catalog, decision))
    yield from missing


def _missing_columns(catalog: Catalog, decision: Decision) -> Iterator[str]:
    for columns in (decision.referencing, decision.referenced):
        table = catalog.tables.get(columns.table)
        if table is None:
            yield f"{columns.table} was dropped or renamed"
        elif not table.has_columns(columns.columns):
            yield f"{columns}: its columns changed"


async def _damage(connection: asyncpg.Connection, plan_id: str) -> list[str]:
    rows = await connection.fetch(ledger.QUERIES["damaged_batches"], plan_id)
    return [f"backup batch {row['id']} holds {row['present']} of {row['row_count']} rows" for row in rows]


async def _ask(connection: asyncpg.Connection, plan_id: str, checks: Iterable[str], *, step: int = 0) -> list[str]:
    """Ask until one question names an obstacle: later ones may stumble over it (a column of another type)."""
    for check in checks:
        try:
            async with connection.transaction():
                statement = await connection.prepare(check)
                # Not every question is about one step.
                rows = await statement.fetch(*(plan_id, step)[: len(statement.get_parameters())])
        except asyncpg.PostgresError as error:
            if not is_about_rows(error):
                raise
            return [what_failed(error)]
        if rows:
            return [row[0] for row in rows]
    return []


def what_failed(error: asyncpg.PostgresError) -> str:
    """Return in words what is wrong with rows of a backup, or with what is computed from them, when asking about them fails."""
    if isinstance(error, NO_ROWS) and not error.context:
        return NO_ROW
    return (
        f"a question about rows of the backup fails (SQLSTATE {sqlstate(error)}): something that a CHECK, an index, a generated column or"
        " a type of their table computes does not work under an empty search_path, or not at all; ALTER FUNCTION ... SET search_path"
        " may cure it"
    )


async def _broken_rules(connection: asyncpg.Connection, catalog: Catalog, plan_id: str, dropped: frozenset[KeyName]) -> list[str]:
    for row in await connection.fetch(_QUERIES["saved_tables"], plan_id):
        table = catalog.tables[TableName(row["table_schema"], row["table_name"])]
        rules = await read_rules(connection, table)
        computed = [expression.sql for expression in await read_expressions(connection, table)]
        checks = (*rule_checks(catalog, rules, dropped=dropped), *expression_checks(catalog, table, computed))
        found = await _ask(connection, plan_id, checks)
        if found:
            return found
    return []


async def _dropped(connection: asyncpg.Connection, plan: Plan) -> frozenset[KeyName]:
    """Return the keys that are gone when rows are put back; what others made under such a name stays."""
    keys = [step for step in plan.steps if is_key(step)]
    ours = [step for step in keys if await connection.fetchval(step.undo_when)]
    return frozenset((step.table, step.object_name) for step in ours if step.table is not None)


def is_key(step: Step) -> bool:
    """Tell whether undoing a step drops a key."""
    return step.kind in (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY) and bool(step.undo)
