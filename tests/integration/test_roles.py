"""deploy/postgres/roles.sql grants what an audit and an application need, and no more."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from support.postgres import database_name
from support.roles import run_script, sample_with_roles


@pytest.fixture
async def connection(postgres, database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's, to the EV sample owned by an ordinary role, with the script run."""
    async with sample_with_roles(postgres, database) as connection:
        yield connection


@pytest.fixture
async def auditor(connection) -> asyncpg.Connection:
    await connection.execute("SET SESSION AUTHORIZATION holdfast_auditor")
    return connection


@pytest.fixture
async def migrator(connection) -> asyncpg.Connection:
    await connection.execute("SET SESSION AUTHORIZATION holdfast_migrator")
    return connection


async def test_auditor_counts(auditor):
    """The auditor reads every table, also under the settings of an audit."""
    await auditor.execute("SET row_security = off")

    assert await auditor.fetchval("SELECT count(*) FROM public.reports") == 388


async def test_auditor_sees_tables_that_come_later(connection):
    """What the owner creates afterwards is readable, too."""
    await connection.execute("GRANT CREATE ON SCHEMA public TO ev_owner; SET SESSION AUTHORIZATION ev_owner")
    await connection.execute("CREATE TABLE public.later (id integer)")
    await connection.execute("SET SESSION AUTHORIZATION holdfast_auditor")

    assert await connection.fetchval("SELECT count(*) FROM public.later") == 0


#: Ways to change something, or to become somebody who may, one per line of attack.
ATTEMPTS = (
    # Rows.
    "DELETE FROM public.reports",
    "UPDATE public.reports SET reason = ''",
    "INSERT INTO public.sessions VALUES ('a', '{}', '2026-01-01')",
    "MERGE INTO public.reports USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE public.reports",
    "COPY public.sessions FROM PROGRAM 'true'",
    "WITH gone AS (DELETE FROM public.reports RETURNING *) SELECT count(*) FROM gone",
    "DO $$ BEGIN DELETE FROM public.reports; END $$",
    "SELECT setval('public.reports_id_seq', 1)",
    "SELECT nextval('public.reports_id_seq')",
    # Locks that keep others from their work.
    "SELECT * FROM public.reports FOR UPDATE",
    "SELECT * FROM public.reports FOR KEY SHARE",
    "BEGIN; LOCK TABLE public.reports IN ACCESS EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE public.reports IN ROW SHARE MODE",
    # Objects.
    "ALTER TABLE public.reports ADD CONSTRAINT c CHECK (true) NOT VALID",
    "ALTER TABLE public.reports DISABLE TRIGGER ALL",
    "ALTER TABLE public.reports OWNER TO holdfast_auditor",
    "DROP TABLE public.reports",
    "COMMENT ON TABLE public.reports IS 'mine'",
    "CREATE INDEX ON public.reports (station_id)",
    "CREATE STATISTICS public.s ON station_id, user_id FROM public.reports",
    "CREATE TRIGGER t BEFORE INSERT ON public.reports FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO public.reports DO INSTEAD NOTHING",
    "CREATE POLICY p ON public.reports",
    "CREATE SCHEMA holdfast",
    "CREATE TABLE public.mine (id integer)",
    "CREATE VIEW public.mine AS SELECT 1",
    "CREATE SEQUENCE public.mine",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE public.mine AS ENUM ('a')",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "REINDEX TABLE public.reports",
    # Other roles, other databases, the server and its files.
    "SET ROLE ev_owner",
    "SET ROLE holdfast_migrator",
    "SET SESSION AUTHORIZATION postgres",
    "GRANT ev_owner TO holdfast_auditor",
    "CREATE ROLE another",
    "ALTER ROLE holdfast_auditor SUPERUSER",
    "ALTER ROLE holdfast_auditor BYPASSRLS",
    "CREATE DATABASE another",
    "ALTER DATABASE postgres SET work_mem = '1GB'",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "SET session_replication_role = replica",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/holdfast_auditor_was_here'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
)
#: What PostgreSQL lets everybody do in every database.
OF_EVERYBODY = (
    "CREATE TEMPORARY TABLE mine (id integer)",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
)
REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)


