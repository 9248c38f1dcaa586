"""Checking whether a plan could be applied now: the very checks that ApplyPlan makes, and nothing is changed."""

from collections.abc import Sequence

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import HoldfastError
from holdfastd.flows.context import Services
from holdfastd.flows.targets import reading
from holdfastd.store import databases, plans
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.connection import failed_connection
from holdfastd.target.preflight.plan import check_state
from holdfastd.target.preflight.run import check_plan


async def check(services: Services, plan_id: str) -> Sequence[Check]:
    """Return all checks of a plan; a database out of reach is a failed check, not an error."""
    async with services.store.connection() as connection:
        plan = await plans.get(connection, plan_id)
        record = await databases.get(connection, plan.database)
    state = check_state(plan.id, plan.state)
    try:
        async with reading(services, record, "preflight") as connection:
            return state, *await check_plan(connection, await read_catalog(connection, with_partitions=True), plan.plan, record.identity)
    except HoldfastError as error:
        return state, failed_connection(error)
