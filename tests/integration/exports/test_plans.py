"""A plan as migrations of other tools: run by the tool, they do what the service does, and undo it exactly."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine
from sqlalchemy import text as sql_text
from sqlalchemy.exc import OperationalError

from holdfastd.exports.model import PlanFormat
from holdfastd.exports.plain import Plain, plain_statements
from holdfastd.flows import reports
from holdfastd.jobs.model import JobState
from holdfastd.names import identifier
from holdfastd.plan.model import ScriptKind, StepKind
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import SCENARIOS, Scenario, delete
from integration.execute.test_scripts import run_script
from support.equality import state_of
from support.harness import Harness, harness
from support.migration_tools import TOOLS, Tool, Workplace, skip_if_missing, without_own_tables
from support.postgres import Server

#: What means something to one of the tools, or in the language of its files.
SIGNS = "q\"u'o :name %s %% ${x} #{y} \\ $$ $q0$ `b` */ @@ {oj e} ?"
LINES = "l\n--changeset x:y\n/\n-- rollback\r\tz\u202e \nSQL\n\U0001f40e"
_SCHEMA, _LINES = identifier(SIGNS), identifier(LINES)
HOSTILE = Scenario(
    name="names that tools would read",
    sql=f"""
    CREATE SCHEMA {_SCHEMA};
    CREATE TABLE {_SCHEMA}.{_LINES} (id integer PRIMARY KEY, "k:1" integer);
    CREATE TABLE {_SCHEMA}.entries ({_LINES} integer, "pk%s" integer PRIMARY KEY);
    CREATE TABLE {_SCHEMA}.notes (id integer PRIMARY KEY, "e${{x}}" integer REFERENCES {_SCHEMA}.entries ON DELETE CASCADE, "tail " text);
    INSERT INTO {_SCHEMA}.{_LINES} VALUES (1), (2);
    INSERT INTO {_SCHEMA}.entries VALUES (1, 1), (3, 2), (NULL, 3);
    INSERT INTO {_SCHEMA}.notes VALUES (1, 2, 'a  '), (2, 1, NULL);
    """,
    overrides=(),
    backed_up=2,
)
SCRIPTED = {scenario.name: scenario for scenario in SCENARIOS} | {HOSTILE.name: HOSTILE}
SLOW = pytest.mark.slow
#: The statements themselves, on all that asks much of them.
ON_STATEMENTS = (
    HOSTILE.name,
    *(
        pytest.param(name, marks=SLOW)
        for name in (
            "a declared key that is not validated",
            "a tree loses its branches to the fixpoint",
            "exotic values come back to the letter",
            "hostile names",
            "names with line breaks and of 63 bytes",
            "repointed to another row",
            "declared keys with options, not validated",
        )
    ),
)
#: What a tool may stumble over is in the names; every one takes seconds to start.
ON_TOOLS = [
    pytest.param(tool, name, id=f"{tool.format_name.lower()}-{name.replace(' ', '-')}", marks=[] if is_quick else SLOW)
    for tool in TOOLS
    for name in (HOSTILE.name, "cascades three levels deep are in the backup")
    for is_quick in [name == HOSTILE.name and tool.format_name in ("ALEMBIC", "DJANGO")]
]


@pytest.fixture
async def replica(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        yield running


async def planned(replica: Harness, dsn: str, scenario: Scenario) -> PlanRecord:
    """Load a scenario and plan it."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(scenario.sql)
    await connection.close()
    await replica.register(dsn)
    found = await replica.audit()
    overrides = scenario.overrides or tuple(delete(each) for each, item in found.items() if not item.declared)
    return await replica.plan("shop", *overrides)


async def applied_and_rolled_back(postgres: Server, dsn: str, replica: Harness, plan: PlanRecord) -> object:
    """Return what the service makes of the database, and leave the database as it was."""
    application = await replica.apply(plan)
    state = await state_of(postgres, dsn)
    await replica.roll_back(application)
    return state


