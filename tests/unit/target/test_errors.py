"""Which errors mean that the session is gone."""

import asyncpg
import pytest

from holdfastd.errors import Reason
from holdfastd.target.errors import is_connection_lost, translate


def of_server(state: str, severity: str) -> asyncpg.PostgresError:
    """An error as the driver makes it of a message of the server."""
    error: asyncpg.PostgresError = asyncpg.PostgresError.new({"S": severity, "V": severity, "C": state, "M": "a value"})
    return error


@pytest.mark.parametrize("state", ["08006", "57P01", "25P03"])
def test_what_is_fatal_or_made_up_by_the_driver_ends_the_session(state: str) -> None:
    assert is_connection_lost(of_server(state, "FATAL"))
    assert is_connection_lost(asyncpg.ConnectionDoesNotExistError("closed"))
    assert is_connection_lost(ConnectionResetError())


@pytest.mark.parametrize("state", ["08001", "57P01", "HV00N"])
def test_a_connection_that_the_target_lost_to_another_server_is_not_ours(state: str) -> None:
    """A foreign data wrapper passes on what happened there; the session here goes on, and the caller may try again."""
    error = of_server(state, "ERROR")

    assert not is_connection_lost(error)
    if state != "57P01":
        assert translate(error, role="r").reason is Reason.TARGET_UNREACHABLE
