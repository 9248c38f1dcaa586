"""Opening a session on a target: in comes a DSN, out goes a connection under the session contract.

Nothing of the service's own surroundings takes part. asyncpg would fill gaps from PG* variables, ~/.pgpass and ~/.postgresql, and
so hand the service's password to whatever host a caller names; every parameter is therefore given.
"""

import asyncio
import ssl
from collections.abc import Mapping

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.target.dsn import Endpoint, SslMode, parse
from holdfastd.target.errors import FAILURES, sqlstate, translate_connecting

OLDEST_MAJOR = 14
#: For signatures where the driver itself has no business.
Connection = asyncpg.Connection

#: What every session runs under, whatever the role, the database or a pooler has set before. Values as SHOW prints them.
CONTRACT: Mapping[str, str] = {
    # Nobody's schema comes before pg_catalog: operators and functions are the server's own.
    "search_path": "",
    # Hidden rows become an error, not a wrong count.
    "row_security": "off",
    # After a wait, a statement must see what the others committed: a snapshot from before it would judge rows that are repaired.
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # "Done" in the ledger must survive a crash.
    "synchronous_commit": "on",
    # What is never ours to leave behind: a transaction without a client, or a wait without an end.
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "5s",
    "idle_session_timeout": "0",
    # Values as text must round-trip, on every server alike.
    "extra_float_digits": "1",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "array_nulls": "on",
    "xmloption": "content",
    # Anti-joins are estimated high; compiling them costs more than it gains.
    "jit": "off",
}
#: A server-side statement ends soon after its client died. Refused by servers that cannot poll sockets (not Linux or BSD).
_CLIENT_CHECK = {"client_connection_check_interval": "1s"}
_TRANSACTION_TIMEOUT_MAJOR = 17

# The parser turns an unqualified unnest of several arrays into pg_catalog's own; a qualified one it does not know.
_SET = """
SELECT pg_catalog.set_config(name, value, false)
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS setting (name, value)
"""


async def connect(
    dsn: str,
    *,
    application_name: str,
    read_only: bool,
    statement_timeout_ms: int = 0,
    timeout: float = 10,  # noqa: ASYNC109 (connecting has its own limit, which callers choose by target)
) -> asyncpg.Connection:
    """Open a session under the contract; the caller closes it."""
    endpoint = parse(dsn)
    try:
        async with asyncio.timeout(timeout):
            connection = await _open(endpoint, timeout)
            try:
                _refuse_too_old(connection)
                await _set_contract(connection, application_name, statement_timeout_ms, read_only=read_only)
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


async def _open(endpoint: Endpoint, limit: float) -> asyncpg.Connection:
    """Try the transports that the SSL mode allows, in its order."""
    attempts = _transports(endpoint)
    for number, transport in enumerate(attempts, start=1):
        try:
            return await asyncpg.connect(
                host=endpoint.host,
                port=endpoint.port,
                database=endpoint.database,
                user=endpoint.user,
                # An empty password is one, so that PGPASSWORD and ~/.pgpass are not looked at.
                password=endpoint.password,
                ssl=transport,
                direct_tls=False,
                target_session_attrs="any",
                krbsrvname="postgres",
                gsslib="gssapi",
                timeout=limit,
                # Poolers in transaction mode do not know prepared statements of other sessions.
                statement_cache_size=0,
            )
        except (OSError, asyncpg.InvalidAuthorizationSpecificationError) as error:
            if number == len(attempts) or not _may_other_transport_help(error):
                raise
    raise AssertionError


def _transports(endpoint: Endpoint) -> tuple[ssl.SSLContext | bool, ...]:
    """Return what asyncpg's `ssl` is to be in turn, as libpq's sslmode says; unix sockets know no TLS."""
    if endpoint.is_socket or endpoint.ssl_mode is SslMode.DISABLE:
        return (False,)
    context = _tls(endpoint.ssl_mode)
    if endpoint.ssl_mode is SslMode.ALLOW:
        return (False, context)
    return (context, False) if endpoint.ssl_mode is SslMode.PREFER else (context,)


def _tls(mode: SslMode) -> ssl.SSLContext:
    """Return a context made here: asyncpg's own would read ~/.postgresql and PGSSL* variables."""
    if mode in {SslMode.VERIFY_CA, SslMode.VERIFY_FULL}:
        context = ssl.create_default_context()
        context.check_hostname = mode is SslMode.VERIFY_FULL
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _may_other_transport_help(error: Exception) -> bool:
    """Tell whether TLS failed (a bare ConnectionError: the server knows none) or pg_hba.conf wants the other transport."""
    if isinstance(error, asyncpg.PostgresError):
        return sqlstate(error) == "28000"
    return isinstance(error, ssl.SSLError) or type(error) is ConnectionError


def _refuse_too_old(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_MAJOR:
        text = f"{version.major}.{version.minor}"
        raise Refused(
            f"The target runs PostgreSQL {text}; Holdfast needs {OLDEST_MAJOR} or newer.",
            reason=Reason.TARGET_TOO_OLD,
            facts={"version": text},
        )


async def _set_contract(connection: asyncpg.Connection, application_name: str, statement_timeout_ms: int, *, read_only: bool) -> None:
    """Set the contract by statements: poolers refuse unknown startup parameters."""
    settings = dict(CONTRACT)
    settings["application_name"] = application_name
    settings["statement_timeout"] = str(statement_timeout_ms)
    settings["default_transaction_read_only"] = "on" if read_only else "off"
    if connection.get_server_version().major >= _TRANSACTION_TIMEOUT_MAJOR:
        # A role's transaction_timeout would end an index build in the middle and leave it invalid.
        settings["transaction_timeout"] = "0"
    await connection.execute(_SET, list(settings), list(settings.values()))
    try:
        await connection.execute(_SET, list(_CLIENT_CHECK), list(_CLIENT_CHECK.values()))
    except asyncpg.InvalidParameterValueError:
        return
