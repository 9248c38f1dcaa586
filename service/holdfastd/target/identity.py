"""Which database a session leads to."""

import hashlib

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.target.errors import FAILURES, translate

_DATABASE = """
SELECT database.oid::pg_catalog.int8 AS oid,
       database.datname AS name,
       database.xmin::pg_catalog.text AS created_by,
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version_number,
       pg_catalog.current_setting('server_version') AS version
FROM pg_catalog.pg_database AS database
WHERE database.datname = pg_catalog.current_database()
"""

_SURROGATE = "surrogate-"

# Public in PostgreSQL itself; some hosts revoke it.
_MAY_READ = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
_SYSTEM = "SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()"


async def read_identity(connection: asyncpg.Connection) -> Identity:
    """Return the identity of the database that the session is in."""
    try:
        database = await connection.fetchrow(_DATABASE)
        system_identifier = await connection.fetchval(_SYSTEM) if await connection.fetchval(_MAY_READ) else _surrogate(database)
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    return Identity(
        system_identifier=system_identifier,
        database_oid=database["oid"],
        database_name=database["name"],
        version_number=database["version_number"],
        # Packagers append their own: `15.18 (Debian 15.18-0+deb12u1)`.
        version=database["version"].partition(" ")[0],
    )


def is_surrogate(identity: Identity) -> bool:
    """Tell whether the host hides the system identifier, so that another one stands in for it."""
    return identity.system_identifier.startswith(_SURROGATE)


def session_role(connection: asyncpg.Connection) -> str:
    """Return the role that logged in, as the server reported it; empty when the connection is gone, and what it knew with it."""
    try:
        return str(connection.get_settings().session_authorization)
    except AttributeError:
        return ""


def _surrogate(database: asyncpg.Record) -> str:
    """Return an identifier that survives restarts and failovers; weaker, as two servers set up alike could share it."""
    text = f"{database['oid']}/{database['name']}/{database['created_by']}"
    return _SURROGATE + hashlib.sha256(text.encode()).hexdigest()[:16]
