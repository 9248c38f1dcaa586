"""The history of orphan rows: written with the audit, read in pages, pruned in batches."""

from dataclasses import replace
from datetime import datetime, timedelta

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Relationship, Tier
from holdfastd.store import databases, orphan_counts
from holdfastd.store.pool import Store
from support.stored import MOMENT, a_relationship, add_database

DAY = timedelta(days=1)
COLUMNS = ("a_id", "b_id", "c_id")


def uncounted(column: str) -> Relationship:
    count = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=MOMENT, reason="it took too long")
    return replace(a_relationship(column), orphan_rows=count)


async def keep(store: Store, database_id: str, number: int, *relationships: Relationship, time: datetime | None = None) -> str:
    audit_id = f"audit-{number}"
    async with store.transaction() as connection:
        await orphan_counts.record(connection, database_id, audit_id, relationships, time or MOMENT + DAY * number)
    return audit_id


async def counted(store: Store, database_id: str, **filters: object) -> list[tuple[str, str, int]]:
    """Every count as audit, first referencing column, value; read in pages of two."""
    found, after = [], None
    while True:
        async with store.connection() as connection:
            page = await orphan_counts.list_page(connection, database_id, after=after, limit=2, **filters)  # type: ignore[arg-type]
        found += [(item.audit_id, item.relationship_id.partition("(")[2][:4], item.orphan_rows.value) for item in page]
        if len(page) < 2:
            return found
        after = (page[-1].time, page[-1].audit_number, page[-1].relationship_number)


async def test_pages_are_newest_first_then_by_relationship(store: Store) -> None:
    """Pages end inside an audit and miss nothing; other databases are not told."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    for number in range(3):
        await keep(store, shop.id, number, *(a_relationship(column, orphans=number) for column in reversed(COLUMNS)))
    await keep(store, other.id, 9, a_relationship("x_id"))

    assert await counted(store, shop.id) == [(f"audit-{number}", column, number) for number in (2, 1, 0) for column in COLUMNS]


async def test_one_relationship_and_a_time_narrow_it(store: Store) -> None:
    """Both together, and nothing for a relationship that nobody counted."""
    shop = await add_database(store)
    for number in range(4):
        await keep(store, shop.id, number, *(a_relationship(column, orphans=number) for column in COLUMNS))
    of_b = {"relationship_id": a_relationship("b_id").id}

    assert await counted(store, shop.id, **of_b) == [(f"audit-{number}", "b_id", number) for number in (3, 2, 1, 0)]
    assert await counted(store, shop.id, **of_b, since=MOMENT + DAY * 2) == [("audit-3", "b_id", 3), ("audit-2", "b_id", 2)]
    assert await counted(store, shop.id, relationship_id="nothing") == []


async def test_what_is_for_review_or_uncounted_is_left_out(store: Store) -> None:
    """A zero that nobody counted would look like good news; a relationship that is declared twice is counted once."""
    shop = await add_database(store)
    guessed = replace(a_relationship("b_id"), tier=Tier.REVIEW)
    await keep(store, shop.id, 1, a_relationship("a_id"), a_relationship("a_id"), guessed, uncounted("c_id"))

    assert await counted(store, shop.id) == [("audit-1", "a_id", 8)]


async def test_an_estimate_keeps_its_bounds(store: Store) -> None:
    """And says that it is one."""
    shop = await add_database(store)
    rows = RowCount(value=500, exactness=Exactness.ESTIMATED, as_of=MOMENT, low=400, high=650)
    await keep(store, shop.id, 1, replace(a_relationship(), orphan_rows=rows), time=MOMENT)
    async with store.connection() as connection:
        (count,) = await orphan_counts.list_page(connection, shop.id, limit=5)

    assert (count.orphan_rows, count.time, count.relationship_id) == (rows, MOMENT, a_relationship().id)


async def test_a_second_try_of_an_audit_replaces_the_first(store: Store) -> None:
    """One count per relationship and audit, whoever was interrupted."""
    shop = await add_database(store)
    await keep(store, shop.id, 1, a_relationship("a_id", orphans=1), a_relationship("b_id"))
    await keep(store, shop.id, 1, a_relationship("a_id", orphans=2))

    assert await counted(store, shop.id) == [("audit-1", "a_id", 2)]


async def test_old_counts_are_pruned_in_batches(store: Store) -> None:
    """At most as many as asked for at a time, and nothing that is young enough."""
    shop = await add_database(store)
    async with store.connection() as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
    for number, age in enumerate((400, 300, 10)):
        await keep(store, shop.id, number, *(a_relationship(column) for column in COLUMNS), time=now - DAY * age)

    async with store.connection() as connection:
        pruned = [await orphan_counts.prune(connection, DAY * 100, 4) for _ in range(3)]
        audits = await connection.fetchval("SELECT count(*) FROM counted_audits")

    assert (pruned, audits) == ([4, 2, 0], 1)
    assert await counted(store, shop.id) == [("audit-2", column, 8) for column in COLUMNS]


async def test_the_history_of_a_removed_database_is_pruned(store: Store) -> None:
    """In batches, however young; a database of the same name never sees it, and others keep theirs."""
    shop, other = await add_database(store), await add_database(store, "other", oid=6)
    async with store.connection() as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
    for record in (shop, other):
        await keep(store, record.id, record.identity.database_oid, *(a_relationship(column) for column in COLUMNS), time=now)
    async with store.transaction() as connection:
        await databases.remove(connection, "shop")
    again = await add_database(store)

    assert await counted(store, again.id) == []
    async with store.connection() as connection:
        assert [await orphan_counts.prune(connection, DAY * 100, 2) for _ in range(3)] == [2, 1, 0]
        left = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("counted_audits", "counted_relationships")]
    assert left == [1, 3]
    assert [column for _, column, _ in await counted(store, other.id)] == list(COLUMNS)
