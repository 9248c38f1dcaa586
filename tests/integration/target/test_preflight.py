"""What the preflight says of roles with this or that privilege, and that its cures cure."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Reason, Refused
from holdfastd.names import TableName
from holdfastd.target.errors import translate
from holdfastd.target.preflight.check import Check, Outcome
from holdfastd.target.preflight.run import check_database, check_server
from holdfastd.target.session import connect, refuse_forgetful
from support.postgres import Server, database_name

_TABLES = """
CREATE SCHEMA app; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE ROLE {owner}; GRANT ALL ON SCHEMA app, public TO {owner};
CREATE TABLE app.users (id integer PRIMARY KEY); CREATE TABLE public.orders (id integer PRIMARY KEY, user_id integer);
ALTER TABLE app.users OWNER TO {owner}; ALTER TABLE public.orders OWNER TO {owner};
CREATE ROLE {role} LOGIN
"""


@pytest.fixture
async def roles(postgres: Server, database: str) -> AsyncIterator[dict[str, str]]:
    """Two tables of an owner, and a role that may nothing yet."""
    names = {"owner": f"owner_{secrets.token_hex(4)}", "role": f"role_{secrets.token_hex(4)}"}
    await postgres.execute(_TABLES.format(**names), database=database_name(database))
    yield names
    await postgres.execute(
        "DROP OWNED BY {role}, {owner} CASCADE; DROP ROLE {role}, {owner}".format(**names), database=database_name(database)
    )


async def checks_of(dsn: str) -> dict[str, Check]:
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        return {each.id: each for each in await check_database(connection, await read_catalog(connection))}
    finally:
        await connection.close()


async def test_a_superuser_may_everything(any_database: str) -> None:
    """Nothing is in the way on any version, and a passed check cures nothing; only the role's power itself is worth a word."""
    checks = await checks_of(any_database)

    assert [each.id for each in checks.values() if not each.passed] == ["superuser"]
    assert checks["superuser"].outcome is Outcome.WARNING
    assert {each.cure for each in checks.values() if each.passed} == {""}


async def test_what_a_new_role_lacks(postgres: Server, database: str, roles: dict[str, str]) -> None:
    """Everything missing is named at once."""
    checks = await checks_of(postgres.dsn(database_name(database), role=roles["role"]))

    failed = {each.id: (each.outcome, each.cure.format(**roles)) for each in checks.values() if not each.passed}
    role, owner = roles["role"], roles["owner"]
    assert failed == {
        "own_schema": (Outcome.BLOCKS_APPLICATION, f'GRANT CREATE ON DATABASE "{database_name(database)}" TO "{role}"'),
        "schema_usage": (Outcome.BLOCKS_AUDIT, f'GRANT USAGE ON SCHEMA "app" TO "{role}"'),
        "select": (Outcome.BLOCKS_AUDIT, f'GRANT SELECT ON "app"."users", "public"."orders" TO "{role}"'),
        "ownership": (Outcome.BLOCKS_APPLICATION, f'GRANT "{owner}" TO "{role}"'),
        "references": (Outcome.BLOCKS_APPLICATION, f'GRANT REFERENCES ON "app"."users", "public"."orders" TO "{role}"'),
        "index_builds": (Outcome.BLOCKS_APPLICATION, f'GRANT CREATE ON SCHEMA "app", "public" TO "{role}"'),
    }
    assert checks["select"].message == f'Role "{role}" may not read tables app.users, public.orders; their rows cannot be counted.'


async def test_the_cures_cure(postgres: Server, database: str, roles: dict[str, str]) -> None:
    """After running every cure nothing fails any more."""
    dsn = postgres.dsn(database_name(database), role=roles["role"])
    for each in (await checks_of(dsn)).values():
        if each.cure:
            await postgres.execute(each.cure, database=database_name(database))

    assert [each.id for each in (await checks_of(dsn)).values() if not each.passed] == []


