"""Decisions to live with findings."""

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfastd.errors import NotFound, Reason
from holdfastd.findings.model import Ignored
from holdfastd.store import databases, ignored
from holdfastd.store.pool import Store
from support.stored import MOMENT, add_database

DECISION = Ignored(finding_id="no_primary_key:public.staging", reason="It's \0 staging.", principal="ada", create_time=MOMENT)


async def test_decisions_come_back_as_they_were_made(store: Store) -> None:
    """But for NUL, which PostgreSQL cannot store; another database's are none of ours."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    later = replace(DECISION, finding_id="another", reason="For now.", expire_time=MOMENT + timedelta(days=1))
    async with store.transaction() as connection:
        for decision in (DECISION, later):
            await ignored.put(connection, shop.id, decision)
        found = await ignored.read(connection, shop.id, [DECISION.finding_id, "another", "unknown"])

        assert found == {"another": later, DECISION.finding_id: replace(DECISION, reason="It's \ufffd staging.")}
        assert await ignored.read(connection, other.id, ["another"]) == {}


@pytest.mark.parametrize("finding_id", ["x" * 12_000, "".join(chr(0x4E00 + number) for number in range(4_000))], ids=["long", "wide"])
async def test_ids_may_be_longer_than_an_index_entry(store: Store, finding_id: str) -> None:
    """A key of 32 columns with long names has such a one; putting it twice keeps the last."""
    shop = await add_database(store)
    decision = replace(DECISION, finding_id=finding_id, reason="Last.")
    async with store.transaction() as connection:
        await ignored.put(connection, shop.id, replace(decision, reason="First."))
        await ignored.put(connection, shop.id, decision)
        assert await ignored.read(connection, shop.id, [finding_id]) == {finding_id: decision}

        await ignored.remove(connection, shop.id, finding_id)
        assert await ignored.read(connection, shop.id, [finding_id]) == {}


async def test_a_decision_about_a_removed_database_is_refused(store: Store) -> None:
    """It was there when the caller asked, and went before the decision was written."""
    shop = await add_database(store)
    async with store.transaction() as connection:
        await databases.remove(connection, "shop")

    with pytest.raises(NotFound) as refused:
        async with store.transaction() as connection:
            await ignored.put(connection, shop.id, DECISION)
    assert refused.value.reason is Reason.DATABASE_NOT_FOUND


async def test_decisions_go_with_their_database(store: Store) -> None:
    shop = await add_database(store)
    async with store.transaction() as connection:
        await ignored.put(connection, shop.id, DECISION)
        await databases.remove(connection, "shop")

        assert await connection.fetchval("SELECT count(*) FROM ignored_findings") == 0
