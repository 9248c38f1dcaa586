"""Opening a session on a target: in comes a DSN, out goes a connection under the session contract.

Where to connect to, and how, is decided in `opening`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.session_contract import CLIENT_CHECK, CONTRACT, KEEPALIVES, TRANSACTION_TIMEOUT, TRANSACTION_TIMEOUT_MAJOR
from holdfastd.target.destination import Destination
from holdfastd.target.dsn import parse
from holdfastd.target.errors import FAILURES, translate_connecting
from holdfastd.target.opening import open_connection
from holdfastd.target.pooled import recognise

OLDEST_MAJOR = 14
#: For signatures where the driver itself has no business.
Connection = asyncpg.Connection

# The parser turns an unqualified unnest of several arrays into pg_catalog's own; a qualified one it does not know.
_SET = """
SELECT name, pg_catalog.set_config(name, value, false) AS value
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS setting (name, value)
"""
_READ = """
SELECT name, pg_catalog.current_setting(name) AS value
FROM unnest($1::pg_catalog.text[]) AS setting (name)
"""


async def connect(
    destination: Destination | str,
    *,
    application_name: str,
    read_only: bool,
    statement_timeout_ms: int = 0,
    timeout: float = 10,  # noqa: ASYNC109 (connecting has its own limit, which callers choose by target)
) -> asyncpg.Connection:
    """Open a session under the contract, where the policy allows it (a bare DSN: the default one); the caller closes it."""
    if isinstance(destination, str):
        destination = Destination(dsn=destination)
    endpoint = parse(destination.dsn)
    destination.policy.refuse_weak_tls(endpoint)
    try:
        async with asyncio.timeout(timeout):
            connection = await open_connection(endpoint, destination.policy, timeout)
            connection.pooled = recognise(endpoint)
            try:
                _refuse_too_old(connection)
                kept = await _set_contract(connection, application_name, statement_timeout_ms, read_only=read_only)
                await _set_liveness(connection, is_socket=endpoint.is_socket)
                await refuse_forgetful(connection, kept)
            except BaseException:
                connection.terminate()
                raise
            return connection
    except (*FAILURES, ValueError, ssl.CertificateError) as error:
        # `from None`: the driver's text names host and user, and the traceback would carry it into a log.
        raise translate_connecting(error, endpoint) from None


async def close(connection: asyncpg.Connection) -> None:
    """Close a session, by force when it does not answer."""
    try:
        await connection.close(timeout=5)
    except FAILURES:
        connection.terminate()


def _refuse_too_old(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_MAJOR:
        text = f"{version.major}.{version.minor}"
        raise Refused(
            f"The target runs PostgreSQL {text}; Holdfast needs {OLDEST_MAJOR} or newer.",
            reason=Reason.TARGET_TOO_OLD,
            facts={"version": text},
        )


async def _set_contract(
    connection: asyncpg.Connection, application_name: str, statement_timeout_ms: int, *, read_only: bool
) -> dict[str, str]:
    """Set the contract by statements, because poolers refuse unknown startup parameters; return the settings as SHOW prints them."""
    settings = dict(CONTRACT)
    settings["application_name"] = application_name
    settings["statement_timeout"] = str(statement_timeout_ms)
    settings["default_transaction_read_only"] = "on" if read_only else "off"
    if connection.get_server_version().major >= TRANSACTION_TIMEOUT_MAJOR:
        settings |= TRANSACTION_TIMEOUT
    rows = await connection.fetch(_SET, list(settings), list(settings.values()))
    return {row["name"]: row["value"] for row in rows}


async def _set_liveness(connection: asyncpg.Connection, *, is_socket: bool) -> None:
    """Let the server notice that we are gone, where it can."""
    for settings in (CLIENT_CHECK,) if is_socket else (CLIENT_CHECK, KEEPALIVES):
        with contextlib.suppress(asyncpg.InvalidParameterValueError):
            await connection.execute(_SET, list(settings), list(settings.values()))


async def refuse_forgetful(connection: asyncpg.Connection, expected: Mapping[str, str]) -> None:
    """Refuse a session that does not keep what was set: a pooler hands every transaction to another one, or resets it in between."""
    kept = {row["name"]: row["value"] for row in await connection.fetch(_READ, list(expected))}
    lost = sorted(name for name, value in expected.items() if kept[name] != value)
    if lost:
        pooled = getattr(connection, "pooled", None)
        cure = pooled.cure if pooled else "Register a direct DSN, or one of a pooler in session mode."
        message = f"The session does not keep its settings ({', '.join(lost)}): a pooler in between resets or swaps it. {cure}"
        direct = {"direct": pooled.direct} if pooled and pooled.direct else {}
        raise Refused(message, reason=Reason.TARGET_POOLED, facts={"settings": ", ".join(lost), **direct})
