"""Plans: the document never changes, only where it stands."""

from collections.abc import Collection
from typing import Any

import asyncpg

from holdfastd.errors import NotFound, Reason
from holdfastd.plan.model import Plan, PlanState
from holdfastd.store.documents import decode, encode, searchable
from holdfastd.store.model import PlanRecord

_SELECT = "SELECT plans.*, databases.name AS database FROM plans JOIN databases ON databases.id = plans.database_id"


async def insert(connection: Any, *, database_id: str, audit_id: str, author: str, plan: Plan) -> PlanRecord:
    """Save a new plan, PROPOSED."""
    statement = """
        INSERT INTO plans (database_id, audit_id, state, author, document)
        VALUES ($1, $2, 'PROPOSED', $3, $4)
        RETURNING id
    """
    try:
        async with connection.transaction():
            plan_id = await connection.fetchval(statement, database_id, audit_id, author, encode(plan))
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name == "plans_audit_id_fkey":
            message = f"The audit {audit_id} was deleted just now, as it is older than audits are kept; audit again."
            raise NotFound(message, reason=Reason.AUDIT_NOT_FOUND, facts={"audit": audit_id}) from None
        raise NotFound("The database was removed just now.", reason=Reason.DATABASE_NOT_FOUND) from None
    return await get(connection, plan_id)


async def get(connection: Any, plan_id: str, *, lock: bool = False) -> PlanRecord:
    """Return a plan, locked until the transaction ends when asked; NotFound when there is none."""
    suffix = "FOR UPDATE OF plans" if lock else ""
    row = await connection.fetchrow(f"{_SELECT} WHERE plans.id = $1 {suffix}", searchable(plan_id))
    if row is None:
        raise _not_found(plan_id)
    return _record(row)


async def latest_of_audit(connection: Any, audit_id: str) -> PlanRecord | None:
    """Return the newest plan made from an audit that nobody rejected; None when there is none."""
    where = "WHERE plans.audit_id = $1 AND plans.state <> 'REJECTED' ORDER BY plans.id DESC LIMIT 1"
    row = await connection.fetchrow(f"{_SELECT} {where}", audit_id)
    return None if row is None else _record(row)


async def list_page(
    connection: Any, *, database: str = "", after: str = "", limit: int, visible: Collection[str] | None = None
) -> tuple[PlanRecord, ...]:
    """Return plans, newest first: of one database or all, of the visible ones or all, older than the plan with the id `after`."""
    where = """
        WHERE ($1 = '' OR databases.name = $1) AND ($2 = '' OR plans.id < $2) AND ($4::text[] IS NULL OR databases.name = ANY ($4))
        ORDER BY plans.id DESC LIMIT $3
    """
    rows = await connection.fetch(f"{_SELECT} {where}", searchable(database), searchable(after), limit, visible)
    return tuple(_record(row) for row in rows)


async def set_state(connection: Any, plan_id: str, state: PlanState, *, reviewer: str | None = None) -> PlanRecord:
    """Note where a plan stands, and who reviewed it."""
    statement = "UPDATE plans SET state = $2, reviewer = coalesce($3, reviewer) WHERE id = $1 RETURNING id"
    if await connection.fetchval(statement, searchable(plan_id), state, reviewer) is None:
        raise _not_found(plan_id)
    return await get(connection, plan_id)


def _record(row: Any) -> PlanRecord:
    same = ("id", "database", "database_id", "audit_id", "author", "reviewer", "create_time")
    return PlanRecord(state=PlanState(row["state"]), plan=decode(row["document"], Plan), **{name: row[name] for name in same})


def _not_found(plan_id: str) -> NotFound:
    message = f"There is no plan {plan_id!r}; list the plans, or create one."
    return NotFound(message, reason=Reason.PLAN_NOT_FOUND, facts={"plan": plan_id})
