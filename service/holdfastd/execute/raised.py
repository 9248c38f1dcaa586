"""Errors of the application's own code, or of its rows, that a statement of ours met: in whose words nobody would find the cause.

PostgreSQL's own text may hold values of rows, so only its SQLSTATE and the names of constraints are told.
"""

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.target.errors import sqlstate

#: A table, function or type that is not found.
_UNKNOWN_NAMES = frozenset({"42P01", "42883", "42704"})


def raised(title: str, error: asyncpg.PostgresError) -> Refused:
    """Say that code of the application stands in the way."""
    state = sqlstate(error)
    names = " The names in it must be qualified, as search_path is empty." if state in _UNKNOWN_NAMES else ""
    message = (
        f"{title}: a trigger or rule raised an error (SQLSTATE {state}); the log of the server has its text.{names} Nothing of this batch"
        " was changed. Change the trigger's function, then apply again; where the trigger itself or the policy has to change, roll back"
        " first, then audit and plan anew."
    )
    return Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": state})


def stopped_by_code(title: str, error: asyncpg.PostgresError) -> Refused:
    """Say the same of undoing and of other changes of the schema, where event triggers have a say."""
    message = (
        f"{title}: an event trigger, or another part of the application, raised an error (SQLSTATE {sqlstate(error)}); the log of the"
        " server has its text. Nothing of it was done. Let it pass, then try again: work goes on where it stopped."
    )
    return Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": sqlstate(error)})


def violated(title: str, error: asyncpg.ForeignKeyViolationError) -> Refused:
    """Say that a key which was valid before cannot be validated again."""
    name, table = getattr(error, "constraint_name", None) or "a key", getattr(error, "table_name", None) or "its table"
    message = (
        f"{title}: {name} of {table} cannot be as it was, as orphan rows appeared while it was not there. Repair or delete them,"
        " then roll back again: it goes on where it stopped."
    )
    return Refused(message, reason=Reason.STEP_FAILED, facts={"constraint": name, "sqlstate": sqlstate(error)})
