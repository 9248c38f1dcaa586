"""When orphan rows were made, what goes along with them, and how a look ends that cannot be finished."""

import random
import tracemalloc
from datetime import UTC, datetime

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Unavailable
from holdfastd.evidence.details import along
from holdfastd.evidence.details.read import detail_orphans
from holdfastd.evidence.model import OrphanDetails
from holdfastd.evidence.orphans import count_orphans
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import relationship_id
from integration.evidence.looks import a_relationship, causes, key, look, reading

CASCADE, SET_NULL, RESTRICT, NO_ACTION = OnDelete.CASCADE, OnDelete.SET_NULL, OnDelete.RESTRICT, OnDelete.NO_ACTION


def taken(details: OrphanDetails) -> list[tuple[str, int]]:
    return [(each.table.name, each.rows) for each in details.taken]


async def test_first_and_last_time_among_orphan_rows_only(any_database: str) -> None:
    """Infinity, years before ours and after 9999 are no times; rows that are no orphans do not count; the answer is in UTC."""
    made = (
        "CREATE TABLE public.r (id int PRIMARY KEY); INSERT INTO public.r VALUES (1);"
        'CREATE TABLE public.t (r_id int, "createdAt" timestamptz DEFAULT now(), updated_at timestamptz);'
        "INSERT INTO public.t VALUES (1, '1999-01-01Z', NULL), (7, '2024-03-01 01:00+02', NULL), (8, '2024-05-01Z', NULL), (8, NULL, NULL),"
        " (9, 'infinity', NULL), (9, '-infinity', NULL), (9, '4000-01-01 BC', NULL), (9, '20000-01-01', NULL)"
    )

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert details.seen_column == "createdAt"
    assert details.first_seen == datetime(2024, 2, 29, 23, tzinfo=UTC)
    assert details.last_seen == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "far"), [("date", "5000000-01-01"), ("timestamp", "200000-01-01")])
async def test_times_without_a_zone_are_utc(database: str, kind: str, far: str) -> None:
    """A date far outside what a timestamp can hold ends no query."""
    made = (
        f"CREATE TABLE public.r (id int PRIMARY KEY); CREATE TABLE public.t (r_id int, created {kind});"
        f"INSERT INTO public.t VALUES (1, '2024-01-02'), (1, 'infinity'), (1, '{far}'), (1, '4713-01-01 BC')"
    )

    async with reading(database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert (details.first_seen, details.last_seen) == (datetime(2024, 1, 2, tzinfo=UTC),) * 2


async def test_no_time_no_column(database: str) -> None:
    """Nothing seen, nothing named."""
    made = "CREATE TABLE public.r (id int PRIMARY KEY); CREATE TABLE public.t (r_id int, created date); INSERT INTO public.t VALUES (1)"

    async with reading(database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert (details.seen_column, details.first_seen, details.last_seen) == ("", None, None)


CHAIN = (
    "CREATE TABLE public.r (id int PRIMARY KEY); INSERT INTO public.r VALUES (1);"
    "CREATE TABLE public.a (id int PRIMARY KEY, r_id int); INSERT INTO public.a SELECT g, g FROM generate_series(1, 5) g;"
    "CREATE TABLE public.b (id int PRIMARY KEY, a_id int); INSERT INTO public.b SELECT g, 1 + g / 10 FROM generate_series(1, 40) g;"
    "CREATE TABLE public.c (id int PRIMARY KEY, b_id int); INSERT INTO public.c SELECT g, g FROM generate_series(1, 40) g;"
)


async def test_what_goes_along_and_its_share(any_database: str) -> None:
    """Four orphan rows take 31 rows with CASCADE, and change as many with SET NULL behind them."""
    others = [("b(a_id)", "a(id)", CASCADE), ("c(b_id)", "b(id)", SET_NULL)]

    async with reading(any_database, sql=CHAIN) as connection:
        details = await look(connection, "a(r_id)", "r(id)", others=others)

    assert [(each.table.name, each.rows, each.share) for each in details.taken] == [("b", 31, 31 / 40), ("c", 31, 31 / 40), ("a", 4, 4 / 5)]
    assert (details.blocked, details.unknown) == ("", "")


@pytest.mark.parametrize("action", [RESTRICT, NO_ACTION])
async def test_what_forbids_it_is_said(database: str, action: OnDelete) -> None:
    """A key that restricts blocks the deletion."""
    async with reading(database, sql=CHAIN) as connection:
        details = await look(connection, "a(r_id)", "r(id)", others=[("b(a_id)", "a(id)", action)])

    assert details.blocked == f"31 rows of public.b reference them, ON DELETE {action}"


async def test_candidates_for_review_are_not_followed(database: str) -> None:
    """Only keys that are declared or planned take rows along; a candidate brings its own key and no other."""
    async with reading(database, sql=CHAIN) as connection:
        catalog = await read_catalog(connection)
        relationships = [
            await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)"), tier=Tier.REVIEW),
            await a_relationship(connection, catalog, key("b(a_id)"), key("a(id)"), on_delete=CASCADE, tier=Tier.REVIEW),
        ]
        found = await detail_orphans(connection, catalog, relationships, budget_seconds=60)

    assert {name: taken(details) for name, details in found.items()} == {relationships[0].id: [("a", 4)]}


async def test_self_references_and_cycles_end(any_database: str) -> None:
    """Rows in chains go along, rows in circles that no orphan row reaches do not."""
    made = (
        "CREATE TABLE public.e (id int PRIMARY KEY, manager_id int);"
        "INSERT INTO public.e VALUES (1, 2), (2, 3), (3, 1), (4, 4), (10, 99), (11, 10), (12, 11), (13, 12), (20, 98), (5, NULL)"
    )

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "e(manager_id)", "e(id)", on_delete=CASCADE, tier=Tier.REVIEW)
        assert taken(details) == [("e", 5)]
        details = await look(connection, "e(manager_id)", "e(id)", on_delete=SET_NULL)
        assert taken(details) == [("e", 3)]


