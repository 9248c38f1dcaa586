"""Quoting and naming, for any name that PostgreSQL allows."""

from hypothesis import given
from hypothesis import strategies as st

from holdfastd.names import ColumnSet, TableName, comment, fit, identifier, literal, relationship_id, unused

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=80)


@given(NAMES)
def test_identifiers_can_be_read_back(name):
    """Inside the quotes only doubled quotes stand for one."""
    quoted = identifier(name)

    assert quoted[1:-1].replace('""', '"') == name
    assert quoted[0] == quoted[-1] == '"'


@given(NAMES)
def test_literals_mean_the_same_under_either_string_setting(name):
    """A backslash is never alone in a plain literal."""
    quoted = literal(name)

    assert quoted.startswith("E'") == ("\\" in name)


@given(NAMES)
def test_comments_end_where_they_should(name):
    """No name ends a comment line early."""
    assert len(comment(name).splitlines()) == 1


@given(NAMES, NAMES)
def test_long_names_fit_and_differ(first, second):
    """Cut names carry a hash of the whole; 63 bytes at most, on a character boundary."""
    names = [fit(name, "x" * 60, suffix="_idx") for name in (first, second)]

    assert all(len(name.encode()) <= 63 for name in names)
    assert (names[0] == names[1]) is (first == second)


@given(NAMES, NAMES, NAMES)
def test_relationship_ids_are_unambiguous(schema, table, column):
    """Names with dots, arrows and brackets do not make two relationships look alike."""
    plain = ColumnSet(TableName("public", "t"), ("id",))
    one = relationship_id(ColumnSet(TableName(schema, table), (column,)), plain)
    other = relationship_id(ColumnSet(TableName(schema, f"{table}.{column}"), ("x",)), plain)

    assert one != other


def test_taken_names_get_a_number():
    """The lowest number that is free."""
    assert unused("a", {"a", "a_2"}) == "a_3"
