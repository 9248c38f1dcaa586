"""The SQL about orphan rows, letter by letter; what it counts is shown against servers."""

from dataclasses import replace

from holdfastd.catalog.model import Catalog, DataType, Operator, TableKind
from holdfastd.evidence.statements import (
    count_orphans_sql,
    from_only,
    key_match,
    orphan_condition,
    recount_orphans_sql,
    sample_orphans_sql,
)
from support.builders import a_catalog, a_column, a_table, columns

#: As the builders name the type; the catalog says int4.
INTEGER = ("pg_catalog", "integer")
EQUAL = Operator(schema="pg_catalog", name="=", left=INTEGER, right=INTEGER)


def typed(name: str, *, schema: str = "pg_catalog", oid: int = 1, base_oid: int = 1) -> DataType:
    return DataType(oid=oid, base_oid=base_oid, formatted=name, base_schema=schema, base_name=name, category="S")


def catalog_of(referencing: DataType, referenced: DataType) -> Catalog:
    """Return t(x) and r(id) of the given types."""
    tables = [a_table("r", "id integer", key=()), a_table("t", "x integer", key=())]
    kinds = {"id": referenced, "x": referencing}
    return a_catalog(*(replace(table, columns=tuple(replace(c, type=kinds[c.name]) for c in table.columns)) for table in tables))


def operator(left: str, right: str, schema: str = "pg_catalog") -> Operator:
    return Operator(schema=schema, name="=", left=(schema, left), right=(schema, right))


def match(referencing: DataType, referenced: DataType, comparison: Operator) -> str:
    return key_match(catalog_of(referencing, referenced), columns("t", "x"), columns("r", "id"), (comparison,))


def test_equal_types_are_not_cast() -> None:
    """The operator is named with its schema: search_path is empty."""
    assert match(typed("integer"), typed("integer"), EQUAL) == 'referenced."id" OPERATOR("pg_catalog".=) referencing."x"'


def test_an_operand_of_another_type_is_cast_to_the_operators() -> None:
    """By internal name: `character` would mean one character."""
    assert match(typed("text"), typed("bpchar"), operator("bpchar", "bpchar")) == (
        'referenced."id" OPERATOR("pg_catalog".=) referencing."x"::"pg_catalog"."bpchar"'
    )
    assert match(typed("int4"), typed("int8"), operator("int8", "int4")).count("::") == 0


def test_types_and_operators_of_extensions_are_qualified() -> None:
    """Citext may live in any schema."""
    citext = typed("citext", schema="ext")
    assert match(citext, citext, operator("citext", "citext", "ext")) == 'referenced."id" OPERATOR("ext".=) referencing."x"'


def test_polymorphic_operands_are_not_cast_but_domains_over_them_are() -> None:
    """`::anyarray` is no type to cast to; a domain is brought down to its array."""
    plain, domain = typed("_int4"), typed("_int4", oid=7)
    assert match(domain, plain, operator("anyarray", "anyarray")) == (
        'referenced."id" OPERATOR("pg_catalog".=) referencing."x"::"pg_catalog"."_int4"'
    )
    assert "::" not in match(typed("mood", schema="app"), typed("mood", schema="app"), operator("anyenum", "anyenum"))


def test_unlike_collations_take_the_referenced_one() -> None:
    """As ri_triggers.c does; without it PostgreSQL would refuse to choose."""
    catalog = catalog_of(typed("text"), typed("text"))
    tables = {
        name: replace(
            table, columns=tuple(replace(c, collation=("pg_catalog", "C" if c.name == "id" else "default")) for c in table.columns)
        )
        for name, table in catalog.tables.items()
    }

    sql = key_match(replace(catalog, tables=tables), columns("t", "x"), columns("r", "id"), (operator("text", "text"),))

    assert sql.endswith('referencing."x" COLLATE "pg_catalog"."C"')


def test_only_goes_with_plain_tables() -> None:
    """Inherited rows are not in the key; a partitioned table's rows are all in its partitions."""
    plain = a_table("t", "x integer")

    assert from_only(plain) == 'ONLY "public"."t"'
    assert from_only(replace(plain, kind=TableKind.PARTITIONED)) == '"public"."t"'


COMPOSITE = a_catalog(
    a_table('we"ird.r', "a integer", "b integer", key=("a", "b")),
    replace(a_table("t", key=()), columns=(a_column("x integer"), a_column("y integer"))),
)
PAIR = (COMPOSITE, columns("t", "x", "y"), columns('we"ird.r', "a", "b"), (EQUAL, EQUAL))


def test_count() -> None:
    """All columns non-null, no referenced row; quoted once, everywhere."""
    assert count_orphans_sql(*PAIR) == (
        'SELECT pg_catalog.count(*) FROM ONLY "public"."t" AS referencing'
        ' WHERE referencing."x" IS NOT NULL AND referencing."y" IS NOT NULL'
        ' AND NOT EXISTS (SELECT FROM ONLY "we""ird"."r" AS referenced'
        ' WHERE referenced."a" OPERATOR("pg_catalog".=) referencing."x" AND referenced."b" OPERATOR("pg_catalog".=) referencing."y")'
    )


def test_recount_has_another_form() -> None:
    """An outer join that looks at ctid, which no row lacks."""
    sql = recount_orphans_sql(*PAIR)

    assert "EXISTS" not in sql
    assert sql.endswith(' WHERE referencing."x" IS NOT NULL AND referencing."y" IS NOT NULL AND referenced.ctid IS NULL')


def test_the_condition_takes_an_alias() -> None:
    """So that it fits into another statement."""
    sql = orphan_condition(*PAIR, alias="orphan")

    assert sql.startswith('orphan."x" IS NOT NULL AND orphan."y" IS NOT NULL AND NOT EXISTS')
    assert "referencing" not in sql


def test_samples_are_text() -> None:
    """In the order asked for, with the limit as a parameter."""
    sql = sample_orphans_sql(*PAIR, columns=("y", "x"))

    assert sql.startswith(
        'SELECT referencing."y"::pg_catalog.text, referencing."x"::pg_catalog.text FROM ONLY "public"."t" AS referencing WHERE'
    )
    assert sql.endswith(" LIMIT $1")
