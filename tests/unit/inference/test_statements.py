"""Queries in the bodies of functions."""

import time

import pytest

from holdfastd.inference.hints.statements import queries_in


@pytest.mark.parametrize(
    ("body", "queries"),
    [
        ("SELECT 1; SELECT $1 FROM t", ["SELECT 1", "SELECT $1 FROM t"]),
        ("BEGIN ATOMIC\n SELECT 1;\n INSERT INTO t (a) SELECT 2;\nEND", ["SELECT 1", "INSERT INTO t (a) SELECT 2"]),
        ("RETURN (SELECT 1 FROM t)", ["SELECT 1 FROM t"]),
        ("RETURN QUERY SELECT 1", ["SELECT 1"]),
        ("PERFORM f(x) FROM t", ["SELECT f(x) FROM t"]),
        ("x := (SELECT 1 FROM (SELECT 2) AS t) + 1", ["SELECT 1 FROM (SELECT 2) AS t"]),
        ("IF EXISTS (SELECT 1) AND NOT EXISTS (SELECT 2) THEN RETURN", ["SELECT 1", "SELECT 2"]),
        ("IF x > 0 THEN DELETE FROM t", ["DELETE FROM t"]),
        ("FOR r IN SELECT a FROM t LOOP UPDATE t SET a = 1", ["SELECT a FROM t", "UPDATE t SET a = 1"]),
        ("SELECT a, b INTO STRICT x, r.y FROM t", ["SELECT a, b FROM t"]),
        (
            "SELECT 'it''s; ' || \"a -- b\" || E'\\';' || $x$;$x$ || $1 -- ;\n FROM /* ; */ t",
            ["SELECT '' || \"a -- b\" || '' || '' || $1 FROM t"],
        ),
        ("SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t", ["SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t"]),
        ("SELECT 1; SELECT 'never closed; SELECT 2", ["SELECT 1", "SELECT"]),
        ("RAISE EXCEPTION 'SELECT 1'; x := 1", []),
        ("", []),
    ],
)
def test_statements_are_taken_out(body: str, queries: list[str]) -> None:
    """Without comments and literals, and without what surrounds them."""
    assert [" ".join(query.split()) for query in queries_in(body)] == [" ".join(query.split()) for query in queries]


@pytest.mark.parametrize("piece", ["/*", "$a$ $b$ ", "'", '"', "E'\\", "(", "LOOP ", "THEN SELECT ", "(SELECT ", "INTO a, ", ":= "])
def test_no_text_takes_long(piece: str) -> None:
    """Bodies come from strangers: no piece of text, repeated, may cost more than its length."""
    began = time.process_time()
    for length in (29_000, 200_000):
        list(queries_in("SELECT 1 " + piece * (length // len(piece))))

    assert time.process_time() - began < 5
