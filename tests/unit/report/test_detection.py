"""Queries to be copied: plain where plain is right, quoted where it must be, none where `=` would compare something else."""

from dataclasses import replace

from holdfastd.catalog.model import Operator, TableKind
from holdfastd.catalog.outline import outline
from holdfastd.names import ColumnSet, TableName
from holdfastd.report.detection import can_be_queried, rows_query, summary_query
from support.builders import a_catalog, a_table
from unit.report.documents import a_relationship, community, relationships

CATALOG = community()
TABLES = {table.name: table for table in outline(CATALOG)}
ITEM = relationships(CATALOG)[1]


def test_keys_of_orphan_rows_are_selected():
    """The primary key and the referencing columns, nothing else of a row; inherited rows are not the table's own."""
    assert rows_query(ITEM, TABLES) == (
        "SELECT referencing.id, referencing.station_id\n"
        "FROM ONLY public.reports AS referencing\n"
        "WHERE referencing.station_id IS NOT NULL\n"
        "  AND NOT EXISTS (SELECT FROM ONLY public.stations AS referenced WHERE referenced.id = referencing.station_id)\n"
        "ORDER BY 1, 2;"
    )
    partitioned = {**TABLES, ITEM.referencing.table: replace(TABLES[ITEM.referencing.table], kind=TableKind.PARTITIONED)}
    assert "FROM public.reports" in rows_query(ITEM, partitioned)


def test_names_are_quoted_where_sql_needs_it():
    """A schema that is a keyword, a table with capitals, a quote in a column."""
    odd = replace(ITEM, referencing=ColumnSet(TableName("user", "Order"), ('a"b',)))

    assert 'FROM "user"."Order" AS referencing\nWHERE referencing."a""b" IS NOT NULL' in rows_query(odd, {})
    assert 'SELECT \'user."Order"."a""b" → stations.id\' AS relationship' in summary_query([odd], {})


def test_types_are_compared_as_the_key_does():
    """A cast where the operator's type is not the column's."""
    catalog = a_catalog(a_table("a", "id numeric not null"), a_table("b", "a_id integer"))
    numeric = ("pg_catalog", "numeric")
    item = replace(
        a_relationship(catalog, "b", "a_id", "a"), operators=(Operator(schema="pg_catalog", name="=", left=numeric, right=numeric),)
    )

    assert 'referenced.id = referencing.a_id::"pg_catalog"."numeric"' in rows_query(item, {each.name: each for each in outline(catalog)})


def test_what_cannot_be_told_plainly_is_not_told():
    """Another operator, none at all, and names that a reader would not see as they are."""
    overlaps = replace(ITEM, operators=(replace(ITEM.operators[0], name="&&"),))
    hidden = replace(ITEM, referencing=replace(ITEM.referencing, columns=("a\u202eb",)))

    assert can_be_queried(ITEM, TABLES)
    assert not [item for item in (overlaps, hidden, replace(ITEM, operators=())) if can_be_queried(item, TABLES)]