async def test_cascades_are_those_that_postgres_does(any_database: str) -> None:
    """On random tables that reference each other in circles, rows taken equal rows that the server itself deletes."""
    chance = random.Random(7)
    names = "abcd"
    made = "".join(
        f"CREATE TABLE public.{name} (id int PRIMARY KEY, one int, two int);"
        f"INSERT INTO public.{name} VALUES {', '.join(f'({n}, {chance.randint(1, 70)}, {chance.randint(1, 70)})' for n in range(1, 60))};"
        for name in names
    )
    keys = [(f"{name}({column})", f"{chance.choice(names)}(id)") for name in names for column in ("one", "two")]

    async with reading(any_database, sql=made) as connection:
        measured = [
            taken(await look(connection, own, other, on_delete=CASCADE, others=[(*pair, CASCADE) for pair in keys if pair != (own, other)]))
            for own, other in keys
        ]
    add = "".join(
        f"ALTER TABLE public.{own.partition('(')[0]} ADD FOREIGN KEY ({own.partition('(')[2]} REFERENCES public.{other} ON DELETE CASCADE NOT VALID;"
        for own, other in keys
    )
    async with reading(any_database, sql=add):
        pass
    true = [await deleted_by_the_server(any_database, own, other, names) for own, other in keys]

    assert [sorted(rows) for rows in measured] == true
    assert max(sum(count for _, count in rows) for rows in true) > 20


async def deleted_by_the_server(dsn: str, own: str, other: str, names: str) -> list[tuple[str, int]]:
    table, column = own.removesuffix(")").split("(")
    connection = await asyncpg.connect(dsn)
    try:
        transaction = connection.transaction()
        await transaction.start()
        before = {name: await connection.fetchval(f"SELECT count(*) FROM public.{name}") for name in names}
        await connection.execute(
            f"DELETE FROM public.{table} AS own WHERE NOT EXISTS (SELECT FROM public.{other.removesuffix('(id)')} AS other WHERE other.id = own.{column})"
        )
        after = {name: await connection.fetchval(f"SELECT count(*) FROM public.{name}") for name in names}
        await transaction.rollback()
    finally:
        await connection.close()
    return sorted((name, before[name] - after[name]) for name in names if before[name] != after[name])


