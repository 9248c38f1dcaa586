"""The tools that run migrations, each on a real database: forward with the files of an export, and back again."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A folder with the exported files, and the database to run them on."""

    folder: Path
    files: Mapping[str, str]
    dsn: str

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # As it is: no line break is changed into another.
        path.write_bytes(text.encode())
        return path

    def only(self, ending: str) -> str:
        (name,) = (each for each in self.files if each.endswith(ending))
        return name

    async def run(self, *command: str, **environment: str) -> str:
        """Run a program in the folder; return what it printed, raise RuntimeError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await asyncio.wait_for(process.communicate(), timeout=120))[0].decode(errors="replace")
        if process.returncode:
            raise RuntimeError(output)
        return output


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """How a tool goes forward and back."""

    format_name: str
    prepare: Callable[[Workplace], None]
    forward: Callable[[Workplace], Awaitable[str]]
    back: Callable[[Workplace], Awaitable[str]]
    #: Its own tables in the database, in schema public.
    tables: tuple[str, ...]
    #: Why it cannot run here; empty: it can.
    missing: Callable[[], str] = lambda: ""


_ENV = """
from alembic import context
from sqlalchemy import create_engine

with create_engine({url!r}).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


def _prepare_alembic(place: Workplace) -> None:
    place.write("alembic.ini", "[alembic]\nscript_location = migrations\npath_separator = os\n")
    place.write("migrations/env.py", _ENV.format(url=place.dsn.replace("postgresql://", "postgresql+psycopg://")))
    for name, text in place.files.items():
        place.write(f"migrations/versions/{name}", text)


def _alembic(*arguments: str) -> Callable[[Workplace], Awaitable[str]]:
    return lambda place: place.run(sys.executable, "-m", "alembic", *arguments)


_SETTINGS = """
INSTALLED_APPS = ["shop"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": {name!r}, "HOST": {host!r}, "PORT": {port},
  "USER": {user!r}}}}}
"""


def _prepare_django(place: Workplace) -> None:
    where = urlsplit(place.dsn)
    place.write("settings.py", _SETTINGS.format(name=where.path[1:], host=where.hostname, port=where.port, user=where.username))
    place.write("shop/__init__.py", "")
    place.write("shop/migrations/__init__.py", "")
    for name, text in place.files.items():
        place.write(f"shop/migrations/{name}", text)


def _django(*arguments: str) -> Callable[[Workplace], Awaitable[str]]:
    return lambda place: place.run(
        sys.executable, "-m", "django", *arguments, "--settings=settings", PYTHONPATH=f"{place.folder}", PYTHONWARNINGS="default"
    )


_RAILS = """
require "active_record"
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
migrations = ActiveRecord::MigrationContext.new("migrations", ActiveRecord::SchemaMigration)
ARGV[0] == "up" ? migrations.migrate : migrations.rollback
"""


def _prepare_rails(place: Workplace) -> None:
    place.write("migrate.rb", _RAILS)
    for name, text in place.files.items():
        place.write(f"migrations/{name}", text)


def _rails(direction: str) -> Callable[[Workplace], Awaitable[str]]:
    return lambda place: place.run("ruby", "-W0", "migrate.rb", direction, DATABASE_URL=place.dsn, LANG="C.UTF-8")


def _no_rails() -> str:
    if shutil.which("ruby") is None:
        return "ruby is not installed"
    gems = Path("/usr/share/rubygems-integration")
    return "" if [*gems.glob("**/activerecord-*.gemspec")] else "ruby-activerecord and ruby-pg are not installed"


def _prepare_liquibase(place: Workplace) -> None:
    for name, text in place.files.items():
        place.write(name, text)


def _liquibase(*arguments: str) -> Callable[[Workplace], Awaitable[str]]:
    def run(place: Workplace) -> Awaitable[str]:
        where = urlsplit(place.dsn)
        url = f"--url=jdbc:postgresql://{where.hostname}:{where.port}{where.path}"
        return place.run(
            "liquibase", url, f"--username={where.username}", "--password=x", f"--changelog-file={place.only('.sql')}", *arguments
        )

    return run


def _no_liquibase() -> str:
    if shutil.which("java") is None:
        return "java is not installed"
    return "" if shutil.which("liquibase") else "liquibase is not installed"


TOOLS = (
    Tool(
        format_name="ALEMBIC",
        prepare=_prepare_alembic,
        forward=_alembic("upgrade", "head"),
        back=_alembic("downgrade", "base"),
        tables=("alembic_version",),
    ),
    Tool(
        format_name="DJANGO",
        prepare=_prepare_django,
        forward=_django("migrate", "shop"),
        back=_django("migrate", "shop", "zero"),
        tables=("django_migrations",),
    ),
    Tool(
        format_name="RAILS",
        prepare=_prepare_rails,
        forward=_rails("up"),
        back=_rails("down"),
        tables=("schema_migrations", "ar_internal_metadata"),
        missing=_no_rails,
    ),
    Tool(
        format_name="LIQUIBASE",
        prepare=_prepare_liquibase,
        forward=_liquibase("update"),
        back=_liquibase("rollback-count", "1"),
        tables=("databasechangelog", "databasechangeloglock"),
        missing=_no_liquibase,
    ),
)


def skip_if_missing(tool: Tool) -> None:
    """Skip the test, with the reason, where the tool is not installed."""
    if reason := tool.missing():
        pytest.skip(reason)


@asynccontextmanager
async def without_own_tables(dsn: str, tool: Tool) -> AsyncIterator[None]:
    """Keep the tool's tables meanwhile in schema holdfast, which nobody compares."""
    connection = await asyncpg.connect(dsn)
    try:
        for table in tool.tables:
            await connection.execute(f"ALTER TABLE IF EXISTS public.{table} SET SCHEMA holdfast")
        yield
        for table in tool.tables:
            await connection.execute(f"ALTER TABLE IF EXISTS holdfast.{table} SET SCHEMA public")
    finally:
        await connection.close()
