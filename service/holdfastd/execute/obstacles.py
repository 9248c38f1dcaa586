"""Could a rollback be exact? Asked before anything is touched: in come a session, the catalog as it is now, and a plan.

The answer is the reasons why not, with the keys of the rows concerned. Rows must fit what is in force today, not only what was when
the plan was made: somebody may have added a key, a unique index or a CHECK since.
"""

from collections.abc import Iterable, Iterator

import asyncpg

from holdfastd.catalog.model import Catalog, Table
from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.names import TableName
from holdfastd.plan.edges import KeyName
from holdfastd.plan.model import Decision, Plan, Step, StepKind
from holdfastd.plan.obstacles import TableRules, UniqueRule, rule_checks
from holdfastd.sql import load_queries

_QUERIES = load_queries("holdfastd.execute", "obstacles.sql")
_SHOWN = 20


async def obstacles(connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan) -> tuple[str, ...]:
    """Return why a rollback could not be exact; empty when it can."""
    if not await ledger.exists(connection):
        return ("schema holdfast is gone, and the backup with it",)
    # Without statistics the planner takes a backup for a handful of rows, and compares each with each.
    await connection.execute("ANALYZE holdfast.ledger, holdfast.backup")
    begun = await ledger.begun_steps(connection, plan_id)
    found = [*_missing_parts(catalog, plan, begun), *await _damage(connection, plan_id)]
    if found:
        return tuple(found)
    saved_steps = {batch.step for batch in await ledger.batches_to_restore(connection, plan_id)}
    for step in plan.steps:
        if step.recipe is not None and step.number in saved_steps:
            found += await _ask(connection, plan_id, step.recipe.restore_checks)
    if not found:
        found = await _broken_rules(connection, catalog, plan_id, plan)
    return tuple(found)


def refuse(found: tuple[str, ...]) -> Refused:
    """Return the refusal that names the obstacles."""
    details = "; ".join(found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = f"The rollback could not be exact, so nothing was touched: {details}{more}."
    return Refused(message, reason=Reason.ROLLBACK_NOT_EXACT, facts={"details": details + more})


def _missing_parts(catalog: Catalog, plan: Plan, begun: frozenset[int]) -> Iterator[str]:
    """Yield what was renamed or dropped, of all that undoing and verifying would name."""
    undoable = {step.relationship_id for step in plan.steps if step.number in begun and step.undo}
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


async def _ask(connection: asyncpg.Connection, plan_id: str, checks: Iterable[str]) -> list[str]:
    """Ask until one question names an obstacle: later ones may stumble over it (a column of another type)."""
    for check in checks:
        try:
            rows = await connection.fetch(check, plan_id)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
            return ["the backup holds what is no row of its table: somebody changed it, or a type that the table uses"]
        if rows:
            return [row[0] for row in rows]
    return []


async def _broken_rules(connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan) -> list[str]:
    dropped = await _dropped(connection, plan)
    for row in await connection.fetch(_QUERIES["saved_tables"], plan_id):
        table = catalog.tables[TableName(row["table_schema"], row["table_name"])]
        rules = await _read_rules(connection, table)
        found = await _ask(connection, plan_id, rule_checks(catalog, rules, dropped=dropped))
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


async def _read_rules(connection: asyncpg.Connection, table: Table) -> TableRules:
    checks = await connection.fetch(_QUERIES["list_checks"], table.oid)
    required = await connection.fetch(_QUERIES["list_required"], table.oid)
    uniques = await connection.fetch(_QUERIES["list_uniques"], table.oid)
    return TableRules(
        table=table.name,
        checks=tuple((row["name"], row["expression"]) for row in checks),
        required=tuple(row["name"] for row in required),
        uniques=tuple(
            UniqueRule(
                name=row["name"],
                expressions=tuple(row["expressions"]),
                operators=tuple(row["operators"]),
                predicate=row["predicate"],
                nulls_not_distinct=row["nulls_not_distinct"],
                is_exclusion=row["is_exclusion"],
            )
            for row in uniques
        ),
    )
