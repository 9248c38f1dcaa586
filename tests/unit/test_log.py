"""No secret and no row value leaves through the log, whoever wrote the line."""

import ast
import io
import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
import structlog

from holdfastd.config.model import LogFormat
from holdfastd.logs.events import EVENTS
from holdfastd.logs.redaction import redact
from holdfastd.logs.set_up import set_up

CANARY = "c4n4ry-s3cret"


@pytest.fixture
def lines():
    """Set logging up to a stream of our own, and back to what it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    set_up(LogFormat.JSON, stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class FakeDriverError(Exception):
    """Looks like an error of the driver: a message, a SQLSTATE, and a str() that adds the DETAIL."""

    def __init__(self, message, sqlstate):
        super().__init__(message)
        self.sqlstate = sqlstate

    def __str__(self):
        return f"{self.args[0]}\nDETAIL:  Key (email)=({CANARY}) already exists."


def fail(error):
    raise error


def test_lines_are_json_with_utc_time_and_level(lines):
    """What log collectors need."""
    structlog.get_logger().info("rpc_handled", seconds=0.5)

    (line,) = lines()
    assert (line["event"], line["level"], line["seconds"]) == ("rpc_handled", "info", 0.5)
    assert line["timestamp"].endswith("Z")


def test_context_of_the_call_is_in_every_line(lines):
    """Lines of one call are found by its request id."""
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("rpc_handled")

    assert lines()[0]["request_id"] == "r1"


def test_the_standard_librarys_lines_look_the_same(lines):
    """gRPC, asyncpg and uvicorn log through the standard library."""
    logging.getLogger("some.library").warning("dsn is postgresql://ada:%s@db/shop", CANARY)

    (line,) = lines()
    assert (line["event"], line["level"]) == ("dsn is postgresql://[redacted]@db/shop", "warning")


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ada:{CANARY}@db:5432/shop",
        f"cannot use postgres://ada:p@{CANARY}@db/shop here",
        f"host=db password={CANARY} user=ada",
        f"host=db password = '{CANARY} and more' user=ada",
        f"postgresql://db/shop?user=ada&password={CANARY}&sslmode=require",
        f"https://issuer/keys?token={CANARY}&access_token={CANARY}",
        f'{{"password": "with \\" {CANARY}"}}',
        f"Authorization: Bearer {CANARY}",
        f"{{'authorization': 'Bearer {CANARY}'}}",
        f"sent bearer {CANARY}-0123456789",
        f"http://ada:{CANARY}@collector:4317 does not answer",
        f"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEi{CANARY.replace('-', '_')}.c2ln",
        f"hf_{CANARY}{'x' * 40} is not known",
        f"holdfast_{CANARY}{'x' * 31} is not known",
        f"{CANARY}{'A' * (43 - len(CANARY))}= is no key",
        f"-----BEGIN PRIVATE KEY-----\nMC4{CANARY}\n-----END PRIVATE KEY-----",
    ],
)
def test_secrets_inside_texts_are_cut_out(lines, text):
    """However they are written."""
    structlog.get_logger().info(text, fact=text, facts=[text], nested={"fact": text})

    assert CANARY not in json.dumps(lines())


@pytest.mark.parametrize("word", ["a", "token", "postgres://", "eyJaaaaaaaa", "authorization", "password='", "'dsn': '", "x:/", " "])
def test_long_texts_are_looked_through_at_once(word):
    """Nothing else runs meanwhile; a pattern that looks from every letter on takes the square of the length, here some ten seconds."""
    begun = time.process_time()

    redact(None, "", {"event": word * (40_000 // len(word)) + "="})

    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "key", ["dsn", "password", "PGPASSWORD", "token", "Authorization", "secret", "client_secret", "access-token", "store_url"]
)
def test_secrets_under_telling_names_are_cut_out(lines, key):
    """A secret that looks like nothing is known by its key."""
    structlog.get_logger().info("rpc_handled", **{key: CANARY}, nested={key: CANARY})

    assert CANARY not in json.dumps(lines())


@pytest.mark.parametrize(
    "text",
    [
        "Postgres at db@5432: relation public.stations(id) -> password policy is fine",
        "holdfast_grpc_server_handling_seconds_bucket and hf_short",
        "basic authentication and bearer tokens",
        "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "https://example.org/path/eyJ.html?a=b@c",
    ],
)
def test_ordinary_texts_stay_whole(lines, text):
    """Redaction does not eat what operators need."""
    structlog.get_logger().info(text)

    assert lines()[0]["event"] == text


def test_values_of_any_kind_are_looked_into(lines):
    """The renderer would print what it does not know by its repr, and so past the redaction."""

    class Odd:
        def __repr__(self):
            return f"Odd(postgresql://ada:{CANARY}@db/shop)"

    dsn = f"postgresql://ada:{CANARY}@db/shop"
    structlog.get_logger().info(
        "rpc_handled", odd=Odd(), raw=dsn.encode(), error=ValueError(dsn), several={dsn}, keyed={dsn: 1}, nothing=None
    )

    assert CANARY not in json.dumps(lines())
    assert lines()[0]["nothing"] is None


def test_records_of_libraries_are_redacted_with_their_tracebacks(lines):
    """asyncio, grpc and uvicorn log what went wrong with everything that the error says."""
    try:
        fail(ValueError(f"cannot connect to postgresql://ada:{CANARY}@db/shop"))
    except ValueError:
        for name in ("asyncio", "grpc._cython.cygrpc", "uvicorn.error", "asyncpg"):
            logging.getLogger(name).exception("Task failed: %r", {"password": CANARY, "dsn": f"postgres://a:{CANARY}@h/d"})

    assert len(lines()) == 4
    assert "postgresql://[redacted]@db/shop" in lines()[0]["exception"]
    assert CANARY not in json.dumps(lines())


_CRASH = """
import logging, sys, threading
from holdfastd.logs.set_up import catch_crashes, set_up
from holdfastd.config.model import LogFormat
set_up(LogFormat.JSON)
catch_crashes()
def crash():
    raise ValueError("postgresql://ada:{canary}@db/shop")
