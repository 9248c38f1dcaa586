"""The EV sample as an ordinary application owns it, with the roles of deploy/postgres/roles.sql beside the owner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from samples.load import load_sample
from support.postgres import Server, database_name

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/postgres/roles.sql"
OWNER = "ev_owner"
ROLES = ("holdfast_auditor", "holdfast_migrator", OWNER)


async def run_script(server: Server, dsn: str, *more: str) -> None:
    """Run the script twice, as its first lines say: the second time must change nothing and fail nowhere."""
    # psql runs as the server's account, which may not reach the checkout.
    script = server.home / "roles.sql"
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    script.chmod(0o644)
    settings = (f"--set=database={database_name(dsn)}", "--set=schema=public", f"--set=owner={OWNER}")
    for _ in range(2):
        await server.program("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *settings, *more, f"--file={script}", dsn)


@asynccontextmanager
async def sample_with_roles(server: Server, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Load the sample and run the script; lend a superuser's connection. Roles are the whole server's, so they go again."""
    await load_sample(dsn, "ev_charging")
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE ROLE {OWNER}")
    try:
        for row in await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"):
            await connection.execute(f"ALTER TABLE public.{row['relname']} OWNER TO {OWNER}")
        await run_script(server, dsn)
        yield connection
    finally:
        await connection.execute("RESET SESSION AUTHORIZATION")
        for role in ROLES:
            if await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"DROP OWNED BY {role} CASCADE")
                await connection.execute(f"DROP ROLE {role}")
        await connection.close()
