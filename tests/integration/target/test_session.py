"""Sessions on a target: the contract holds whatever role and database say, and errors tell nothing of the DSN."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from holdfastd.errors import HoldfastError, Reason, Refused, Unavailable
from holdfastd.target.session import CONTRACT, connect
from support.postgres import PASSWORD_GROUP, Server, database_name

CANARY = "c4n4ry-p4ssword"


async def settings_of(connection: asyncpg.Connection) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings WHERE source = 'session'"
    )
    return {row["name"].lower(): row["value"] for row in rows}


async def test_the_contract_overrides_role_and_database(any_postgres: Server, any_database: str) -> None:
    """A role's own timeouts would stop an index build in the middle; a search_path would choose our operators."""
    name = database_name(any_database)
    await any_postgres.execute(
        f"ALTER DATABASE {name} SET search_path = public; ALTER DATABASE {name} SET row_security = on;"
        f"ALTER DATABASE {name} SET statement_timeout = '1s'; ALTER DATABASE {name} SET datestyle = 'German';"
        f"ALTER DATABASE {name} SET synchronous_commit = off; ALTER DATABASE {name} SET default_transaction_read_only = on"
    )
    connection = await connect(any_database, application_name="holdfast/test", read_only=False, statement_timeout_ms=90_000)
    try:
        settings = await settings_of(connection)
        version = connection.get_server_version().major
    finally:
        await connection.close()

    expected = dict(CONTRACT) | {
        "application_name": "holdfast/test",
        "statement_timeout": "90s",
        "default_transaction_read_only": "off",
        "client_connection_check_interval": "1s",
    }
    if version >= 17:
        expected["transaction_timeout"] = "0"
    assert settings == expected


async def test_a_read_only_session_does_not_write(database: str) -> None:
    """A guard against mistakes; the boundary is the role."""
    connection = await connect(database, application_name="test", read_only=True)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE public.t ()")
    finally:
        await connection.close()


async def test_it_works_through_a_unix_socket(postgres: Server) -> None:
    """The directory of the socket stands in the option `host`."""
    connection = await connect(postgres.socket_dsn(), application_name="test", read_only=True)
    await connection.close()


async def test_passwords_of_the_service_are_never_sent(postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PGPASSWORD, PGPASSFILE and PGHOST are the service's own: a DSN without a password logs in without one."""
    await postgres.execute(f"DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD '{CANARY}' IN ROLE {PASSWORD_GROUP}")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:*:{CANARY}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSWORD", CANARY)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGSSLMODE", "verify-full")

    with pytest.raises(Refused) as caught:
        await connect(postgres.dsn(role="guarded"), application_name="test", read_only=True)
    assert caught.value.reason is Reason.TARGET_LOGIN_REFUSED
    connection = await connect(postgres.dsn(role="guarded", password=CANARY), application_name="test", read_only=True)
    await connection.close()


ERRORS: dict[str, tuple[Callable[[Server], str], type[HoldfastError], Reason]] = {
    "nobody listens": (lambda _: f"postgresql://me:{CANARY}@127.0.0.1:1/{CANARY}", Unavailable, Reason.TARGET_UNREACHABLE),
    "no such host": (lambda _: f"postgresql://me:{CANARY}@{CANARY}.invalid/db", Unavailable, Reason.TARGET_UNREACHABLE),
    "a name no host can have": (lambda _: f"postgresql://me:{CANARY}@{'a' * 70}.invalid/db", Unavailable, Reason.TARGET_UNREACHABLE),
    "no such socket": (lambda _: f"postgresql://me@/db?host=/{CANARY}", Unavailable, Reason.TARGET_UNREACHABLE),
    "no such user": (lambda server: server.dsn(role=CANARY, password=CANARY), Refused, Reason.TARGET_LOGIN_REFUSED),
    "no such database": (lambda server: server.dsn(CANARY), Refused, Reason.TARGET_LOGIN_REFUSED),
    "no TLS": (lambda server: server.dsn() + "?sslmode=require", Unavailable, Reason.TARGET_UNREACHABLE),
    "no verified TLS": (lambda server: server.dsn() + "?sslmode=verify-full", Unavailable, Reason.TARGET_UNREACHABLE),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_errors_tell_nothing_of_the_dsn(case: str, postgres: Server) -> None:
    """Neither the message nor the facts nor the chain of causes hold a word of it."""
    make, kind, reason = ERRORS[case]
    with pytest.raises(kind) as caught:
        await connect(make(postgres), application_name="test", read_only=True)

    error = caught.value
    assert error.reason is reason
    assert CANARY not in f"{error} {error.facts}"
    assert "127.0.0.1" not in f"{error} {error.facts}"
    assert error.__suppress_context__


async def test_a_role_that_may_not_connect(postgres: Server, database: str) -> None:
    """The GRANT that cures it is named, and cures it."""
    name = database_name(database)
    await postgres.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; DROP ROLE IF EXISTS outsider; CREATE ROLE outsider LOGIN")
    with pytest.raises(Refused) as caught:
        await connect(postgres.dsn(name, role="outsider"), application_name="test", read_only=True)

    assert caught.value.reason is Reason.MISSING_PRIVILEGE
    assert caught.value.facts == {"grant": f'GRANT CONNECT ON DATABASE "{name}" TO "outsider"'}
    await postgres.execute(caught.value.facts["grant"])
    connection = await connect(postgres.dsn(name, role="outsider"), application_name="test", read_only=True)
    await connection.close()


async def serve(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> tuple[asyncio.Server, str]:
    """A server that is not PostgreSQL."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, f"postgresql://me:{CANARY}@127.0.0.1:{server.sockets[0].getsockname()[1]}/db"


async def test_a_server_that_never_answers() -> None:
    """The time limit holds for the whole of connecting."""
    silent: list[asyncio.StreamWriter] = []
    server, dsn = await serve(lambda _, writer: silent.append(writer))
    try:
        with pytest.raises(Unavailable, match="did not answer in time"):
            await connect(dsn, application_name="test", read_only=True, timeout=0.3)
    finally:
        for writer in silent:
            writer.close()
        server.close()


@pytest.mark.parametrize("answer", [b"", b"S", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"NR\x00\x00\x00\x08\x00\x00\x00\x03"])
async def test_a_server_that_speaks_something_else(answer: bytes) -> None:
    """Whatever it answers is a target that cannot be reached; no password in clear is asked twice for."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    server, dsn = await serve(speak)
    try:
        with pytest.raises(Unavailable) as caught:
            await connect(dsn, application_name="test", read_only=True, timeout=3)
    finally:
        server.close()
    assert caught.value.reason is Reason.TARGET_UNREACHABLE