async def test_too_many_rows_are_not_followed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the answer is "unknown", not a number that is too small."""
    others = [("b(a_id)", "a(id)", CASCADE)]
    async with reading(database, sql=CHAIN) as connection:
        for most in (3, 20):
            monkeypatch.setattr(along, "MOST_ROWS", most)
            details = await look(connection, "a(r_id)", "r(id)", others=others)

            assert details.taken == ()
            assert f"more than {most} rows" in details.unknown
            assert details.distinct_values == 4

        # Nothing can go along where nothing references the rows: their number is all there is to know.
        assert taken(await look(connection, "a(r_id)", "r(id)")) == [("a", 4)]


async def test_a_spent_budget_is_said(database: str) -> None:
    """The most certain first, and of those the one with the most orphan rows; for the rest there is no time."""
    told: list[str] = []

    async def on_detailed(relationship_id: str, _details: OrphanDetails) -> None:
        told.append(relationship_id)

    made = CHAIN + "UPDATE public.b SET a_id = 100; UPDATE public.c SET b_id = -7 WHERE id < 4"
    async with reading(database, sql=made) as connection:
        catalog = await read_catalog(connection)
        pairs = [("a(r_id)", "r(id)", Tier.REVIEW), ("b(a_id)", "a(id)", Tier.PLAN), ("c(b_id)", "b(id)", Tier.PLAN)]
        relationships = [await a_relationship(connection, catalog, key(own), key(other), tier=tier) for own, other, tier in pairs]
        found = await detail_orphans(connection, catalog, relationships, budget_seconds=0, on_detailed=on_detailed)

    assert told == [relationships[number].id for number in (1, 2, 0)]
    assert {details.unknown for details in found.values()} == {"the 0 seconds for looking closer went to other relationships"}


async def test_a_look_that_takes_too_long_is_stopped_on_the_server(database: str) -> None:
    """A table behind a lock costs its share of the budget, and the connection stays usable."""
    async with reading(database, sql=CHAIN) as connection:
        catalog = await read_catalog(connection)
        relationship = await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)"))
        other = await asyncpg.connect(database)
        await other.execute("BEGIN; LOCK TABLE public.a")
        found = await detail_orphans(connection, catalog, [relationship], budget_seconds=0.4)
        await other.close()

        assert "stopped; it may take 0.2 seconds" in found[relationship.id].unknown
        assert await connection.fetchval("SELECT 1") == 1


async def test_what_goes_along_has_its_own_limit(database: str) -> None:
    """Causes are told also when following the keys takes too long."""
    async with reading(database, sql=CHAIN) as connection:
        catalog = await read_catalog(connection)
        own = await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)"))
        behind = await a_relationship(connection, catalog, key("b(a_id)"), key("a(id)"), on_delete=CASCADE)
        other = await asyncpg.connect(database)
        await other.execute("BEGIN; LOCK TABLE public.b")
        found = await detail_orphans(connection, catalog, [own, behind], budget_seconds=2)
        await other.close()

        assert causes(found[own.id])
        assert "what deleting takes along" in found[own.id].unknown
        assert await connection.fetchval("SELECT 1") == 1


async def test_rows_that_may_not_be_read_are_said(any_database: str) -> None:
    """Row security and missing privileges are reasons, not errors."""
    made = (
        CHAIN + "CREATE ROLE narrow; GRANT USAGE ON SCHEMA public TO narrow; GRANT SELECT ON ALL TABLES IN SCHEMA public TO narrow;"
        "ALTER TABLE public.a ENABLE ROW LEVEL SECURITY; REVOKE SELECT ON public.b FROM narrow"
    )
    try:
        async with reading(any_database, sql=made) as connection:
            catalog = await read_catalog(connection)
            relationships = [
                await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)")),
                await a_relationship(connection, catalog, key("c(b_id)"), key("a(id)")),
                await a_relationship(connection, catalog, key("b(a_id)"), key("r(id)")),
            ]
            await connection.execute("SET ROLE narrow")
            found = await detail_orphans(connection, catalog, relationships, budget_seconds=60)
    finally:
        async with reading(any_database, sql="DROP OWNED BY narrow; DROP ROLE narrow"):
            pass

    said = [found[relationship.id].unknown for relationship in relationships]
    assert "row security hides rows of public.a" in said[0]
    assert "row security hides rows of public.a" in said[1]
    assert "may not read public.b" in said[2]


async def test_a_lost_connection_is_an_error(database: str) -> None:
    """Nothing more can be asked over it, so the caller must know."""
    async with reading(database, sql=CHAIN) as connection:
        catalog = await read_catalog(connection)
        relationship = await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)"))
        connection.terminate()
        with pytest.raises(Unavailable):
            await detail_orphans(connection, catalog, [relationship], budget_seconds=60)


async def test_a_dropped_table_is_said(database: str) -> None:
    """Between count and look a table may go."""
    async with reading(database, sql=CHAIN) as connection:
        catalog = await read_catalog(connection)
        relationship = await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)"))
        async with reading(database, sql="DROP TABLE public.r"):
            pass
        found = await detail_orphans(connection, catalog, [relationship], budget_seconds=60)

    assert found[relationship.id].unknown == "why the rows are orphan rows: a table was dropped or renamed during the audit; audit again"


@pytest.mark.slow
async def test_memory_is_flat(database: str) -> None:
    """300 000 orphan rows and as many that go along cost a few megabytes, because a row is a bit."""
    made = (
        "CREATE TABLE public.r (id int PRIMARY KEY); CREATE TABLE public.a (id int PRIMARY KEY, r_id int);"
        "INSERT INTO public.a SELECT g, g FROM generate_series(1, 150000) g; CREATE TABLE public.b AS SELECT id AS a_id FROM public.a"
    )
    async with reading(database, sql=made) as connection:
        catalog = await read_catalog(connection)
        relationships: list[Relationship] = [
            await a_relationship(connection, catalog, key("a(r_id)"), key("r(id)")),
            await a_relationship(connection, catalog, key("b(a_id)"), key("a(id)"), on_delete=CASCADE),
        ]
        tracemalloc.start()
        try:
            found = await detail_orphans(connection, catalog, relationships, budget_seconds=60)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert taken(found[relationships[0].id]) == [("a", 150_000), ("b", 150_000)]
    assert peak < 20_000_000


async def test_a_large_table_is_estimated(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where counting is not cheap the server's estimate is taken, and without one the share is unknown; it never passes 1."""
    monkeypatch.setattr("holdfastd.evidence.details.sizes._CHEAP_BYTES", 0)
    made = "CREATE TABLE public.r (id int PRIMARY KEY); CREATE TABLE public.t (r_id int) WITH (autovacuum_enabled = off);"

    async with reading(database, sql=made + "INSERT INTO public.t SELECT generate_series(1, 10)") as connection:
        assert (await look(connection, "t(r_id)", "r(id)")).share is None
    async with reading(database, sql="ANALYZE public.t; INSERT INTO public.t SELECT generate_series(1, 10)") as connection:
        assert (await look(connection, "t(r_id)", "r(id)")).share == 1.0


