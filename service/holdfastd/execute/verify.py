"""Counting again, with another query than the one that cleaned up, and looking at the keys themselves."""

import asyncpg

from holdfastd.execute import ledger
from holdfastd.jobs.model import Verification
from holdfastd.names import qualified
from holdfastd.plan.model import Decision, Plan, Step, StepKind

_KEY = """
SELECT convalidated
FROM pg_catalog.pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND conrelid = pg_catalog.to_regclass($1) AND conname = $2
"""


async def verify(connection: asyncpg.Connection, plan_id: str, plan: Plan, step: Step) -> tuple[Verification, ...]:
    """Return one verification per included relationship. `step` is the plan's VERIFY step: one count per relationship."""
    included = [decision for decision in plan.decisions if decision.included]
    saved = await backed_up(connection, plan_id, plan)
    return tuple(
        [
            await _verify_one(connection, decision, statement.sql, saved.get(decision.relationship_id, 0))
            for decision, statement in zip(included, step.statements, strict=True)
        ]
    )


async def backed_up(connection: asyncpg.Connection, plan_id: str, plan: Plan) -> dict[str, int]:
    """Return how many rows are in the backup per relationship, dependents included."""
    by_step = await ledger.backed_up_by_step(connection, plan_id) if await ledger.exists(connection) else {}
    steps = {step.number: step.relationship_id for step in plan.steps if step.kind is StepKind.CLEAN_UP}
    saved: dict[str, int] = {}
    for number, count in by_step.items():
        if number in steps:
            saved[steps[number]] = saved.get(steps[number], 0) + count
    return saved


async def _verify_one(connection: asyncpg.Connection, decision: Decision, count_sql: str, saved: int) -> Verification:
    validated = await connection.fetchval(_KEY, qualified(decision.referencing.table), decision.constraint_name)
    return Verification(
        relationship_id=decision.relationship_id,
        orphan_rows_before=decision.orphan_rows,
        orphan_rows_after=await connection.fetchval(count_sql),
        backed_up_rows=saved,
        constraint_name=decision.constraint_name,
        declared=validated is not None,
        validated=bool(validated),
    )
