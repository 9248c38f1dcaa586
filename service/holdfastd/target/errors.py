"""What went wrong on a target, in Holdfast's words: in comes an error of the driver, out goes one that a caller may see.

Nothing of the driver's or the server's text comes through, because it may hold row values, hosts and users. This is where SQLSTATEs
are told apart for callers.
"""

import ssl

import asyncpg

from holdfastd.errors import HoldfastError, Reason, Refused, Unavailable
from holdfastd.names import TableName, identifier, qualified
from holdfastd.target.dsn import Endpoint

#: Everything that talking to a server can raise, cancellation aside.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError, TimeoutError)

_PRIVILEGE = "42501"
_READ_ONLY = "25006"
_LOCK_NOT_AVAILABLE = "55P03"
_STOPPED = "57014"
#: At login: the database has ALLOW_CONNECTIONS false, as while it is copied or about to be dropped.
_CLOSED = "55000"
#: Standby conflict or failed serialisation, deadlock: the same statement may pass next time.
_AGAIN = frozenset({"40001", "40P01"})
#: Connection failures, restarts and idle sessions that the server ended.
_LOST_CLASSES = ("08",)
_LOST = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"})
#: What a statement names is not there, or is something else: table, column, other object, schema.
_GONE = frozenset({"42P01", "42703", "42704", "3F000", "42809", "42883"})
#: A rule that rewrites our statement into what PostgreSQL cannot run.
_NOT_SUPPORTED = "0A000"
_EXHAUSTED_CLASS = "53"
#: Stopped by somebody, the server or the machine; a damaged server.
_OF_OTHERS = ("53", "57", "58", "XX")
#: What foreign data wrappers raise: the connection from the target to another server, not ours.
_REMOTE_CLASSES = ("08", "HV")
_LOGIN_REFUSED = {
    "28000": "The target refused the login; check user, password and pg_hba.conf.",
    "28P01": "The target refused the login; check user and password.",
    "3D000": "The target server has no database of that name; correct the DSN.",
}


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE that the server gave; empty when the error is not the server's."""
    return (error.sqlstate or "") if isinstance(error, asyncpg.PostgresError) else ""


def is_connection_lost(error: BaseException) -> bool:
    """Tell whether the session is gone, so that nothing more can be asked over it."""
    if isinstance(error, asyncpg.PostgresError):
        # What ends a session is FATAL, or made up by the driver; after an ERROR the server listens on.
        is_ended = getattr(error, "severity_en", None) != "ERROR"
        return is_ended and (sqlstate(error).startswith(_LOST_CLASSES) or sqlstate(error) in _LOST)
    return isinstance(error, FAILURES)


def is_gone(error: BaseException) -> bool:
    """Tell whether what a statement names is not there, or is something else."""
    return sqlstate(error) in _GONE


def is_raised_by_code(error: BaseException) -> bool:
    """Tell whether what is left is code of the application that our statement called: PostgreSQL itself has no such reason to refuse it."""
    state = sqlstate(error)
    if not isinstance(error, asyncpg.PostgresError) or is_connection_lost(error):
        return False
    known = _AGAIN | _LOST | {_PRIVILEGE, _READ_ONLY, _LOCK_NOT_AVAILABLE, _NOT_SUPPORTED}
    return state not in known and not state.startswith((*_OF_OTHERS, *_REMOTE_CLASSES))


def is_about_rows(error: asyncpg.PostgresError) -> bool:
    """Tell whether the statement, or what it calls, is at fault: neither the session, nor its rights, nor what goes on beside it."""
    state = sqlstate(error)
    passing = state in _AGAIN or state in {_STOPPED, _LOCK_NOT_AVAILABLE, _PRIVILEGE} or state.startswith(_EXHAUSTED_CLASS)
    return not passing and not is_connection_lost(error)


