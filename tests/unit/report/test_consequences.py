"""What a deletion does once all keys are in force: chains are followed to their end, and only what is new is told."""

from holdfastd.catalog.model import OnDelete
from holdfastd.report.consequences import by_referenced, newly_affected, of_deleting
from holdfastd.report.view import Key
from support.builders import columns, table_name


def a_key(referencing, referenced, on_delete=OnDelete.CASCADE, *, is_new=True):
    at = columns(referencing, f"{referenced}_id")
    return Key(referencing=at, referenced=columns(referenced, "id"), on_delete=on_delete, changed=at.columns, is_new=is_new)


def test_cascades_are_followed_to_what_stops_them():
    """Through every table that is reached: what is deleted, what is set NULL there, and what refuses there."""
    keys = [a_key("b", "a"), a_key("c", "b"), a_key("d", "c", OnDelete.SET_NULL), a_key("e", "c", OnDelete.RESTRICT), a_key("f", "d")]
    found = of_deleting(table_name("a"), by_referenced(keys))

    assert [key.referencing.table.name for key in found.deletes] == ["b", "c"]
    assert [key.referencing.table.name for key in found.changes] == ["d"]
    assert [key.referencing.table.name for key in found.refusals] == ["e"]


def test_circles_end():
    """A table that references itself, and two that reference each other."""
    keys = [a_key("a", "a"), a_key("b", "a"), a_key("a", "b")]

    assert {key.referencing.table.name for key in of_deleting(table_name("a"), by_referenced(keys)).deletes} == {"a", "b"}


def test_only_what_is_new_is_told():
    """A table whose cascade reaches a new key is told, too; one that changes nothing is not."""
    keys = [a_key("b", "a", is_new=False), a_key("c", "b"), a_key("y", "x", is_new=False)]

    assert {table.name for table in newly_affected(keys)} == {"a", "b"}
