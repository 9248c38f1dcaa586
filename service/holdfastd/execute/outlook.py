"""What would come back if rows were restored now? Asked in a transaction that is rolled back.

In come a session, the catalog and a plan; out go numbers, and the obstacles that a rollback would meet, too. The batches asked
about are put under a name of their own there, so that every question about a plan is about them alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.obstacles import damages, misfits, refuse, what_failed
from holdfastd.names import TableName
from holdfastd.plan.model import Decision, Plan, Step
from holdfastd.plan.rejected import Coming, hold_changed, hold_unmatched, lock_changed, references
from holdfastd.sql import load_queries
from holdfastd.target.errors import is_about_rows

_QUERIES = load_queries("holdfastd.execute", "restore.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What restoring some cleanups of a plan would meet."""

    #: Rows of theirs in the backup.
    rows: int = 0
    #: Rows that an enforced key would reject, those included that only came along with such a row.
    rejected: int = 0
    #: Rows whose referenced row is there again, and whose values nobody has changed since.
    relinkable: int = 0
    #: Why it would not be exact otherwise.
    obstacles: tuple[str, ...] = ()


async def look(
    connection: asyncpg.Connection, catalog: Catalog, plan_id: str, plan: Plan, steps: Sequence[Step], *, relink: bool
) -> Outlook:
    """Return the outlook for restoring some cleanups of a plan; nothing of it stays."""
    # Without statistics the planner takes a backup for a handful of rows, and compares each with each.
    await connection.execute("ANALYZE holdfast.ledger, holdfast.backup")
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET TRANSACTION READ WRITE")
        scope = f"{plan_id}/restore"
        await connection.execute(ledger.QUERIES["move_steps"], plan_id, scope, [step.number for step in steps])
        await connection.execute("ANALYZE holdfast.ledger")
        rows = await _remaining(connection, scope)
        if not rows:
            return Outlook()
        found = await damages(connection, catalog, scope, plan, plan.steps) or await _missing_tables(connection, catalog, scope)
        if found:
            return Outlook(rows=rows, obstacles=found)
        return await _judge(connection, catalog, scope, plan, relink=relink)
    finally:
        await transaction.rollback()


def refuse_outlook(outlook: Outlook, *, relink: bool) -> None:
    """Refuse what an enforced key would reject, or what would not be exact."""
    if outlook.obstacles:
        raise refuse(outlook.obstacles, "restore")
    if outlook.rejected and not relink:
        offer = f", or restore with `--relink` the {outlook.relinkable} rows whose referenced row is there again" * bool(outlook.relinkable)
        message = (
            f"An enforced key rejects {outlook.rejected} of {outlook.rows} rows, so nothing was touched."
            f" Roll back instead, which drops the plan's keys first{offer}."
        )
        facts = {"rejected": str(outlook.rejected), "relinkable": str(outlook.relinkable)}
        raise Refused(message, reason=Reason.RESTORE_REJECTED, facts=facts)


async def choose(connection: asyncpg.Connection, catalog: Catalog, plan: Plan, batch: int) -> None:
    """Hold back the rows of a batch that cannot be linked again; those that get values back are locked first."""
    await _hold_unlinkable(connection, await _locked(connection, catalog, plan, batch), plan, batch)


async def leave_changed(connection: asyncpg.Connection, catalog: Catalog, plan: Plan, batch: int) -> None:
    """Hold back values that somebody has changed since we looked whether anybody had: they are the application's."""
    for table in await _locked(connection, catalog, plan, batch):
        for statement in hold_changed(table, also_gone=False):
            await connection.execute(statement, batch)


async def _locked(connection: asyncpg.Connection, catalog: Catalog, plan: Plan, batch: int) -> list[Coming]:
    """Lock the rows that are to get values back, so that what the next statements see stays so."""
    coming = _coming(catalog, plan, await connection.fetch(_QUERIES["tables_of_batch"], batch), by_plan=False)
    for table in coming:
        for query in lock_changed(table):
            await connection.fetchval(query, batch)
    return coming


async def _judge(connection: asyncpg.Connection, catalog: Catalog, scope: str, plan: Plan, *, relink: bool) -> Outlook:
    """Hold back what cannot come back, and count what is left."""
    coming = _coming(catalog, plan, await connection.fetch(_QUERIES["tables_of_plan"], scope), by_plan=True)
    rows = await _remaining(connection, scope)
    try:
        async with connection.transaction():
            if not relink:
                await _hold_unmatched(connection, coming, plan, scope, planned=False)
            rejected = rows - await _remaining(connection, scope)
            if relink or rejected:
                await _hold_unlinkable(connection, coming, plan, scope)
    except asyncpg.PostgresError as error:
        if not is_about_rows(error):
            raise
        found = await misfits(connection, catalog, scope, plan, dropped=frozenset())
        return Outlook(rows=rows, obstacles=found or (what_failed(error),))
    left = await _remaining(connection, scope)
    if rejected:
        return Outlook(rows=rows, rejected=rejected, relinkable=left)
    found = await misfits(connection, catalog, scope, plan, dropped=frozenset()) if left else ()
    return Outlook(rows=rows, rejected=rows - left, relinkable=left, obstacles=found)


async def _hold_unlinkable(connection: asyncpg.Connection, coming: Sequence[Coming], plan: Plan, owner: str | int) -> None:
    for table in coming:
        for statement in hold_changed(table, also_gone=True):
            await connection.execute(statement, owner)
    await _hold_unmatched(connection, coming, plan, owner, planned=True)


async def _hold_unmatched(connection: asyncpg.Connection, coming: Sequence[Coming], plan: Plan, owner: str | int, *, planned: bool) -> None:
    """Hold back rows until what is left finds what it references."""
    decisions = [decision for decision in plan.decisions if decision.included]
    statements = [
        statement
        for table in coming
        for reference in references(table.catalog, table.table.name, decisions, planned=planned)
        for statement in hold_unmatched(table, reference)
    ]
    added = True
    while added:
        added = False
        for statement in statements:
            added |= await connection.execute(statement, owner) != "UPDATE 0"


def _coming(catalog: Catalog, plan: Plan, rows: Sequence[asyncpg.Record], *, by_plan: bool) -> list[Coming]:
    decisions = _decisions(plan)
    return [
        Coming(
            catalog=catalog,
            table=catalog.tables[TableName(row["table_schema"], row["table_name"])],
            changed_columns=tuple(row["changed_columns"]),
            decisions=decisions,
            by_plan=by_plan,
        )
        for row in rows
    ]


def _decisions(plan: Plan) -> Mapping[int, Decision]:
    by_relationship = {decision.relationship_id: decision for decision in plan.decisions}
    return {step.number: by_relationship[step.relationship_id] for step in plan.steps if step.recipe is not None}


async def _missing_tables(connection: asyncpg.Connection, catalog: Catalog, scope: str) -> tuple[str, ...]:
    rows = await connection.fetch(_QUERIES["tables_of_plan"], scope)
    names = [TableName(row["table_schema"], row["table_name"]) for row in rows]
    return tuple(f"{name} was dropped or renamed" for name in names if name not in catalog.tables)


async def _remaining(connection: asyncpg.Connection, scope: str) -> int:
    count: int = await connection.fetchval(ledger.QUERIES["rows_to_restore"], scope)
    return count
