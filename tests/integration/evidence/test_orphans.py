"""Counting orphan rows where counting is easy to get wrong; the server's own verdict is the judge."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import InvalidField, NotFound, Reason, Refused, Unavailable
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.evidence.orphans import count_orphans, sample_orphans
from holdfastd.evidence.statements import orphan_condition, recount_orphans_sql
from holdfastd.inference.model import Candidate, Relationship
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import ColumnSet, TableName, qualified
from holdfastd.target.session import connect
from support.postgres import Server, database_name


@pytest.fixture
async def session(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the superuser on the newest version."""
    connection = await connect(database, application_name="test", read_only=False)
    yield connection
    await connection.close()


@pytest.fixture
async def any_session(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the superuser on each version, for what versions may see differently."""
    connection = await connect(any_database, application_name="test", read_only=False)
    yield connection
    await connection.close()


@asynccontextmanager
async def a_role(server: Server, dsn: str, owner: asyncpg.Connection, grants: str) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """A role with a few privileges and its session; roles outlive databases, so it is dropped."""
    role = f"reader_{secrets.token_hex(4)}"
    await server.execute(f"CREATE ROLE {role} LOGIN")
    await owner.execute(grants.format(role))
    connection = await connect(server.dsn(database_name(dsn), role=role), application_name="test", read_only=True)
    try:
        yield role, connection
    finally:
        await connection.close()
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def key(table: str, *columns: str) -> ColumnSet:
    return ColumnSet(TableName("public", table), columns)


async def count(connection: asyncpg.Connection, referencing: ColumnSet, referenced: ColumnSet, *, timeout_seconds: float = 10) -> RowCount:
    """Count by the operators that a key would use."""
    catalog = await read_catalog(connection)
    operators = resolve_operators(catalog, referencing, referenced) or ()
    return await count_orphans(connection, catalog, referencing, referenced, operators, timeout_seconds=timeout_seconds)


async def assert_counted(connection: asyncpg.Connection, referencing: ColumnSet, referenced: ColumnSet, expected: int) -> None:
    """Both counts are the expected one, and once those very rows are gone, and not before, PostgreSQL accepts the key."""
    catalog = await read_catalog(connection)
    operators = resolve_operators(catalog, referencing, referenced)
    assert operators is not None
    counted = await count_orphans(connection, catalog, referencing, referenced, operators, timeout_seconds=10)
    assert (counted.value, counted.exactness) == (expected, Exactness.EXACT)
    assert await connection.fetchval(recount_orphans_sql(catalog, referencing, referenced, operators)) == expected
    table, target = qualified(referencing.table), qualified(referenced.table)
    add = f"ALTER TABLE {table} ADD FOREIGN KEY ({', '.join(referencing.columns)}) REFERENCES {target} ({', '.join(referenced.columns)})"
    transaction = connection.transaction()
    await transaction.start()
    try:
        if expected:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with connection.transaction():
                    await connection.execute(add)
        await connection.execute(
            f"DELETE FROM ONLY {table} AS o WHERE {orphan_condition(catalog, referencing, referenced, operators, alias='o')}"
        )
        await connection.execute(add)
    finally:
        await transaction.rollback()


async def test_nulls_are_no_orphans(session: asyncpg.Connection) -> None:
    """MATCH SIMPLE: a row with any null among its referencing columns references nothing and misses nothing."""
    await session.execute(
        "CREATE TABLE public.r (a integer, b integer, PRIMARY KEY (a, b)); INSERT INTO public.r VALUES (1, 1);"
        "CREATE TABLE public.t (x integer, y integer);"
        "INSERT INTO public.t VALUES (1, 1), (1, 2), (NULL, 2), (1, NULL), (NULL, NULL), (2, 2)"
    )

    await assert_counted(session, key("t", "x", "y"), key("r", "a", "b"), 2)


async def test_columns_of_a_key_may_stand_in_another_order(session: asyncpg.Connection) -> None:
    """Pairs are what counts, not positions."""
    await session.execute(
        "CREATE TABLE public.r (a integer, b text, PRIMARY KEY (a, b)); INSERT INTO public.r VALUES (1, 'one');"
        "CREATE TABLE public.t (name text, number bigint); INSERT INTO public.t VALUES ('one', 1), ('two', 1)"
    )

    await assert_counted(session, key("t", "name", "number"), key("r", "b", "a"), 1)


async def test_text_against_char_compares_as_the_key_does(any_session: asyncpg.Connection) -> None:
    """Trap 1: as bpchar 'B  ' equals 'B'; a plain anti-join reports two good rows and cleanup would delete them."""
    await any_session.execute(
        "CREATE TABLE public.r (code char(5) PRIMARY KEY); INSERT INTO public.r VALUES ('A'), ('B'), ('C');"
        "CREATE TABLE public.t (code text); INSERT INTO public.t VALUES ('A'), ('B  '), ('C    '), ('D')"
    )

    await assert_counted(any_session, key("t", "code"), key("r", "code"), 1)


async def test_values_of_other_types_are_not_cast_narrower(any_session: asyncpg.Connection) -> None:
    """A bigint beyond integer is an orphan, not an overflow; domains, varchar and name compare by their base."""
    await any_session.execute(
        """
        CREATE DOMAIN public.number AS integer;
        CREATE TABLE public.r (id public.number PRIMARY KEY, v varchar(9) UNIQUE, n name UNIQUE);
        INSERT INTO public.r VALUES (1, 'one', 'eins');
        CREATE TABLE public.t (big bigint, small smallint, domain_ public.number, c char(9), t text);
        INSERT INTO public.t VALUES (1, 1, 1, 'one', 'one'), (3000000000, 2, 2, 'two', 'two'), (4294967297, 1, 1, 'one', 'eins');
        """
    )

    await assert_counted(any_session, key("t", "big"), key("r", "id"), 2)
    await assert_counted(any_session, key("t", "small"), key("r", "id"), 1)
    await assert_counted(any_session, key("t", "domain_"), key("r", "id"), 1)
    await assert_counted(any_session, key("t", "t"), key("r", "v"), 2)
    await assert_counted(any_session, key("t", "t"), key("r", "n"), 2)


async def test_enums_arrays_and_domains_over_them(any_session: asyncpg.Connection) -> None:
    """Operators that take any enum or array are found without a cast."""
    await any_session.execute(
        """
        CREATE TYPE public.mood AS ENUM ('calm', 'cross');
        CREATE DOMAIN public.path AS integer[];
        CREATE TABLE public.r (m public.mood PRIMARY KEY, p public.path UNIQUE, s int4range UNIQUE);
        INSERT INTO public.r VALUES ('calm', '{1,2}', '[1,5)');
        CREATE TABLE public.t (m public.mood, p integer[], s int4range);
        INSERT INTO public.t VALUES ('calm', '{1,2}', '[1,4]'), ('cross', '{2,1}', '[1,5]');
        """
    )

    await assert_counted(any_session, key("t", "m"), key("r", "m"), 1)
    await assert_counted(any_session, key("t", "p"), key("r", "p"), 1)
    await assert_counted(any_session, key("t", "s"), key("r", "s"), 1)


async def test_numbers_are_equal_as_the_key_says(session: asyncpg.Connection) -> None:
    """Minus zero is zero, NaN is NaN, 1.50 is 1.5; an integer is compared with a numeric as numeric."""
    await session.execute(
        "CREATE TABLE public.r (f float8 PRIMARY KEY, n numeric UNIQUE); INSERT INTO public.r VALUES ('NaN', 2), (0, 1.5);"
        "CREATE TABLE public.t (f float8, n numeric, i integer);"
        "INSERT INTO public.t VALUES ('NaN', 1.50, 2), ('-0', 2.000, 2), (1, 1.51, 3)"
    )

    await assert_counted(session, key("t", "f"), key("r", "f"), 1)
    await assert_counted(session, key("t", "n"), key("r", "n"), 1)
    await assert_counted(session, key("t", "i"), key("r", "n"), 1)


async def test_inherited_rows_neither_count_nor_satisfy(any_session: asyncpg.Connection) -> None:
    """Trap 2: without ONLY the count is wrong both ways."""
    await any_session.execute(
        """
        CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.r_more (PRIMARY KEY (id)) INHERITS (public.r);
        CREATE TABLE public.t (r_id integer); CREATE TABLE public.t_more () INHERITS (public.t);
        INSERT INTO public.r VALUES (1); INSERT INTO public.r_more VALUES (2);
        INSERT INTO public.t VALUES (1), (2); INSERT INTO public.t_more VALUES (3), (4);
        """
    )

    await assert_counted(any_session, key("t", "r_id"), key("r", "id"), 1)


async def test_partitions_count_and_satisfy(any_session: asyncpg.Connection) -> None:
    """Trap 2, the other side: a partitioned table has no rows of its own."""
    await any_session.execute(
        """
        CREATE TABLE public.r (id integer PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE public.r1 PARTITION OF public.r FOR VALUES FROM (0) TO (10);
        CREATE TABLE public.r2 PARTITION OF public.r FOR VALUES FROM (10) TO (20);
        CREATE TABLE public.t (r_id integer) PARTITION BY RANGE (r_id);
        CREATE TABLE public.t1 PARTITION OF public.t DEFAULT;
        INSERT INTO public.r VALUES (1), (11);
        INSERT INTO public.t VALUES (1), (11), (12), (NULL);
        """
    )

    catalog = await read_catalog(any_session)
    operators = resolve_operators(catalog, key("t", "r_id"), key("r", "id"))
    assert operators
    assert (await count(any_session, key("t", "r_id"), key("r", "id"))).value == 1
    assert await any_session.fetchval(recount_orphans_sql(catalog, key("t", "r_id"), key("r", "id"), operators)) == 1


async def test_periods_are_covered_by_all_rows_of_the_key_together(session: asyncpg.Connection) -> None:
    """A key by PERIOD (PostgreSQL 18) is there when its rows leave no gap; one that merely overlaps is not enough."""
    await session.execute(
        """
        CREATE TABLE public.r (id int4range, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
        INSERT INTO public.r VALUES ('[1,1]', '[2020-01-01,2021-01-01)'), ('[1,1]', '[2021-01-01,2022-01-01)'), ('[1,1]', '[2023-01-01,)');
        CREATE TABLE public.t (r_id int4range, valid daterange);
        INSERT INTO public.t VALUES
            ('[1,1]', '[2020-06-01,2021-06-01)'), ('[1,1]', '[2024-01-01,)'), ('[1,1]', NULL), (NULL, '[2024-01-01,)'),
            ('[1,1]', '[2021-06-01,2023-06-01)'), ('[1,1]', '[2022-06-01,2022-07-01)'), ('[2,2]', '[2020-06-01,2020-07-01)');
        ALTER TABLE public.t ADD FOREIGN KEY (r_id, PERIOD valid) REFERENCES public.r (id, PERIOD valid) NOT VALID;
        """
    )
    catalog = await read_catalog(session)
    (declared,) = catalog.foreign_keys
    counted = await count_orphans(session, catalog, declared.referencing, declared.referenced, declared.operators, timeout_seconds=10)

    assert (counted.value, counted.exactness) == (3, Exactness.EXACT)


async def test_a_table_may_reference_itself(session: asyncpg.Connection) -> None:
    """Cycles and self-loops hold no orphan."""
    await session.execute(
        "CREATE TABLE public.t (id integer PRIMARY KEY, up integer);INSERT INTO public.t VALUES (1, 2), (2, 1), (3, 3), (4, 99), (5, NULL)"
    )

    await assert_counted(session, key("t", "up"), key("t", "id"), 1)


async def test_collations_that_differ(database: str) -> None:
    """Columns of two collations are compared by the referenced one, not refused; the server does the same."""
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(
            "CREATE TABLE public.r (c text COLLATE \"C\" PRIMARY KEY); INSERT INTO public.r VALUES ('a');"
            "CREATE TABLE public.t (c text COLLATE \"POSIX\"); INSERT INTO public.t VALUES ('a'), ('A')"
        )
        await assert_counted(connection, key("t", "c"), key("r", "c"), 1)
    finally:
        await connection.close()


async def test_a_nondeterministic_collation_decides_what_is_equal(any_session: asyncpg.Connection) -> None:
    """With a case-blind collation 'ABC' references 'abc'."""
    try:
        await any_session.execute("CREATE COLLATION public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except asyncpg.FeatureNotSupportedError:
        pytest.skip("this PostgreSQL was built without ICU")
    await any_session.execute(
        "CREATE TABLE public.r (c text COLLATE public.blind PRIMARY KEY); INSERT INTO public.r VALUES ('abc');"
        "CREATE TABLE public.t (c text COLLATE public.blind); INSERT INTO public.t VALUES ('ABC'), ('abc'), ('x')"
    )

    await assert_counted(any_session, key("t", "c"), key("r", "c"), 1)


async def test_citext_is_compared_by_its_own_operator(any_session: asyncpg.Connection) -> None:
    """Trap 1: with an empty search_path a plain = on citext silently becomes that of text."""
    if not await any_session.fetchval("SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = 'citext'"):
        pytest.skip("this PostgreSQL has no citext")
    await any_session.execute(
        "CREATE EXTENSION citext SCHEMA public;"
        "CREATE TABLE public.r (c public.citext PRIMARY KEY); INSERT INTO public.r VALUES ('abc');"
        "CREATE TABLE public.t (c public.citext); INSERT INTO public.t VALUES ('ABC'), ('abc'), ('x')"
    )

    await assert_counted(any_session, key("t", "c"), key("r", "c"), 1)


async def test_keys_that_do_not_protect_are_counted_too(any_session: asyncpg.Connection) -> None:
    """Trap 7: NOT VALID, NOT ENFORCED and disabled keys are declared and let orphans be; validated does not mean clean."""
    await any_session.execute(
        "CREATE TABLE public.r (id integer PRIMARY KEY);"
        "CREATE TABLE public.t (r_id integer REFERENCES public.r);"
        "SET session_replication_role = replica; INSERT INTO public.t VALUES (1), (2); RESET session_replication_role"
    )
    if any_session.get_server_version().major >= 18:
        await any_session.execute(
            "ALTER TABLE public.t ADD COLUMN weak_id integer DEFAULT 5;"
            "ALTER TABLE public.t ADD FOREIGN KEY (weak_id) REFERENCES public.r NOT ENFORCED"
        )
    catalog = await read_catalog(any_session)

    counts = [
        (await count_orphans(any_session, catalog, fk.referencing, fk.referenced, fk.operators, timeout_seconds=10)).value
        for fk in catalog.foreign_keys
    ]
    assert catalog.foreign_keys[0].validated
    assert counts == [2] * len(catalog.foreign_keys)


async def test_hidden_rows_are_not_counted(any_postgres: Server, any_database: str, any_session: asyncpg.Connection) -> None:
    """Trap 6: under row security a count would be wrong, so there is none, and the reason names the cure."""
    await any_session.execute(
        """
        CREATE TABLE public.r (id integer PRIMARY KEY); INSERT INTO public.r VALUES (1), (2);
        CREATE TABLE public.t (r_id integer); INSERT INTO public.t VALUES (1), (2), (3);
        ALTER TABLE public.r ENABLE ROW LEVEL SECURITY;
        CREATE POLICY one_row ON public.r USING (id = 1);
        """
    )
    async with a_role(any_postgres, any_database, any_session, "GRANT SELECT ON public.r, public.t TO {0}") as (role, connection):
        counted = await count(connection, key("t", "r_id"), key("r", "id"))

    assert counted.exactness is Exactness.NOT_COUNTED
    assert "row security hides rows of public.r" in counted.reason
    assert f'ALTER ROLE "{role}" BYPASSRLS' in counted.reason


async def test_unreadable_tables_are_not_counted(postgres: Server, database: str, session: asyncpg.Connection) -> None:
    """The reason names the GRANT, and running it cures."""
    await session.execute(
        "CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer); INSERT INTO public.t VALUES (1)"
    )
    async with a_role(postgres, database, session, "GRANT SELECT ON public.t TO {0}") as (role, connection):
        counted = await count(connection, key("t", "r_id"), key("r", "id"))
        grant = f'GRANT SELECT ON "public"."r" TO "{role}"'
        assert (counted.exactness, counted.is_known) == (Exactness.NOT_COUNTED, False)
        assert counted.reason == f'role "{role}" may not read public.r; run {grant}'
        relationship = await declared_like(connection, key("t", "r_id"), key("r", "id"))
        with pytest.raises(Refused) as caught:
            await sample_orphans(connection, await read_catalog(connection), relationship, limit=1, columns=())
        assert (caught.value.reason, caught.value.facts) == (Reason.MISSING_PRIVILEGE, {"grant": grant})
        await session.execute(grant)

        assert (await count(connection, key("t", "r_id"), key("r", "id"))).value == 1


async def test_a_count_that_takes_too_long_is_stopped(session: asyncpg.Connection) -> None:
    """The reason says so; the session goes on."""
    await session.execute(
        """
        CREATE TABLE public.r (id integer PRIMARY KEY);
        CREATE TABLE public.t (r_id integer); INSERT INTO public.t SELECT generate_series(1, 1000000);
        """
    )
    stopped = await count(session, key("t", "r_id"), key("r", "id"), timeout_seconds=0.01)

    assert (stopped.exactness, stopped.reason) == (Exactness.NOT_COUNTED, "the count was stopped; it may take 0.01 seconds")
    assert (await count(session, key("t", "r_id"), key("r", "id"))).value == 1_000_000


async def test_rows_that_no_key_could_compare_are_not_counted(session: asyncpg.Connection) -> None:
    """There is no operator between text and integer, and Holdfast does not make one up."""
    await session.execute("CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id text)")

    counted = await count(session, key("t", "r_id"), key("r", "id"))

    assert counted.exactness is Exactness.NOT_COUNTED
    assert counted.reason == "no operator compares public.t(r_id) with public.r(id) as a foreign key would"


async def test_a_dropped_table_is_not_counted(session: asyncpg.Connection) -> None:
    """Somebody drops a table between the snapshot and the count."""
    await session.execute("CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer)")
    catalog = await read_catalog(session)
    await session.execute("DROP TABLE public.r")
    operators = resolve_operators(catalog, key("t", "r_id"), key("r", "id")) or ()

    counted = await count_orphans(session, catalog, key("t", "r_id"), key("r", "id"), operators, timeout_seconds=10)

    assert counted.reason == "a table was dropped or renamed during the audit; audit again"


async def test_a_lost_connection_is_an_error(postgres: Server, session: asyncpg.Connection, database: str) -> None:
    """Nothing more can be asked over it: the audit must connect again."""
    await session.execute("CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer)")
    catalog = await read_catalog(session)
    await postgres.execute(f"SELECT pg_catalog.pg_terminate_backend({session.get_server_pid()})")
    operators = resolve_operators(catalog, key("t", "r_id"), key("r", "id")) or ()

    with pytest.raises(Unavailable) as caught:
        await count_orphans(session, catalog, key("t", "r_id"), key("r", "id"), operators, timeout_seconds=10)
    assert caught.value.reason is Reason.TARGET_UNREACHABLE


async def test_a_count_leaves_no_transaction(session: asyncpg.Connection) -> None:
    """One relationship is one transaction: nothing holds back vacuum afterwards."""
    await session.execute("CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer)")
    before = datetime.now(UTC)

    counted = await count(session, key("t", "r_id"), key("r", "id"))

    assert not session.is_in_transaction()
    assert await session.fetchval("SELECT pg_catalog.current_setting('statement_timeout')") == "0"
    assert before <= counted.as_of <= datetime.now(UTC)


async def test_samples_are_keys_as_text(session: asyncpg.Connection) -> None:
    """Primary key and referencing columns; others only when asked for, once each; NULL is None."""
    await session.execute(
        """
        CREATE TABLE public.r (id integer PRIMARY KEY);
        CREATE TABLE public.t (at timestamptz PRIMARY KEY, r_id integer, note text, raw bytea);
        INSERT INTO public.t VALUES ('2024-01-01 00:00+02', 7, NULL, '\\x00ff'), ('2024-01-02', NULL, 'fine', NULL);
        """
    )
    relationship = await declared_like(session, key("t", "r_id"), key("r", "id"))
    catalog = await read_catalog(session)

    keys = await sample_orphans(session, catalog, relationship, limit=10, columns=())
    wide = await sample_orphans(session, catalog, relationship, limit=10, columns=("note", "r_id", "raw"))

    assert (keys.columns, keys.rows) == (("at", "r_id"), (("2023-12-31 22:00:00+00", "7"),))
    assert (wide.columns, wide.rows) == (("at", "r_id", "note", "raw"), (("2023-12-31 22:00:00+00", "7", None, "\\x00ff"),))
    with pytest.raises(InvalidField) as caught:
        await sample_orphans(session, catalog, relationship, limit=10, columns=("note", "secret"))
    assert caught.value.field == "columns[1]"


@pytest.mark.parametrize("change", ["DROP TABLE public.r", "ALTER TABLE public.t RENAME r_id TO other_id"])
async def test_samples_of_what_is_gone_are_refused(session: asyncpg.Connection, change: str) -> None:
    """The audit speaks of yesterday; whoever asks is told to audit again."""
    await session.execute("CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer)")
    relationship = await declared_like(session, key("t", "r_id"), key("r", "id"))
    await session.execute(change)

    with pytest.raises(NotFound, match=r"since the audit; audit again") as refused:
        await sample_orphans(session, await read_catalog(session), relationship, limit=3, columns=())
    assert refused.value.reason is Reason.RELATIONSHIP_NOT_FOUND


async def test_a_server_behind_the_target_that_is_down_costs_one_count(any_session: asyncpg.Connection) -> None:
    """A partition in another database: the connection to that one is lost, not ours."""
    if not await any_session.fetchval("SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = 'postgres_fdw'"):
        pytest.skip("this PostgreSQL has no postgres_fdw")
    await any_session.execute("CREATE EXTENSION postgres_fdw SCHEMA public")
    await any_session.execute(
        """
        CREATE SERVER down FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', connect_timeout '1');
        CREATE USER MAPPING FOR CURRENT_USER SERVER down OPTIONS (user 'nobody', password 'none');
        CREATE TABLE public.r (id integer PRIMARY KEY);
        CREATE TABLE public.t (r_id integer) PARTITION BY LIST (r_id);
        CREATE FOREIGN TABLE public.far PARTITION OF public.t FOR VALUES IN (1) SERVER down;
        """
    )
    counted = await count(any_session, key("t", "r_id"), key("r", "id"))

    assert counted.exactness is Exactness.NOT_COUNTED
    assert await any_session.fetchval("SELECT 1") == 1


async def test_samples_are_limited(session: asyncpg.Connection) -> None:
    """No more rows than asked for."""
    await session.execute(
        "CREATE TABLE public.r (id integer PRIMARY KEY); CREATE TABLE public.t (r_id integer); INSERT INTO public.t SELECT generate_series(1, 50)"
    )
    relationship = await declared_like(session, key("t", "r_id"), key("r", "id"))

    samples = await sample_orphans(session, await read_catalog(session), relationship, limit=3, columns=())

    assert len(samples.rows) == 3


async def declared_like(connection: asyncpg.Connection, referencing: ColumnSet, referenced: ColumnSet) -> Relationship:
    """Return the relationship as an audit would."""
    catalog: Catalog = await read_catalog(connection)
    candidate = Candidate(referencing=referencing, referenced=referenced, confidence=0.9, evidence=())
    return derive_relationships(catalog, [candidate], {})[0]
