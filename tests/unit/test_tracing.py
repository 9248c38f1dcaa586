"""Tracing that nobody asked for is nothing; what is told of statements are their first words."""

import subprocess
import sys

import pytest

from holdfastd.tracing import CallSpan, _operation, begin_call, traceparent, working_on


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 'secret'", "SELECT"),
        ("\n    UPDATE jobs SET state = 'x'", "UPDATE"),
        ("-- name: one\n-- and why\nWITH chosen AS (SELECT 1)", "WITH"),
        ('create  index concurrently "secret" ON t (c)', "CREATE INDEX"),
        ("ALTER TABLE secret VALIDATE CONSTRAINT c", "ALTER TABLE"),
        ('DROP "secret"', "DROP"),
        ("DELETE FROM secret", "DELETE FROM"),
        ("BEGIN;", "BEGIN"),
        ("(SELECT 1)", "?"),
        ("", "?"),
    ],
)
def test_the_first_words_name_a_statement(sql, words):
    """Nothing else of it is told: names of tables are other people's, and texts may hold values."""
    assert _operation(sql) == words


def test_without_an_endpoint_nothing_is_traced():
    """No trace id for the log, none for the job."""
    call = begin_call("holdfast.v1.JobService/GetJob", (("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),))
    with working_on("AUDIT", "job-1", "shop", ""):
        assert traceparent() == ""
    call.end("OK", "")

    assert (call.trace_id, CallSpan().trace_id) == ("", "")


def test_without_an_endpoint_nothing_is_loaded():
    """The service needs no OpenTelemetry, and its memory holds none."""
    program = "import sys, holdfastd.server; print(sorted(name for name in sys.modules if name.startswith('opentelemetry')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "[]\n"