async def test_row_security_blocks_an_audit(postgres: Server, database: str, roles: dict[str, str]) -> None:
    """Rows that a role cannot see cannot be counted; BYPASSRLS cures."""
    await postgres.execute(
        "ALTER TABLE app.users ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA app TO {role}; GRANT SELECT ON app.users TO {role}".format(
            **roles
        ),
        database=database_name(database),
    )
    dsn = postgres.dsn(database_name(database), role=roles["role"])
    before = (await checks_of(dsn))["row_security"]
    await postgres.execute(before.cure)

    assert before.outcome is Outcome.BLOCKS_AUDIT
    assert (await checks_of(dsn))["row_security"].passed


async def test_a_read_only_default_blocks_applications(postgres: Server, database: str) -> None:
    """It is seen although our own sessions set it, too."""
    await postgres.execute(f"ALTER DATABASE {database_name(database)} SET default_transaction_read_only = on")

    writable = (await checks_of(database))["writable"]
    assert writable.outcome is Outcome.BLOCKS_APPLICATION


async def test_a_pooler_blocks_applications(database: str) -> None:
    """Poolers announce a process of their own; the backend that answers is another."""
    connection = await connect(database, application_name="test", read_only=True)
    other = await connect(database, application_name="test", read_only=True)
    try:
        checks = await check_server(Announcing(connection, other.get_server_pid()))
    finally:
        await connection.close()
        await other.close()

    direct = next(each for each in checks if each.id == "direct_connection")
    assert (direct.outcome, direct.reason) == (Outcome.BLOCKS_APPLICATION, Reason.TARGET_POOLED)


async def test_an_endpoint_of_a_pooler_is_a_warning(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sessions may happen to keep their settings now; the server behind it is named, and a session that forgets names it, too."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    monkeypatch.setattr(loop, "getaddrinfo", lambda _, *rest, **options: real("127.0.0.1", *rest, **options))
    dsn = postgres.dsn().replace("127.0.0.1", "ep-odd-1-pooler.eu-west-2.aws.neon.tech")
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        direct = next(each for each in await check_server(connection) if each.id == "direct_connection")
        await connection.execute("SET row_security = on")
        with pytest.raises(Refused) as caught:
            await refuse_forgetful(connection, {"row_security": "off"})
    finally:
        await connection.close()

    server = f"ep-odd-1.eu-west-2.aws.neon.tech:{postgres.port}"
    assert (direct.outcome, direct.cure) == (Outcome.WARNING, f"Register the DSN of the server itself ({server}).")
    assert caught.value.facts["direct"] == server
    assert server in caught.value.message


class Announcing:
    """A real session that was told another backend's process id when it connected, as a pooler does."""

    def __init__(self, connection: asyncpg.Connection, pid: int) -> None:
        self._connection, self._pid = connection, pid

    def get_server_pid(self) -> int:
        return self._pid

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE public.t ()", Reason.TARGET_READ_ONLY),
        ("SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())", Reason.TARGET_UNREACHABLE),
        ("SELECT pg_catalog.pg_cancel_backend(pg_catalog.pg_backend_pid())", Reason.TARGET_UNREACHABLE),
        ("SELECT pg_catalog.pg_read_file('secret')", Reason.MISSING_PRIVILEGE),
        ("SELECT 'secret'::integer", Reason.INTERNAL),
    ],
)
async def test_errors_of_statements(sql: str, reason: Reason, postgres: Server, database: str, roles: dict[str, str]) -> None:
    """By reason, and without a word of the server's."""
    connection = await connect(postgres.dsn(database_name(database), role=roles["role"]), application_name="test", read_only=True)
    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
            await connection.execute(sql)
    finally:
        connection.terminate()

    error = translate(caught.value, role=roles["role"])
    assert error.reason is reason
    assert "secret" not in f"{error} {error.facts}"


def test_a_missing_privilege_names_its_grant() -> None:
    """When the table is known, the GRANT is."""
    error = translate(asyncpg.InsufficientPrivilegeError("permission denied"), role="me", table=TableName("a", "b"), privilege="DELETE")

    assert error.facts == {"grant": 'GRANT DELETE ON "a"."b" TO "me"'}