async def let_through(dsn: str, statements: Sequence[str], *settings: str) -> list[str]:
    """Log in as the role, try each statement by itself, and return those that were not refused."""
    session = await asyncpg.connect(dsn)
    passed = []
    try:
        for setting in settings:
            await session.execute(setting)
        for statement in statements:
            try:
                await session.execute(statement)
                passed.append(statement)
            except REFUSED:
                pass
            # LOCK TABLE comes with a transaction of its own.
            await session.execute("ROLLBACK")
    finally:
        await session.close()
    return passed


@pytest.fixture
async def auditor_dsn(connection, postgres, database) -> str:
    """The way in as the auditor, not as a superuser who plays it."""
    return postgres.dsn(database_name(database), role="holdfast_auditor")


async def test_a_session_of_the_auditor_changes_nothing(auditor_dsn):
    """As it comes, a session is read-only: nothing gets through, not even what everybody may."""
    assert await let_through(auditor_dsn, ATTEMPTS + OF_EVERYBODY) == []


async def test_the_auditor_may_not_write_in_any_mode(auditor_dsn):
    """A session that turns its read-only mode off is refused for want of privileges; what is left changes no row and no object of others."""
    assert set(await let_through(auditor_dsn, ATTEMPTS + OF_EVERYBODY, "SET default_transaction_read_only = off")) == set(OF_EVERYBODY)


async def test_the_strict_script_takes_the_rest_from_everybody(auditor_dsn, postgres, database):
    """With strict=1 nothing at all is left."""
    await run_script(postgres, database, "--set=strict=1")

    assert await let_through(auditor_dsn, ATTEMPTS + OF_EVERYBODY, "SET default_transaction_read_only = off") == []


@pytest.mark.parametrize("statement", ["GRANT SELECT ON public.reports TO PUBLIC", "VACUUM public.reports", "ANALYZE public.reports"])
async def test_what_the_auditor_is_only_warned_about_has_no_effect(auditor_dsn, connection, statement):
    """PostgreSQL answers some attempts with a warning and does nothing."""
    look = """
        SELECT class.relacl::text, class.reltuples, class.relfilenode, stat.vacuum_count, stat.analyze_count
        FROM pg_class AS class JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid WHERE class.relname = 'reports'"""
    before = await connection.fetchrow(look)
    warnings: list[str] = []
    session = await asyncpg.connect(auditor_dsn)
    session.add_log_listener(lambda _, message: warnings.append(message.severity))
    await session.execute("SET default_transaction_read_only = off")
    await session.execute(statement)
    await session.close()

    assert warnings == ["WARNING"]
    assert await connection.fetchrow(look) == before


async def test_the_attempts_work_for_somebody_who_may(connection):
    """The list above means something: a superuser gets most of it through, so it is privileges that are missing."""
    passed = []
    for statement in ATTEMPTS + OF_EVERYBODY:
        if "pg_" in statement or "SYSTEM" in statement or "DATABASE another" in statement:
            continue
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement)
            passed.append(statement)
        except asyncpg.PostgresError:
            pass
        finally:
            await transaction.rollback()

    assert len(passed) > 40


async def test_migrator_may_do_every_kind_of_step(migrator):
    """Schema, index, key, cleanup, validation and undo all work without superuser."""
    await migrator.execute("CREATE SCHEMA holdfast")
    await migrator.execute("CREATE TABLE holdfast.backup (row_image text)")
    await migrator.execute("CREATE INDEX CONCURRENTLY reports_station_id_idx ON public.reports (station_id)")
    await migrator.execute(
        "ALTER TABLE public.reports ADD CONSTRAINT fk FOREIGN KEY (station_id) REFERENCES public.stations ON DELETE CASCADE NOT VALID"
    )
    deleted = await migrator.execute(
        "DELETE FROM public.reports WHERE NOT EXISTS (SELECT FROM public.stations WHERE stations.id = reports.station_id)"
    )
    await migrator.execute("ALTER TABLE public.reports VALIDATE CONSTRAINT fk")
    await migrator.execute("ALTER TABLE public.reports DROP CONSTRAINT fk")

    assert deleted == "DELETE 8"


async def test_backups_are_the_migrators_alone(connection):
    """Neither the auditor nor the owner of the tables reads what is in schema holdfast."""
    await connection.execute("SET SESSION AUTHORIZATION holdfast_migrator")
    await connection.execute("CREATE SCHEMA holdfast; CREATE TABLE holdfast.backup (row_image text)")
    for role in ("holdfast_auditor", "ev_owner"):
        await connection.execute(f"RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT count(*) FROM holdfast.backup")
