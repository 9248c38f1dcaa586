"""Sessions on a target: the contract holds whatever role and database say, and errors tell nothing of the DSN."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from holdfastd.errors import HoldfastError, Reason, Refused, Unavailable
from holdfastd.session_contract import CLIENT_CHECK, CONTRACT, KEEPALIVES, TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_MAJOR
from holdfastd.target.session import connect, refuse_forgetful
from support.listener import wait_until
from support.postgres import PASSWORD_GROUP, Server, database_name

CANARY = "c4n4ry-p4ssword"


async def settings_of(connection: asyncpg.Connection) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings WHERE source = 'session'"
    )
    return {row["name"].lower(): row["value"] for row in rows}


async def test_the_contract_overrides_role_and_database(any_postgres: Server, any_database: str) -> None:
    """A role's own timeouts would stop an index build in the middle; a search_path would choose our operators."""
    name, role = database_name(any_database), f"set_up_{secrets.token_hex(4)}"
    hostile = {
        "statement_timeout": "1s",
        "lock_timeout": "1s",
        "idle_in_transaction_session_timeout": "1s",
        "idle_session_timeout": "1s",
        "search_path": "public",
        "row_security": "on",
        "datestyle": "German",
        "synchronous_commit": "off",
        "client_connection_check_interval": "0",
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "repeatable read",
    }
    if any_postgres.major >= TRANSACTION_TIMEOUT_MAJOR:
        hostile["transaction_timeout"] = "1s"
    await any_postgres.execute(f"CREATE ROLE {role} LOGIN")
    for setting, value in hostile.items():
        await any_postgres.execute(f"ALTER ROLE {role} SET {setting} = '{value}'; ALTER DATABASE {name} SET {setting} = '{value}'")
    connection = await connect(
        any_postgres.dsn(name, role=role), application_name="holdfast/test", read_only=False, statement_timeout_ms=90_000
    )
    try:
        settings = await settings_of(connection)
        version = connection.get_server_version().major
    finally:
        await connection.close()
        await any_postgres.execute(f"DROP ROLE {role}")

    expected = {**CONTRACT, **CLIENT_CHECK, **KEEPALIVES} | {
        "application_name": "holdfast/test",
        "statement_timeout": "90s",
        "default_transaction_read_only": "off",
    }
    if version >= TRANSACTION_TIMEOUT_MAJOR:
        expected |= TRANSACTION_TIMEOUT
    assert settings == expected


@pytest.mark.parametrize("forgets", ["DISCARD ALL", "RESET row_security", "SET search_path = public", "SET lock_timeout = '6s'"])
async def test_a_session_that_forgets_is_refused(database: str, forgets: str) -> None:
    """What a pooler does between two transactions shows when the settings are read back."""
    connection = await connect(database, application_name="test", read_only=True)
    try:
        await refuse_forgetful(connection, CONTRACT)
        await connection.execute(forgets)
        with pytest.raises(Refused) as caught:
            await refuse_forgetful(connection, CONTRACT)
    finally:
        await connection.close()
    assert caught.value.reason is Reason.TARGET_POOLED


async def test_a_pooler_in_transaction_mode_is_refused(postgres: Server, database: str, tmp_path: Path) -> None:
    """Each of its transactions may run in another session, without row_security, without a search_path."""
    pgbouncer = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if pgbouncer is None:
        pytest.skip("pgbouncer is not installed")
    port = free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres.port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        "unix_socket_dir =\nauth_type = any\nauth_file =\npool_mode = transaction\n"
        "server_reset_query_always = 1\nserver_reset_query = DISCARD ALL\n"
    )
    for path in (tmp_path, *list(tmp_path.parents)[:3]):
        path.chmod(0o755)
    account = ("-u", "nobody") if os.getuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        pgbouncer, "-q", *account, str(settings), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await listening(port)
        with pytest.raises(Refused) as caught:
            await connect(database.replace(f":{postgres.port}/", f":{port}/"), application_name="test", read_only=True)
    finally:
        process.kill()
        await process.wait()
    assert caught.value.reason is Reason.TARGET_POOLED
    assert "row_security" in caught.value.facts["settings"]


_SLEEPER = """
import asyncio, sys
from holdfastd.target.session import connect

async def main():
    connection = await connect(sys.argv[1], application_name="sleeper", read_only=False)
    await connection.execute("SELECT pg_sleep(600)")

asyncio.run(main())
"""


async def test_a_killed_client_leaves_no_statement_behind(any_postgres: Server, any_database: str) -> None:
    """Without client_connection_check_interval a queued ALTER TABLE would take effect long after whoever asked for it died."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SLEEPER, any_database)
    observer = await asyncpg.connect(any_database)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sleeper' AND query LIKE '%pg_sleep%'"
    await wait_until(observer, f"SELECT ({sleeping}) = 1")
    process.kill()
    await process.wait()
    killed = asyncio.get_running_loop().time()
    await wait_until(observer, f"SELECT ({sleeping}) = 0")
    survived = asyncio.get_running_loop().time() - killed
    await observer.close()

    assert survived < 2.5


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


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
