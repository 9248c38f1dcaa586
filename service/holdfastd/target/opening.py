"""Connecting to a target and logging in: in come an endpoint and a policy, out goes a connection of the driver.

Nothing of the service's own surroundings takes part. asyncpg would fill gaps from PG* variables, ~/.pgpass and ~/.postgresql, and
so hand the service's password to whatever host a caller names; every parameter is therefore given.
"""

import asyncio
import socket
import ssl

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.target.destination import TargetPolicy, not_allowed
from holdfastd.target.dsn import Endpoint, SslMode
from holdfastd.target.errors import sqlstate
from holdfastd.target.login import WatchedLoop
from holdfastd.target.tls import context_for
from holdfastd.target.wire import WireConnection


async def open_connection(endpoint: Endpoint, policy: TargetPolicy, limit: float) -> WireConnection:
    """Try the transports that the SSL mode allows, in its order, at the very addresses that were checked; errors are the driver's."""
    addresses = await _admitted(endpoint, policy)
    attempts = _transports(endpoint, policy)
    for number, tls in enumerate(attempts, start=1):
        try:
            return await _log_in(endpoint, addresses, tls, limit)
        except (OSError, asyncpg.InvalidAuthorizationSpecificationError, _PasswordAsked) as error:
            if number == len(attempts) or not _may_other_transport_help(error):
                raise
    raise AssertionError


async def _admitted(endpoint: Endpoint, policy: TargetPolicy) -> list[str]:
    """Return the addresses of the host that may be connected to. Resolved once: asked again, a name server may answer otherwise."""
    hosts, host, port = policy.hosts, endpoint.host, endpoint.port
    if endpoint.is_socket:
        if not hosts.admits_directory(host, port):
            raise not_allowed()
        return [host]
    if not hosts.may_admit(host, port):
        raise not_allowed()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        if hosts.rules and not hosts.names(host, port):
            # Otherwise the list would tell which names exist.
            raise not_allowed() from None
        raise
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    admitted = [address for address in addresses if hosts.admits(host, port, address)]
    if not admitted:
        raise not_allowed()
    return admitted


async def _log_in(endpoint: Endpoint, addresses: list[str], tls: ssl.SSLContext | None, limit: float) -> WireConnection:
    loop = WatchedLoop(asyncio.get_running_loop())
    is_clear = tls is None and not endpoint.is_socket
    try:
        connection: WireConnection = await asyncpg.connect(
            host=addresses,
            port=endpoint.port,
            database=endpoint.database,
            user=endpoint.user,
            # An empty password is one, so that PGPASSWORD and ~/.pgpass are not looked at.
            password=endpoint.password,
            # None would mean `prefer`.
            ssl=tls or False,
            direct_tls=False,
            target_session_attrs="any",
            krbsrvname="postgres",
            gsslib="gssapi",
            timeout=limit,
            loop=loop if is_clear else None,
            connection_class=WireConnection,
            # Poolers in transaction mode do not know prepared statements of other sessions.
            statement_cache_size=0,
        )
    except Exception:
        if loop.was_asked:
            raise _PasswordAsked from None
        raise
    return connection


class _PasswordAsked(Refused):
    """The server wants the password itself, and anybody on the way could read it."""

    def __init__(self) -> None:
        message = "The target asks for the password in clear over an unencrypted connection; add sslmode=verify-full, or at least require."
        super().__init__(message, reason=Reason.TARGET_TLS_REQUIRED, facts={"sslmode": SslMode.REQUIRE})


def _transports(endpoint: Endpoint, policy: TargetPolicy) -> tuple[ssl.SSLContext | None, ...]:
    """Return the TLS to try in turn, as libpq's sslmode says; None: without. Unix sockets know none."""
    if endpoint.is_socket or endpoint.ssl_mode is SslMode.DISABLE:
        return (None,)
    context = context_for(endpoint.ssl_mode, endpoint.host, policy.authorities)
    if endpoint.ssl_mode is SslMode.ALLOW:
        return (None, context)
    return (context, None) if endpoint.ssl_mode is SslMode.PREFER else (context,)


def _may_other_transport_help(error: Exception) -> bool:
    """Tell whether the server knows no TLS (a bare ConnectionError), wants it, or pg_hba.conf wants the other transport.

    Not whether a handshake failed: libpq goes on without TLS then, which is what somebody who breaks handshakes hopes for.
    """
    if isinstance(error, asyncpg.PostgresError):
        return sqlstate(error) == "28000"
    return isinstance(error, _PasswordAsked) or type(error) is ConnectionError
