"""Looking values up in keys: counts that equal brute force, and whatever may not be read left out, in bounded time."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Unavailable
from holdfastd.evidence.model import Overlap
from holdfastd.evidence.overlap.observe import observe
from holdfastd.inference.model import Hypothesis, Target
from holdfastd.names import ColumnSet, TableName, relationship_id
from holdfastd.target.session import connect

TABLES = """
CREATE TABLE public.r (id integer PRIMARY KEY, code char(6) UNIQUE NOT NULL, uid uuid UNIQUE NOT NULL, tenant integer NOT NULL, UNIQUE (tenant, id));
INSERT INTO public.r SELECT n * 2, 'c' || n, md5(n::text)::uuid, n % 3 FROM generate_series(1, 500) AS n;
CREATE TABLE public.t (r_id bigint, code text, uid uuid, tenant integer, none integer, number integer);
INSERT INTO public.t
SELECT n, CASE WHEN n % 4 = 0 THEN 'x' ELSE 'c' END || n, md5((n * 5)::text)::uuid, (n / 2) % 3, NULL, (n % 3) * 2
FROM generate_series(1, 400) AS n;
CREATE INDEX ON public.t (number);
CREATE TABLE public.empty (id integer PRIMARY KEY, r_id integer);
ANALYZE;
"""
#: Referencing columns, referenced columns: distinct values, and how many of them are found.
TRUTH = {
    (("r_id",), ("id",)): (400, 200),
    (("code",), ("code",)): (400, 300),
    (("uid",), ("uid",)): (400, 100),
    (("number",), ("id",)): (3, 2),
    (("none",), ("id",)): (0, 0),
    (("tenant", "r_id"), ("tenant", "id")): (400, 200),
}


def named(name: str, *columns: str) -> ColumnSet:
    return ColumnSet(TableName("public", name), columns)


def think(referencing: ColumnSet, *referenced: ColumnSet) -> Hypothesis:
    targets = tuple(Target(referenced=each, probability=0.9 / len(referenced)) for each in referenced)
    return Hypothesis(referencing=referencing, reference_probability=0.5, targets=targets)


async def look(connection: asyncpg.Connection, *hypotheses: Hypothesis, **options) -> Mapping[str, Overlap]:
    return await observe(connection, await read_catalog(connection), hypotheses, **{"budget_seconds": 30, **options})


@pytest.fixture
async def owner(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(any_database)
    await connection.execute(TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def session(owner: asyncpg.Connection, any_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(any_database, application_name="test", read_only=True)
    yield connection
    await connection.close()


async def test_counts_are_those_of_brute_force(session):
    """Every type, cross-type operators, nulls, composite keys, and values reached through an index."""
    pairs = [(named("t", *own), named("r", *key)) for own, key in TRUTH]
    overlaps = await look(session, *(think(*pair) for pair in pairs))

    seen = [overlaps[relationship_id(*pair)] for pair in pairs]
    assert [(each.sampled, each.found) for each in seen] == list(TRUTH.values())
    assert all(each.is_whole for each in seen)
    by_id, by_code, by_uid, by_few, _, _ = seen
    assert (by_id.density, by_id.inside) == (pytest.approx(0.5, abs=0.01), pytest.approx(399 / 400))
    # Every second number is in the key, and next to each that is, none.
    assert by_id.chance == pytest.approx(200 / 400, abs=0.01)
    assert by_uid.chance < by_code.chance < 0.1
    assert by_few.found_rows == pytest.approx(2 / 3, abs=0.01)


async def test_greatest_and_smallest_numbers_are_looked_up_too(owner, session):
    """Whoever marks "none" by the greatest bigint does not keep the other values from being seen."""
    await owner.execute(
        """
        CREATE TABLE public.wide (id bigint PRIMARY KEY);
        INSERT INTO public.wide SELECT generate_series(1, 50) UNION ALL VALUES (-9223372036854775808), (9223372036854775807);
        CREATE TABLE public.far (wide_id bigint, r_id bigint);
        INSERT INTO public.far SELECT id, id FROM public.wide; ANALYZE;
        """
    )
    overlaps = await look(session, think(named("far", "wide_id"), named("wide", "id")), think(named("far", "r_id"), named("r", "id")))

    assert {name: (each.sampled, each.found) for name, each in overlaps.items()} == {
        "public.far(wide_id)->public.wide(id)": (52, 52),
        "public.far(r_id)->public.r(id)": (52, 25),
    }


async def test_a_type_called_like_a_built_in_one_is_another(owner, session):
    """Its values are no numbers, whatever its name."""
    await owner.execute(
        """
        CREATE TYPE public.int4 AS ENUM ('1', 'two', 'three');
        CREATE TABLE public.key (id public.int4 PRIMARY KEY); INSERT INTO public.key VALUES ('1'), ('two');
        CREATE TABLE public.own (key_id public.int4); INSERT INTO public.own VALUES ('1'), ('two'), ('three'); ANALYZE;
        """
    )
    (overlap,) = (await look(session, think(named("own", "key_id"), named("key", "id")))).values()

    assert (overlap.sampled, overlap.found) == (3, 2)


async def test_a_nondeterministic_collation_is_looked_up_too(owner, session):
    """Regular expressions know none."""
    try:
        await owner.execute("CREATE COLLATION public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except asyncpg.FeatureNotSupportedError:
        pytest.skip("this PostgreSQL was built without ICU")
    await owner.execute(
        """
        CREATE TABLE public.key (name text COLLATE public.blind UNIQUE); INSERT INTO public.key VALUES ('one'), ('TWO');
        CREATE TABLE public.own (name text COLLATE public.blind); INSERT INTO public.own VALUES ('One'), ('two'), ('three'); ANALYZE;
        """
    )
    (overlap,) = (await look(session, think(named("own", "name"), named("key", "name")))).values()

    assert (overlap.sampled, overlap.found) == (3, 2)


async def test_empty_tables_are_told_from_missing_values(session):
    """No value to look up is one thing, no row to find it in another."""
    overlaps = await look(session, think(named("empty", "r_id"), named("r", "id")), think(named("t", "number"), named("empty", "id")))

    nothing, nowhere = (overlaps[key] for key in ("public.empty(r_id)->public.r(id)", "public.t(number)->public.empty(id)"))
    assert (nothing.sampled, nothing.referenced_rows) == (0, 500)
    assert (nowhere.sampled, nowhere.found, nowhere.referenced_rows) == (3, 0, 0)


async def test_one_stray_id_makes_small_numbers_no_more_telling(owner, session):
    """A key of 1 to 1,000 and two thousand million: its range is nearly empty, but not where the values lie."""
    await owner.execute(
        "CREATE TABLE public.stray (id integer PRIMARY KEY); INSERT INTO public.stray SELECT n FROM generate_series(1, 1000) AS n;"
        "INSERT INTO public.stray VALUES (2000000000), (2147483647); ANALYZE public.stray"
    )
    overlap = (await look(session, think(named("t", "r_id"), named("stray", "id"))))["public.t(r_id)->public.stray(id)"]
    assert overlap.density < 0.001
    assert overlap.chance > 0.99


async def test_a_large_table_is_sampled_by_pages(owner, session):
    """Of many rows some pages are read, the same ones each time."""
    await owner.execute("CREATE TABLE public.large (r_id integer); INSERT INTO public.large SELECT n FROM generate_series(1, 200000) AS n")
    await owner.execute("ANALYZE public.large")
    before = await owner.fetchval("SELECT pg_stat_get_tuples_returned('public.large'::regclass)")
    first, second = [await look(session, think(named("large", "r_id"), named("r", "id"))) for _ in range(2)]

    overlap = first["public.large(r_id)->public.r(id)"]
    assert first == second
    assert overlap.sampled == 1_000
    assert not overlap.is_whole
    await session.execute("SELECT 1")
    await asyncio.sleep(1.1)
    assert await owner.fetchval("SELECT pg_stat_get_tuples_returned('public.large'::regclass)") - before < 100_000


async def test_what_may_not_be_read_is_left_out(owner, any_database):
    """A missing privilege, and rows hidden by row security: told, and no harm to the others."""
    await owner.execute(
        "CREATE TABLE public.secret (r_id integer); CREATE TABLE public.hidden (r_id integer);"
        "ALTER TABLE public.hidden ENABLE ROW LEVEL SECURITY;"
        "DROP ROLE IF EXISTS overlap_reader; CREATE ROLE overlap_reader LOGIN;"
        "GRANT SELECT ON public.r, public.t, public.hidden TO overlap_reader"
    )
    reader = await connect(any_database.replace("postgres@", "overlap_reader@"), application_name="test", read_only=True)
    try:
        overlaps = await look(reader, *(think(named(name, "r_id"), named("r", "id")) for name in ("secret", "hidden", "t")))
    finally:
        await reader.close()
        await owner.execute("DROP OWNED BY overlap_reader; DROP ROLE overlap_reader")

    unseen = {key.partition("(")[0]: each.unseen for key, each in overlaps.items()}
    assert unseen["public.secret"] == "the role may not read all rows of public.secret"
    assert unseen["public.hidden"] == "the role may not read all rows of public.hidden"
    assert unseen["public.t"] == ""
    assert overlaps["public.t(r_id)->public.r(id)"].found == 200


async def test_a_locked_table_spoils_nothing_else(owner, session):
    """Somebody rewrites a table: its probe abstains, soon; so do those of a table dropped in between."""
    await owner.execute("CREATE TABLE public.busy (r_id integer); CREATE TABLE public.gone (r_id integer)")
    hypotheses = [think(named(name, "r_id"), named("r", "id")) for name in ("busy", "t", "gone")]
    catalog = await read_catalog(session)
    async with owner.transaction():
        await owner.execute("LOCK TABLE public.busy IN ACCESS EXCLUSIVE MODE; DROP TABLE public.gone")
        start = time.monotonic()
        locked = await observe(session, catalog, hypotheses, budget_seconds=30)
        seconds = time.monotonic() - start
    dropped = await observe(session, catalog, hypotheses, budget_seconds=30)

    assert set(locked) == {"public.t(r_id)->public.r(id)"}
    assert set(dropped) == {"public.t(r_id)->public.r(id)", "public.busy(r_id)->public.r(id)", "public.gone(r_id)->public.r(id)"}
    assert dropped["public.gone(r_id)->public.r(id)"].unseen
    assert seconds < 5


async def test_types_that_do_not_compare_are_not_compared(session):
    """A uuid written as text has no operator: told, not tried."""
    overlaps = await look(session, think(named("t", "code"), named("r", "uid")))
    assert overlaps["public.t(code)->public.r(uid)"].unseen == "the types cannot be compared as a foreign key would"


async def test_the_budget_and_the_caller_end_it(owner, session):
    """No time, no look; progress is told; a caller that raises stops the look; a lost connection is an error of ours."""
    told = []

    async def on_progress(done: int, total: int) -> None:
        told.append((done, total))
        raise asyncio.CancelledError

    hypothesis = think(named("t", "r_id"), named("r", "id"))
    assert await look(session, hypothesis, budget_seconds=0) == {}
    with pytest.raises(asyncio.CancelledError):
        await look(session, hypothesis, on_progress=on_progress)
    assert told == [(1, 1)]
    catalog = await read_catalog(session)
    await owner.execute("SELECT pg_terminate_backend($1)", session.get_server_pid())
    with pytest.raises(Unavailable):
        await observe(session, catalog, [hypothesis], budget_seconds=30)


async def test_no_value_leaves_but_extremes_of_whole_numbers(session):
    """What comes back are numbers about values, never the values."""
    overlaps = await look(session, think(named("t", "code"), named("r", "code")))
    assert "c1" not in repr(overlaps)