async def run_statements(dsn: str, statements: Sequence[Plain], spelling: str = "sql") -> None:
    """Run statements one by one in one session, as a tool would."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(getattr(statement, spelling))
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ON_STATEMENTS)
async def test_plain_statements_do_what_the_service_does(postgres: Server, database: str, replica: Harness, name: str) -> None:
    """In either spelling, each run twice: forward as the service, back to what it was."""
    plan = await planned(replica, database, SCRIPTED[name])
    before = await state_of(postgres, database)
    by_service = await applied_and_rolled_back(postgres, database, replica, plan)
    assert by_service != before

    for spelling in ("sql", "escaped"):
        for _ in range(2):
            await run_statements(database, plain_statements(plan.id, plan.plan, ScriptKind.FORWARD), spelling)
        assert await state_of(postgres, database) == by_service
        for _ in range(2):
            await run_statements(database, plain_statements(plan.id, plan.plan, ScriptKind.ROLLBACK), spelling)
        assert await state_of(postgres, database) == before


@pytest.mark.slow
async def test_a_run_that_broke_off_anywhere_goes_on(postgres: Server, database: str, replica: Harness) -> None:
    """After whichever statement it stopped, in whichever direction, the next run ends as if there had been one."""
    plan = await planned(replica, database, SCRIPTED["cascades three levels deep are in the backup"])
    before = await state_of(postgres, database)
    by_service = await applied_and_rolled_back(postgres, database, replica, plan)
    forward, back = (plain_statements(plan.id, plan.plan, kind) for kind in (ScriptKind.FORWARD, ScriptKind.ROLLBACK))

    for stop in range(1, max(len(forward), len(back))):
        await run_statements(database, forward[:stop])
        await run_statements(database, forward)
        assert await state_of(postgres, database) == by_service, forward[min(stop, len(forward)) - 1]
        await run_statements(database, back[:stop])
        await run_statements(database, back)
        assert await state_of(postgres, database) == before, back[min(stop, len(back)) - 1]


async def test_the_service_takes_over_where_a_tool_went(postgres: Server, database: str, replica: Harness) -> None:
    """It finds every step done, so the plan is applied for it, too, and it can roll back what the tool did."""
    plan = await planned(replica, database, SCRIPTED["repointed to another row"])
    before = await state_of(postgres, database)
    await run_statements(database, plain_statements(plan.id, plan.plan, ScriptKind.FORWARD))
    by_statements = await state_of(postgres, database)
    application = await replica.apply(plan)

    assert await state_of(postgres, database) == by_statements
    await replica.roll_back(application)
    assert await state_of(postgres, database) == before


async def test_a_broken_index_is_built_again(postgres: Server, database: str, replica: Harness) -> None:
    """What a build that broke off left behind goes first; what somebody else has under the name stays, and is said."""
    plan = await planned(replica, database, SCENARIOS[0])
    forward = plain_statements(plan.id, plan.plan, ScriptKind.FORWARD)
    await run_statements(database, forward)
    built = await state_of(postgres, database)
    index = next(step for step in plan.plan.steps if step.kind is StepKind.CREATE_INDEX)
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", index.object_name)
    await run_statements(database, forward)
    assert await state_of(postgres, database) == built

    await connection.execute(f"DROP INDEX {index.object_name}; CREATE INDEX {index.object_name} ON customers (name)")
    with pytest.raises(asyncpg.RaiseError, match="is not as planned"):
        await run_statements(database, forward)
    await connection.close()


async def test_the_session_is_left_as_it_was(database: str, replica: Harness) -> None:
    """A tool goes on in the same session: its own table must be where it was, and its own timeout; nobody is locked out."""
    plan = await planned(replica, database, SCENARIOS[0])
    connection = await asyncpg.connect(database)
    await connection.execute("SET search_path = public, pg_temp; SET lock_timeout = '7s'; SET timezone = 'Asia/Tokyo'; SET jit = on")
    asked = "SELECT name, setting FROM pg_settings WHERE name NOT LIKE '%.%' ORDER BY name"
    before = await connection.fetch(asked)
    for kind in (ScriptKind.FORWARD, ScriptKind.ROLLBACK):
        for statement in plain_statements(plan.id, plan.plan, kind):
            await connection.execute(statement.sql)
        assert await connection.fetch(asked) == before
        assert not await connection.fetch("SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    await connection.close()


async def test_one_at_a_time_works_on_a_database(postgres: Server, database: str, replica: Harness) -> None:
    """A second migration or script, in either direction, says who is at work and touches nothing; the first one goes on."""
    plan = await planned(replica, database, SCENARIOS[0])
    forward = plain_statements(plan.id, plan.plan, ScriptKind.FORWARD)
    first = await asyncpg.connect(database)
    await first.execute(forward[0].sql)
    before = await state_of(postgres, database)
    others = await asyncio.gather(
        run_statements(database, forward),
        *(run_script(postgres, database, replica, plan, kind) for kind in ScriptKind if kind is not ScriptKind.VERIFY),
        return_exceptions=True,
    )

    assert all(f"(process {first.get_server_pid()}, holdfast/script): run this again" in str(each) for each in others)
    assert await state_of(postgres, database) == before
    for statement in forward:
        await first.execute(statement.sql)
    await run_statements(database, forward)
    await first.close()


async def test_a_revision_that_gets_no_lock_is_run_again(database: str, replica: Harness) -> None:
    """It fails for that reason, leaves the settings of the connection as they were and nobody locked out, and goes on when asked to."""
    plan = await planned(replica, database, SCENARIOS[0])
    (source,) = (await reports.plan(replica.services, plan.id, PlanFormat.ALEMBIC, "")).values()
    revision: dict[str, Any] = {}
    exec(compile(source, "revision", "exec"), revision)  # noqa: S102 (the revision is what is tested)
    writer = await asyncpg.connect(database)
    await writer.execute("BEGIN; LOCK TABLE customers IN ROW EXCLUSIVE MODE")
    asked = sql_text("SELECT name, setting FROM pg_settings WHERE name NOT LIKE '%.%' ORDER BY name")
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection, Operations.context(MigrationContext.configure(connection)):
        before = connection.execute(asked).all()
        connection.commit()
        with pytest.raises(OperationalError, match="lock timeout"):
            revision["upgrade"]()
        after = connection.execute(asked).all()
        locks = connection.execute(sql_text("SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")).all()
        connection.commit()
        await writer.execute("ROLLBACK")
        revision["upgrade"]()
    engine.dispose()
    await writer.close()

    assert (await replica.apply(plan)).state is JobState.SUCCEEDED
    assert after == before
    assert not locks


async def test_the_way_back_is_exact_or_refused(postgres: Server, database: str, replica: Harness) -> None:
    """Rows that came after the plan was made go and come back, too; what would not come back exactly stops all of it."""
    plan = await planned(replica, database, SCRIPTED["cascades three levels deep are in the backup"])
    forward, back = (plain_statements(plan.id, plan.plan, kind) for kind in (ScriptKind.FORWARD, ScriptKind.ROLLBACK))
    writer = await asyncpg.connect(database)
    await writer.execute("INSERT INTO orders VALUES (500, 500); INSERT INTO order_items VALUES (900, 500)")
    before = await state_of(postgres, database)
    await run_statements(database, forward)
    await writer.execute("INSERT INTO orders VALUES (500, 1)")
    changed = await state_of(postgres, database)
    with pytest.raises(asyncpg.RaiseError, match="not exact, nothing was touched"):
        await run_statements(database, back)
    assert await state_of(postgres, database) == changed

    await writer.execute("DELETE FROM orders WHERE id = 500")
    await run_statements(database, back)
    assert await state_of(postgres, database) == before
    await writer.close()


async def test_flyway_files_are_sql_from_top_to_end(postgres: Server, database: str, replica: Harness, tmp_path: Path) -> None:
    """Flyway reads statements as psql does, so psql shows that the files are whole; what only Flyway reads is in the settings."""
    plan = await planned(replica, database, HOSTILE)
    before = await state_of(postgres, database)
    by_service = await applied_and_rolled_back(postgres, database, replica, plan)
    for name, text in (await reports.plan(replica.services, plan.id, PlanFormat.FLYWAY, "")).items():
        (tmp_path / name).write_bytes(text.encode())
    back, forward = sorted(path for path in tmp_path.iterdir() if path.suffix == ".sql")
    for path, expected in ((forward, by_service), (back, before)):
        program = str(postgres.binaries.program("psql"))
        place = Workplace(folder=tmp_path, files={}, dsn=database)
        await place.run(program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", str(path))
        assert await state_of(postgres, database) == expected
    settings = (tmp_path / f"{forward.name}.conf").read_text()
    assert "executeInTransaction=false" in settings


@pytest.mark.parametrize(("tool", "name"), ON_TOOLS)
async def test_the_tool_goes_forward_and_back(
    postgres: Server, database: str, replica: Harness, tmp_path: Path, tool: Tool, name: str
) -> None:
    """The tool itself, on a real database: as the service applies, and back to what was before but for the tool's own tables."""
    skip_if_missing(tool)
    plan = await planned(replica, database, SCRIPTED[name])
    before = await state_of(postgres, database)
    by_service = await applied_and_rolled_back(postgres, database, replica, plan)
    place = Workplace(folder=tmp_path, files=await reports.plan(replica.services, plan.id, PlanFormat(tool.format_name), ""), dsn=database)
    tool.prepare(place)

    await tool.forward(place)
    async with without_own_tables(database, tool):
        by_tool = await state_of(postgres, database)
    await tool.back(place)
    async with without_own_tables(database, tool):
        after = await state_of(postgres, database)

    assert by_tool == by_service
    assert after == before
