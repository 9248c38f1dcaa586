"""Which keys PostgreSQL could implement: the rules that no server at hand can show. The others are judged by servers."""

from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import referenced_key, resolve_operators
from support.builders import a_catalog, a_table, columns


def catalog_with(version: int, *, deterministic: bool) -> Catalog:
    """Return two tables whose text columns are collated differently."""
    catalog = a_catalog(a_table("r", "id text"), a_table("t", "x text", key=()))
    tables = {
        name: replace(
            table,
            columns=tuple(
                replace(c, collation=("public", f"of_{c.name}"), is_deterministic=deterministic or c.name != "id") for c in table.columns
            ),
        )
        for name, table in catalog.tables.items()
    }
    return replace(catalog, tables=tables, identity=replace(catalog.identity, version_number=version))


def test_unlike_collations_must_be_deterministic_since_18() -> None:
    """18 refuses the key, earlier versions took it."""
    pair = (columns("t", "x"), columns("r", "id"))

    assert resolve_operators(catalog_with(180_004, deterministic=True), *pair)
    assert resolve_operators(catalog_with(170_004, deterministic=False), *pair)
    assert resolve_operators(catalog_with(180_004, deterministic=False), *pair) is None


def test_the_primary_key_is_preferred_and_columns_come_in_the_order_asked_for() -> None:
    """A unique index serves in any order of its columns."""
    table = a_table("r", "a integer", "b bigint", key=("a", "b"), unique=[("b", "a"), ("a",)])

    key = referenced_key(table, ("b", "a"))

    assert key is not None
    assert key.index.is_primary
    assert [column.name for column in key.columns] == ["b", "a"]


def test_what_a_key_may_not_reference() -> None:
    """Partial, deferrable, invalid and expression indexes, and those with other columns."""
    table = a_table("r", "a integer", key=(), unique=[("a",)])
    (index,) = table.indexes
    (column,) = index.key_columns
    unfit = [
        replace(index, predicate="active"),
        replace(index, is_immediate=False),
        replace(index, is_usable=False),
        replace(index, is_unique=False),
        replace(index, key_columns=(replace(column, name=None),)),
        replace(index, key_columns=(column, replace(column, name="b"))),
    ]

    assert referenced_key(table, ("a",)) is not None
    assert [each for each in unfit if referenced_key(replace(table, indexes=(each,)), ("a",))] == []
