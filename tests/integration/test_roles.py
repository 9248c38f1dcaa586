"""deploy/postgres/roles.sql grants what an audit and an application need, and no more."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from samples.load import load_sample
from support.postgres import Server, database_name

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/postgres/roles.sql"
ROLES = ("holdfast_auditor", "holdfast_migrator", "ev_owner")


async def run_script(server: Server, dsn: str) -> None:
    """Run the script twice, as its first lines say: the second time must change nothing and fail nowhere."""
    # psql runs as the server's account, which may not reach the checkout.
    script = server.home / "roles.sql"
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    script.chmod(0o644)
    settings = (f"--set=database={database_name(dsn)}", "--set=schema=public", "--set=owner=ev_owner")
    for _ in range(2):
        await server.program("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *settings, f"--file={script}", dsn)


@pytest.fixture
async def connection(postgres, database) -> AsyncIterator[asyncpg.Connection]:
    """The EV sample owned by an ordinary role, with the script run; roles are the whole server's, so they go again."""
    await load_sample(database, "ev_charging")
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE ROLE ev_owner")
    try:
        for row in await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"):
            await connection.execute(f"ALTER TABLE public.{row['relname']} OWNER TO ev_owner")
        await run_script(postgres, database)
        yield connection
    finally:
        await connection.execute("RESET SESSION AUTHORIZATION")
        for role in ROLES:
            if await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"DROP OWNED BY {role} CASCADE")
                await connection.execute(f"DROP ROLE {role}")
        await connection.close()


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


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM public.reports",
        "UPDATE public.reports SET reason = ''",
        "INSERT INTO public.sessions VALUES ('a', '{}', '2026-01-01')",
        "TRUNCATE public.reports",
        "ALTER TABLE public.reports ADD CONSTRAINT c CHECK (true) NOT VALID",
        "CREATE INDEX ON public.reports (station_id)",
        "CREATE SCHEMA holdfast",
        "CREATE TABLE public.mine (id integer)",
        "SET ROLE ev_owner",
    ],
)
async def test_auditor_changes_nothing(auditor, statement):
    """The auditor may not write, whatever its default transaction mode says."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await auditor.execute(statement)


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
