"""The rule for partial indexes, on predicates as PostgreSQL prints them. The other rules are judged by the planner."""

import pytest

from holdfastd.catalog.indexes import prefix_index, serving_index
from holdfastd.catalog.model import Index, Table
from support.builders import a_table, an_index


def table_with(*indexes: Index) -> Table:
    table = a_table("t", "a integer", key=())
    return Table(oid=1, name=table.name, kind=table.kind, columns=table.columns, indexes=indexes)


@pytest.mark.parametrize(
    ("predicate", "serves"),
    [
        ("(a IS NOT NULL)", True),
        ('("b""x AND (" IS NOT NULL)', True),
        ('((a IS NOT NULL) AND ("b""x AND (" IS NOT NULL))', True),
        ("(c IS NOT NULL)", False),
        ("((a IS NOT NULL) AND (c IS NOT NULL))", False),
        ("((a IS NOT NULL) OR (c IS NOT NULL))", False),
        ("(a IS NULL)", False),
        ("active", False),
        ("((a IS NOT NULL) AND active)", False),
        ("(a = 1)", False),
    ],
)
def test_a_partial_index_serves_when_its_predicate_follows(predicate: str, *, serves: bool) -> None:
    """Only tests that the key's columns are there follow from the lookup."""
    table = table_with(an_index("a", 'b"x AND (', predicate=predicate))

    assert (serving_index(table, ("a", 'b"x AND (')) is not None) == serves


def test_the_narrowest_index_is_named() -> None:
    """Of several, the one with the fewest columns; a full one before a partial one."""
    table = table_with(
        an_index("a", "c", name="wide"), an_index("a", name="partial", predicate="(a IS NOT NULL)"), an_index("a", name="narrow")
    )

    index = serving_index(table, ("a",))
    assert index is not None
    assert index.name == "narrow"


def test_a_hash_index_serves_its_one_column_only() -> None:
    """Hash indexes have one column; as part of a key it is not enough."""
    table = table_with(an_index("a", method="hash"))

    assert serving_index(table, ("a",)) is not None
    assert serving_index(table, ("a", "c")) is None


def test_the_index_that_finds_by_the_most_columns_is_the_prefix() -> None:
    """Of three columns two are better than one; where one index serves by all, there is no prefix to speak of."""
    one, two, all_three = an_index("a", name="one"), an_index("c", "a", "x", name="two"), an_index("c", "b", "a", name="all")

    prefix = prefix_index(table_with(one, two), ("a", "b", "c"))
    assert prefix is not None
    assert prefix.name == "two"
    assert prefix_index(table_with(one, all_three), ("a", "b", "c")) is None
    assert prefix_index(table_with(one), ("b",)) is None


def test_a_column_twice_in_an_index_is_one() -> None:
    """PostgreSQL allows it; it finds what one does."""
    assert serving_index(table_with(an_index("a", "a", "b")), ("b", "a")) is not None
