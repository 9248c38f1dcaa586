"""Plans and where they stand."""

import pytest

from holdfastd.errors import NotFound, Reason
from holdfastd.plan.model import PlanState
from holdfastd.store import plans
from holdfastd.store.model import PlanRecord
from holdfastd.store.pool import Store
from support.stored import a_plan, add_audit, add_database


async def _inserted(store: Store, *titles: str) -> list[PlanRecord]:
    job = await add_audit(store, await add_database(store))
    async with store.transaction() as connection:
        return [
            await plans.insert(connection, database_id=job.database_id, audit_id=job.audit_id, author="ann", plan=a_plan(title))
            for title in titles
        ]


async def test_plan_comes_back_as_it_was(store: Store) -> None:
    (inserted,) = await _inserted(store, "Index ümlaut \\ ' \" \n")
    async with store.connection() as connection:
        record = await plans.get(connection, inserted.id)

    assert record == inserted
    assert (record.plan, record.state, record.author, record.reviewer) == (
        a_plan("Index ümlaut \\ ' \" \n"),
        PlanState.PROPOSED,
        "ann",
        "",
    )


async def test_state_keeps_the_reviewer(store: Store) -> None:
    """Applying an approved plan does not forget who approved it."""
    (inserted,) = await _inserted(store, "one")
    async with store.transaction() as connection:
        await plans.set_state(connection, inserted.id, PlanState.APPROVED, reviewer="bob")
        record = await plans.set_state(connection, inserted.id, PlanState.APPLIED)

    assert (record.state, record.reviewer) == (PlanState.APPLIED, "bob")


async def test_pages_are_newest_first(store: Store) -> None:
    made = await _inserted(store, "one", "two", "three")
    async with store.connection() as connection:
        first = await plans.list_page(connection, database="shop", limit=2)
        second = await plans.list_page(connection, after=first[-1].id, limit=2)

    assert [*first, *second] == made[::-1]


async def test_unknown_plan_is_not_found(store: Store) -> None:
    async with store.connection() as connection:
        for attempt in (plans.get(connection, "x\0"), plans.set_state(connection, "plan-none", PlanState.REJECTED)):
            with pytest.raises(NotFound) as missing:
                await attempt
            assert missing.value.reason is Reason.PLAN_NOT_FOUND