def translate(error: Exception, *, role: str, table: TableName | None = None, privilege: str = "SELECT") -> HoldfastError:
    """Return what a caller may know about a failed statement; table and privilege, when known, make the GRANT that cures it."""
    state = sqlstate(error)
    facts = {"sqlstate": state} if state else {}
    if is_connection_lost(error):
        return unreachable("The connection to the target database was lost; try again.", facts)
    if state == _PRIVILEGE:
        return missing_privilege(role, table, privilege)
    if state == _READ_ONLY:
        return Refused(
            "The target accepts no writes; register the primary, or lift its read-only setting.",
            reason=Reason.TARGET_READ_ONLY,
        )
    if state == _LOCK_NOT_AVAILABLE:
        return Refused("A lock could not be had in time; try again when the tables are less busy.", reason=Reason.LOCK_TIMEOUT, facts=facts)
    if state == _STOPPED or state in _AGAIN or state.startswith((_EXHAUSTED_CLASS, *_REMOTE_CLASSES)):
        return unreachable(f"The target database stopped the statement (SQLSTATE {state}); try again.", facts)
    return HoldfastError(f"The target database refused a statement of Holdfast (SQLSTATE {state}).", reason=Reason.INTERNAL, facts=facts)


def translate_step(error: Exception, *, role: str) -> HoldfastError:
    """Return what a caller may know about a failed statement of an approved plan: what it names was there when the plan was made."""
    state = sqlstate(error)
    if is_gone(error):
        message = (
            f"What the plan names was renamed, dropped or changed since the work began (SQLSTATE {state}). Audit again and make a new plan."
        )
        return Refused(message, reason=Reason.PLAN_DRIFTED, facts={"sqlstate": state})
    if state == _NOT_SUPPORTED:
        message = f"A rule on a table of the plan rewrites what is to be done (SQLSTATE {state}); nothing of it was changed. Drop the rule."
        return Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": state})
    return translate(error, role=role)


def translate_connecting(error: Exception, endpoint: Endpoint) -> HoldfastError:
    """Return what a caller may know about a failed connection."""
    state = sqlstate(error)
    if state in _LOGIN_REFUSED:
        return Refused(_LOGIN_REFUSED[state], reason=Reason.TARGET_LOGIN_REFUSED, facts={"sqlstate": state})
    if state == _PRIVILEGE:
        grant = f"GRANT CONNECT ON DATABASE {identifier(endpoint.database)} TO {identifier(endpoint.user)}"
        message = f"The role may not connect to the target database; run {grant}."
        return Refused(message, reason=Reason.MISSING_PRIVILEGE, facts={"grant": grant})
    if state and not is_connection_lost(error):
        closed = unreachable("The target database admits no connections now; try again.", {"sqlstate": state})
        return closed if state == _CLOSED else translate(error, role=endpoint.user)
    if isinstance(error, TimeoutError):
        return unreachable("The target did not answer in time; check host, port and firewalls.")
    # asyncpg raises a bare ConnectionError when the server knows no TLS.
    if isinstance(error, ssl.SSLError) or type(error) is ConnectionError:
        return unreachable("TLS with the target could not be set up as the DSN's sslmode asks; check sslmode and certificates.")
    return unreachable("The target cannot be reached; check host and port, and that the server runs.")


def unreachable(message: str, facts: dict[str, str] | None = None) -> Unavailable:
    """Return the error for a target that does not answer now."""
    return Unavailable(message, reason=Reason.TARGET_UNREACHABLE, facts=facts)


def missing_privilege(role: str, table: TableName | None, privilege: str) -> Refused:
    """Return the error for a missing privilege, with the GRANT that cures it when the table is known."""
    if table is None:
        message = f"Role {identifier(role)} lacks a privilege; `holdfast databases check` names it."
        return Refused(message, reason=Reason.MISSING_PRIVILEGE)
    grant = grant_on_table(privilege, table, role)
    message = f"Role {identifier(role)} lacks {privilege} on {table}; run {grant}."
    return Refused(message, reason=Reason.MISSING_PRIVILEGE, facts={"grant": grant})


def grant_on_table(privilege: str, table: TableName, role: str) -> str:
    """Return the GRANT of a table privilege."""
    return f"GRANT {privilege} ON {qualified(table)} TO {identifier(role)}"
