"""What a catalog says about keys that a deletion follows: would their rows be found, before and after? Pure."""

from holdfastd.catalog.indexes import Comparison, serving_index
from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.names import literal
from holdfastd.plan.edges import KeyName


def is_unindexed(catalog: Catalog, edge: Edge, dropped: frozenset[KeyName]) -> bool:
    """Tell whether each deleted row makes PostgreSQL read a whole table for a key. Keys of the plan get their index before."""
    leaf = edge.referencing.table
    declared = any(
        key.referencing.columns == edge.referencing.columns and key.enforced and (table, key.name) not in dropped
        for table in (leaf, *catalog.tables_above(leaf))
        for key in catalog.tables[table].foreign_keys
    )
    comparison = Comparison(operators=edge.operators, types=catalog.types)
    return declared and serving_index(catalog.tables[leaf], edge.referencing.columns, comparison) is None


def why_lost(catalog: Catalog, edge: Edge) -> str:
    """Return why rows that a key sets NULL would not be found again; empty when they are."""
    if edge.on_delete is not OnDelete.SET_NULL:
        return ""
    if not catalog.tables[edge.referencing.table].primary_key:
        return "has no primary key to find them again"
    places = [catalog.tables[above].place for above in catalog.tables_above(edge.referencing.table)]
    moves = any(place is not None and set(edge.nulled).intersection(place.key_columns) for place in places)
    return "moves them to another partition then" if moves else ""


def refused_sql(number: int, edge: Edge, why: str) -> str:
    """Return the question for rows that a batch sets NULL and that would be lost: they came after the plan was made. Parameter: batch."""
    text = f" rows of {edge.referencing.table} would be set NULL, and it {why}"
    return (
        f"SELECT pg_catalog.count(*) || {literal(text)} FROM holdfast.backup AS saved WHERE saved.batch = $1::bigint"
        f" AND saved.table_number = {number} AND saved.action = 'UPDATE' HAVING pg_catalog.count(*) > 0"
    )
