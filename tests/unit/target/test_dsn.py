"""Reading DSNs: what is meant, what is refused, and that refusals repeat nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfastd.errors import InvalidField
from holdfastd.target.dsn import Endpoint, SslMode, parse


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://me@host/db", Endpoint(host="host", port=5432, database="db", user="me")),
        ("postgres://me:p%40ss@host:6543/d%20b", Endpoint(host="host", port=6543, database="d b", user="me", password="p@ss")),
        ("postgresql://me:a:b@host/db", Endpoint(host="host", port=5432, database="db", user="me", password="a:b")),
        ("postgresql://m%40e:x@y@host/db", Endpoint(host="host", port=5432, database="db", user="m@e", password="x@y")),
        ("postgresql://me@host", Endpoint(host="host", port=5432, database="me", user="me")),
        ("postgresql://me@[::1]:6543/db", Endpoint(host="::1", port=6543, database="db", user="me")),
        ("postgresql://me@/db?host=/run/pg&port=6543", Endpoint(host="/run/pg", port=6543, database="db", user="me")),
        ("postgresql://me@%2Frun%2Fpg/db", Endpoint(host="/run/pg", port=5432, database="db", user="me")),
        ("postgresql:///?host=h&user=me&password=p&dbname=db", Endpoint(host="h", port=5432, database="db", user="me", password="p")),
        ("postgresql://me@h/db?sslmode=verify-full", Endpoint(host="h", port=5432, database="db", user="me", ssl_mode=SslMode.VERIFY_FULL)),
        ("postgresql://me@h/db?sslrootcert=system&application_name=x", Endpoint(host="h", port=5432, database="db", user="me")),
    ],
)
def test_what_a_dsn_means(dsn: str, expected: Endpoint) -> None:
    """Parts may stand in their place or among the options, %XX is undone."""
    assert parse(dsn) == expected


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "secret",
        "mysql://secret@host/db",
        "host=secret user=me",
        "postgresql://",
        "postgresql://host/secret",
        "postgresql://secret@/db",
        "postgresql://me@secret:port/db",
        "postgresql://me@secret:0/db",
        "postgresql://me@secret:65536/db",
        "postgresql://me@secret:-1/db",
        "postgresql://me@secret:٣/db",
        "postgresql://me@secret,other/db",
        "postgresql://me@/db?host=secret,other",
        "postgresql://me@h/db?port=1,2&host=secret",
        "postgresql://me@/db?host=secret/relative",
        "postgresql://me@h/db?host=secret",
        "postgresql://me@h/db?user=secret",
        "postgresql://me@h/db?passfile=/secret",
        "postgresql://me@h/db?service=secret",
        "postgresql://me@h/db?sslkey=/secret",
        "postgresql://me@h/db?sslcert=/secret",
        "postgresql://me@h/db?sslrootcert=/secret",
        "postgresql://me@h/db?options=-csecret",
        "postgresql://me@h/db?target_session_attrs=secret",
        "postgresql://me@h/db?sslmode=secret",
        "postgresql://me@h/db?search_path=secret",
        "postgresql://me@h/db?secret",
        "postgresql://me@h/db?user=secret&user=other",
        "postgresql://me:secret@h/db#part",
        "postgresql://me:sec ret@h/db",
        "postgresql://me:secret@h/db\n",
        "postgresql://me:sec\tret@h/db",
        "postgresql://me:secret%00@h/db",
        "postgresql://me:secret%FF@h/db",
        "postgresql://me@h/db?password=secret%00",
        "postgresql://me@h/db?password=secret%FF",
        "postgresql://me:secret@[::1/db",
        "postgresql://me:secret@[zz]/db",
        "postgresql://me:secret@h/" + "x" * 10_000,
    ],
)
def test_what_is_refused(dsn: str) -> None:
    """With the field's path and a sentence, and without a word of the DSN."""
    with pytest.raises(InvalidField) as caught:
        parse(dsn, path="dsn.inline")

    assert caught.value.field == "dsn.inline"
    assert "secret" not in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.__cause__ is None


def test_brackets_are_for_addresses_only() -> None:
    """And the port is not what is wrong then."""
    with pytest.raises(InvalidField, match="in brackets"):
        parse("postgresql://me@[::1%25lo]:5432/db")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nobody's typing makes it fail otherwise."""
    for dsn in (text, f"postgresql://{text}", f"postgresql://me@h/db?{text}", f"postgresql://me:{text}@h:5/db"):
        with suppress(InvalidField):
            assert parse(dsn).host


def test_an_endpoint_prints_no_password() -> None:
    """It may end up in a traceback."""
    assert "hunter2" not in repr(parse("postgresql://me:hunter2@h/db"))