thread = threading.Thread(target=crash)
thread.start()
thread.join()
class Broken:
    __del__ = lambda self: crash()
Broken()
logging.getLogger("some.library").warning("%d rows", "{canary}")
crash()
"""


def test_a_crash_is_a_line_like_any_other():
    """What ends the process is told where everything else is told, and as carefully."""
    done = subprocess.run([sys.executable, "-c", _CRASH.format(canary=CANARY)], capture_output=True, text=True, check=False)

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [line["event"] for line in told] == ["crashed", "crashed", "crashed"]
    assert all("ValueError: postgresql://[redacted]@db/shop" in line["exception"] for line in told)
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("sqlstate", "is_told"),
    [("42P01", True), ("57014", True), *((state, False) for state in ("23505", "22P02", "P0001", "38000", "SHOP1"))],
)
def test_server_messages_are_told_unless_they_quote_values(lines, sqlstate, is_told):
    """`relation "x" does not exist` helps; `invalid input syntax for type uuid: "…"` quotes a row. DETAIL always does."""
    told = "message of the server"
    try:
        fail(FakeDriverError(told, sqlstate))
    except FakeDriverError:
        structlog.get_logger().exception("rpc_failed")

    (line,) = lines()
    assert sqlstate in line["exception"]
    assert (told in line["exception"]) is is_told
    assert CANARY not in json.dumps(line)


def test_tracebacks_name_places_and_causes(lines):
    """An operator finds the line of code and what led to it."""
    try:
        try:
            fail(KeyError("inner"))
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError as error:
        structlog.get_logger().error("rpc_failed", exc_info=error)

    text = lines()[0]["exception"]
    assert "RuntimeError: outer" in text
    assert "caused by" in text
    assert "KeyError: 'inner'" in text
    assert "test_log.py" in text


def test_what_the_driver_says_of_a_value_is_not_told(lines):
    """It quotes the value, and knows no SQLSTATE."""
    try:
        fail(asyncpg.DataError(f"invalid input for query argument $1: {CANARY!r} (value out of int64 range)"))
    except asyncpg.DataError:
        structlog.get_logger().exception("rpc_failed")

    assert "DataError" in lines()[0]["exception"]
    assert CANARY not in json.dumps(lines())


def test_a_group_tells_what_went_wrong_in_it(lines):
    """`unhandled errors in a TaskGroup (1 sub-exception)` helps nobody at night."""
    inner = []
    for error in (KeyError("first of them"), FakeDriverError("of a row", "23505")):
        try:
            fail(error)
        except (KeyError, FakeDriverError) as raised:
            inner.append(raised)
    structlog.get_logger().error("crashed", exc_info=ExceptionGroup("two errors", inner))

    text = lines()[0]["exception"]
    assert "KeyError: 'first of them'" in text
    assert "23505" in text
    assert "test_log.py" in text
    assert CANARY not in text


def test_console_lines_are_redacted_too():
    """Terminals get recorded."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    try:
        set_up(LogFormat.CONSOLE, stream)
        structlog.get_logger().info("rpc_handled", dsn=f"postgresql://a:{CANARY}@h/d")
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()

    assert "rpc_handled" in stream.getvalue()
    assert CANARY not in stream.getvalue()


def logged_events():
    """Every event name in the server's code."""
    for path in (Path(__file__).parents[2] / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "bound"), attr=level), args=[ast.Constant(value=name), *_]):
                    if level in {"debug", "info", "warning", "error", "exception", "critical"}:
                        yield name


def test_every_event_is_listed_and_every_listed_event_exists():
    """Alerts are written against the list."""
    assert set(logged_events()) == set(EVENTS)