async def test_orphan_rows_under_declared_keys(any_database: str) -> None:
    """A valid key may have orphan rows; deleting them follows the declared actions, and another key that stays has its say."""
    made = (
        "CREATE TABLE public.r (id serial PRIMARY KEY); CREATE TABLE public.s (id int PRIMARY KEY); INSERT INTO public.r SELECT FROM generate_series(1, 9);"
        "CREATE TABLE public.t (id int PRIMARY KEY, r_id int REFERENCES public.r ON DELETE CASCADE, s_id int);"
        "CREATE TABLE public.u (t_id int REFERENCES public.t ON DELETE CASCADE); INSERT INTO public.t SELECT g, g FROM generate_series(1, 5) g;"
        "INSERT INTO public.u SELECT 2 FROM generate_series(1, 7); ALTER TABLE public.r DISABLE TRIGGER ALL;"
        "DELETE FROM public.r WHERE id IN (2, 3); ALTER TABLE public.r ENABLE TRIGGER ALL"
    )
    async with reading(any_database, sql=made) as connection:
        (details,) = (await audit(connection)).values()
        assert (causes(details), taken(details), details.blocked) == ({"DELETED": (2, 2)}, [("u", 7), ("t", 2)], "")

    other = (
        "UPDATE public.t SET s_id = 4 WHERE id = 3; CREATE TABLE public.v (s_id int);"
        "ALTER TABLE public.t ADD CONSTRAINT stays FOREIGN KEY (s_id) REFERENCES public.s ON UPDATE CASCADE NOT VALID"
    )
    async with reading(any_database, sql=other) as connection:
        found = await audit(connection)
    details = next(details for name, details in found.items() if "(r_id)" in name)
    assert "1 of the rows are orphan rows of stays" in details.blocked


async def audit(connection: asyncpg.Connection) -> dict[str, OrphanDetails]:
    """Count the declared keys and look closer at them."""
    catalog = await read_catalog(connection)
    counts = {}
    for foreign_key in catalog.foreign_keys:
        own, other = foreign_key.referencing, foreign_key.referenced
        counts[relationship_id(own, other)] = await count_orphans(
            connection, catalog, own, other, foreign_key.operators, timeout_seconds=30
        )
    return await detail_orphans(connection, catalog, derive_relationships(catalog, (), counts), budget_seconds=60)
