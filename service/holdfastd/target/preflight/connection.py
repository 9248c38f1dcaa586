"""What the session is connected to: the right database, the server itself, one that takes writes, and as whom."""

import asyncpg

from holdfastd.catalog.model import Identity
from holdfastd.errors import HoldfastError, Reason, Unavailable
from holdfastd.names import identifier
from holdfastd.target.access import ServerAccess, read_server_access
from holdfastd.target.identity import is_surrogate
from holdfastd.target.pooled import Pooled
from holdfastd.target.preflight.check import Check, blocks_application, blocks_audit, passed, warning
from holdfastd.target.session import OLDEST_MAJOR

_NEWEST_MAJOR = 18
#: What a session that cannot be opened is refused with.
_CANNOT_CONNECT = frozenset(
    {Reason.TARGET_UNREACHABLE, Reason.TARGET_LOGIN_REFUSED, Reason.TARGET_TOO_OLD, Reason.DSN_UNREADABLE, Reason.MISSING_PRIVILEGE}
    | {Reason.HOST_NOT_ALLOWED, Reason.TARGET_TLS_REQUIRED}
)
_NOT_POOLED = "Register the DSN of the server itself, not of the pooler."


def failed_connection(error: HoldfastError) -> Check:
    """Return the check that says why there is no session; other errors are raised again."""
    if error.reason is Reason.TARGET_CHANGED:
        cure = "Correct the DSN with `holdfast databases update`, or remove the database and add it again."
        return blocks_audit("target_identity", error.reason, error.message, cure)
    if error.reason is Reason.TARGET_POOLED:
        direct = error.facts.get("direct")
        cure = f"Register the DSN of the server itself ({direct})." if direct else _NOT_POOLED
        return blocks_audit("direct_connection", error.reason, error.message, cure)
    if error.reason not in _CANNOT_CONNECT:
        raise error
    if isinstance(error, Unavailable):
        cure = "Start the server or correct host and port with `holdfast databases update`."
    elif error.reason is Reason.HOST_NOT_ALLOWED:
        cure = "Add the host to HOLDFAST_ALLOWED_HOSTS where holdfastd runs, or correct the DSN with `holdfast databases update`."
    else:
        cure = error.facts.get("grant") or "Correct the DSN with `holdfast databases update`."
    return blocks_audit("connection", error.reason, error.message, cure)


async def check_connection(connection: asyncpg.Connection, identity: Identity | None = None) -> list[Check]:
    """Check the session; with an identity, which the caller has compared, tell that it is the registered one."""
    server = await read_server_access(connection)
    major = connection.get_server_version().major
    return [
        *([_target_identity(identity)] if identity else []),
        _direct_connection(server, connection.get_server_pid(), getattr(connection, "pooled", None)),
        _version(major),
        _writable(server),
        _replication_role(server),
        _superuser(server),
        _own_schema(server),
    ]


def _target_identity(identity: Identity) -> Check:
    name = "target_identity"
    if is_surrogate(identity):
        seen = "The connection leads to the registered database, as far as names and ids tell: the host hides the system identifier."
        cure = (
            "A clone under the same name would pass, too. GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() to the role if you can."
        )
        return warning(name, seen, cure)
    which = f"system identifier {identity.system_identifier}, database oid {identity.database_oid}"
    return passed(name, f"The connection leads to the registered database ({which}).")


def _direct_connection(server: ServerAccess, pid: int, pooled: Pooled | None) -> Check:
    name = "direct_connection"
    if server.pid != pid:
        seen = "A connection pooler stands between Holdfast and the server; locks and settings of a session do not survive it."
        return blocks_application(name, Reason.TARGET_POOLED, seen, pooled.cure if pooled else _NOT_POOLED)
    if pooled:
        seen = f"A connection pooler answers at this endpoint: {pooled.sign}. This session keeps its settings; others may not."
        return warning(name, seen, pooled.cure)
    return passed(name, "The session is connected to the server itself.")


def _version(major: int) -> Check:
    name = "version"
    if major >= OLDEST_MAJOR:
        newer = f"; Holdfast is tested up to {_NEWEST_MAJOR}" if major > _NEWEST_MAJOR else ""
        return passed(name, f"The target runs PostgreSQL {major}{newer}.")
    cure = f"Upgrade to PostgreSQL {OLDEST_MAJOR} or newer."
    return blocks_audit(name, Reason.TARGET_TOO_OLD, f"The target runs PostgreSQL {major}.", cure)


def _writable(server: ServerAccess) -> Check:
    name = "writable"
    if server.is_standby:
        return blocks_application(name, Reason.TARGET_READ_ONLY, "The target is a standby.", "Register the primary to apply plans.")
    if server.is_read_only:
        seen = "Transactions on the target are read-only by default."
        cure = "Lift default_transaction_read_only for the role, the database or the server."
        return blocks_application(name, Reason.TARGET_READ_ONLY, seen, cure)
    return passed(name, "The target accepts writes.")


def _replication_role(server: ServerAccess) -> Check:
    name = "replication_role"
    if server.replication_role == "origin":
        return passed(name, "Keys and triggers are enforced in sessions of the role.")
    if server.may_set_replication_role:
        return passed(
            name, f"session_replication_role is {server.replication_role} for the role; an application sets it to origin for itself."
        )
    seen = (
        f"session_replication_role is {server.replication_role} for role {identifier(server.role)}: in its sessions keys are not enforced."
    )
    cure = f"ALTER ROLE {identifier(server.role)} RESET session_replication_role (or ALTER DATABASE … RESET, wherever it is set)"
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, cure)


def _superuser(server: ServerAccess) -> Check:
    name = "superuser"
    if not server.is_superuser:
        return passed(name, f"Role {identifier(server.role)} is no superuser.")
    seen = (
        f"Role {identifier(server.role)} is a superuser: triggers and functions of the tables' owners run with its rights"
        " while rows are cleaned up."
    )
    return warning(name, seen, "Connect as a member of the owners instead; deploy/postgres/roles.sql makes such a role.")


def _own_schema(server: ServerAccess) -> Check:
    name = "own_schema"
    if server.may_create_schema or server.has_own_schema:
        return passed(name, "Schema holdfast is there or can be created.")
    seen = f"Role {identifier(server.role)} may not create schema holdfast, where backups and the ledger go."
    cure = f"GRANT CREATE ON DATABASE {identifier(server.database)} TO {identifier(server.role)}"
    return blocks_application(name, Reason.MISSING_PRIVILEGE, seen, cure)
