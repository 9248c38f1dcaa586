"""Why PostgreSQL would refuse a key: the words name what is there, and what to do."""

from dataclasses import replace

import pytest

from holdfastd.catalog.operators import resolve_operators
from holdfastd.inference.obstacles import explain_obstacle
from support.builders import a_catalog, a_table, an_index, columns

ENTRIES, LISTS = columns("entries", "list_code"), columns("lists", "code")
ONCE = an_index("code", name="once", unique=True)


def explained(index=None, *, entries="list_code integer", lists="code integer", version=180_004, collations=()):
    """Return why entries(list_code) cannot reference lists(code), and make sure that the rule of operators agrees."""
    table = replace(a_table("lists", lists, key=()), indexes=(index,) if index else ())
    catalog = a_catalog(table, a_table("entries", entries))
    for name, collation in zip((ENTRIES.table, LISTS.table), collations, strict=False):
        held = catalog.tables[name]
        changed = tuple(replace(column, collation=collation, is_deterministic=False) for column in held.columns)
        catalog = replace(catalog, tables={**catalog.tables, name: replace(held, columns=changed)})
    catalog = replace(catalog, identity=replace(catalog.identity, version_number=version))
    assert resolve_operators(catalog, ENTRIES, LISTS) is None
    return explain_obstacle(catalog, ENTRIES, LISTS)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (None, "exactly these columns."),
        (replace(ONCE, predicate="(code > 0)"), "for all rows, and once is partial."),
        (replace(ONCE, is_immediate=False), "checked at once, and once is DEFERRABLE."),
        (replace(ONCE, is_usable=False), "and once is not valid: drop it and make it again."),
        (replace(ONCE, key_columns=(replace(ONCE.key_columns[0], name=None),)), "not on an expression as once is."),
        (replace(ONCE, is_unique=False), "exactly these columns."),
    ],
    ids=["none", "partial", "deferrable", "invalid", "expression", "not-unique"],
)
def test_unique_index_that_is_no_key_is_named(index, words):
    """A reader who sees a unique index must learn why it does not do."""
    assert explained(index).startswith("public.lists(code) is not unique: ")
    assert explained(index).endswith(words)


@pytest.mark.parametrize("referencing", ["numeric", "text", "shade"])
def test_types_without_an_operator_are_named(referencing):
    """From numeric, text or an enum to integer: the type must change first."""
    words = f"public.entries(list_code) is {referencing}, public.lists(code) is integer: no operator"

    assert explained(ONCE, entries=f"list_code {referencing}").startswith(words)


def test_unlike_collations_are_named():
    """Since 18 both columns need one collation where one is not deterministic."""
    index = an_index("code", name="once", unique=True, types=(a_table("t", "code text").column("code").type,))
    collations = (("public", "one"), ("public", "other"))

    assert "differ in collation" in explained(index, entries="list_code text", lists="code text", collations=collations)
