"""The SELECTs about orphan rows, as text. Pure.

In come a catalog and the columns of a relationship; out goes SQL that compares keys exactly as the foreign key does or would: by
its own operator and collation, and `ONLY` on plain tables, because inherited rows neither carry the key nor satisfy it.
"""

from holdfastd.catalog.model import Catalog, Column, DataType, Operator, Table, TableKind
from holdfastd.names import ColumnSet, identifier, qualified

REFERENCING = "referencing"
REFERENCED = "referenced"

#: Operand types that stand for any type of a family: the parser resolves them from the column, a cast would only hide it.
_POLYMORPHIC = frozenset({"anyarray", "anyenum", "anymultirange", "anyrange", "record"})

#: What pg_constraint names for the PERIOD of a key (PostgreSQL 18); all other columns are compared by an equality.
_OVERLAPS = "&&"


def key_match(
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    *,
    referencing_alias: str = REFERENCING,
    referenced_alias: str = REFERENCED,
) -> str:
    """Return the condition under which a referencing row points at a referenced row, as the foreign key decides it."""
    referencing_table, referenced_table = catalog.tables[referencing.table], catalog.tables[referenced.table]
    return " AND ".join(
        _pair_match(
            referencing_table.column(referencing_name),
            referenced_table.column(referenced_name),
            operator,
            referencing_alias=referencing_alias,
            referenced_alias=referenced_alias,
        )
        for referencing_name, referenced_name, operator in zip(referencing.columns, referenced.columns, operators, strict=True)
    )


def from_only(table: Table) -> str:
    """Return the table for a FROM clause: only its own rows, or the rows of all partitions."""
    return qualified(table.name) if table.kind is TableKind.PARTITIONED else f"ONLY {qualified(table.name)}"


def all_not_null(columns: ColumnSet, *, alias: str = REFERENCING) -> str:
    """Return the condition that no column of a key is null: MATCH SIMPLE leaves the other rows alone."""
    return " AND ".join(f"{alias}.{identifier(name)} IS NOT NULL" for name in columns.columns)


def orphan_condition(
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    *,
    alias: str = REFERENCING,
) -> str:
    """Return the condition under which a row of the referencing table, known as `alias`, is an orphan row."""
    match = key_match(catalog, referencing, referenced, operators, referencing_alias=alias)
    covered = _period_covered(catalog, referencing, referenced, operators, alias=alias)
    return (
        f"{all_not_null(referencing, alias=alias)} AND NOT EXISTS "
        f"(SELECT FROM {from_only(catalog.tables[referenced.table])} AS {REFERENCED} WHERE {match}{covered})"
    )


def count_orphans_sql(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, operators: tuple[Operator, ...]) -> str:
    """Return the SELECT that counts the orphan rows of a relationship."""
    return (
        f"SELECT pg_catalog.count(*) FROM {from_only(catalog.tables[referencing.table])} AS {REFERENCING}"
        f" WHERE {orphan_condition(catalog, referencing, referenced, operators)}"
    )


def recount_orphans_sql(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, operators: tuple[Operator, ...]) -> str:
    """Return a second SELECT of the same number that shares no form with the first: verification must not repeat a mistake.

    The missing side is told by its ctid, which no row lacks, so the planner cannot turn the join into the first form's anti-join.
    """
    return (
        f"SELECT pg_catalog.count(*) FROM {from_only(catalog.tables[referencing.table])} AS {REFERENCING}"
        f" LEFT JOIN {from_only(catalog.tables[referenced.table])} AS {REFERENCED}"
        f" ON {key_match(catalog, referencing, referenced, operators)}"
        f" WHERE {all_not_null(referencing)} AND {REFERENCED}.ctid IS NULL"
    )


def sample_blocks_sql(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, operators: tuple[Operator, ...]) -> str:
    """Return the SELECT of what some blocks hold, $1 percent of them: rows and orphan rows, in all, squared and the most per block."""
    columns = ", ".join(f"drawn.{identifier(name)}" for name in referencing.columns)
    block, partition = _free_name("block", referencing), _free_name("partition", referencing)
    return f"""
WITH {REFERENCING} AS MATERIALIZED (
    SELECT (drawn.ctid::pg_catalog.text::pg_catalog.point)[0] AS {block}, drawn.tableoid AS {partition}, {columns}
    FROM {from_only(catalog.tables[referencing.table])} AS drawn TABLESAMPLE SYSTEM ($1)
),
hit AS (
    SELECT pg_catalog.count(*) AS orphans FROM {REFERENCING}
    WHERE {orphan_condition(catalog, referencing, referenced, operators)}
    GROUP BY {REFERENCING}.{partition}, {REFERENCING}.{block}
),
held AS (
    SELECT pg_catalog.count(*) AS rows FROM {REFERENCING} GROUP BY {REFERENCING}.{partition}, {REFERENCING}.{block}
)
SELECT hits.*, rows.*
FROM (
    SELECT pg_catalog.count(*) AS hit_blocks,
           coalesce(pg_catalog.sum(orphans), 0)::pg_catalog.int8 AS orphans,
           coalesce(pg_catalog.sum(orphans * orphans), 0)::pg_catalog.int8 AS squares,
           coalesce(pg_catalog.max(orphans), 0) AS most
    FROM hit
) AS hits
CROSS JOIN (
    SELECT coalesce(pg_catalog.sum(rows), 0)::pg_catalog.int8 AS rows, coalesce(pg_catalog.max(rows), 0) AS most_rows FROM held
) AS rows
"""


def _free_name(wanted: str, taken: ColumnSet) -> str:
    """Return a name that is none of the columns'."""
    while wanted in taken.columns:
        wanted += "_"
    return identifier(wanted)


def sample_orphans_sql(
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    *,
    columns: tuple[str, ...],
) -> str:
    """Return the SELECT of some orphan rows, the given columns as text; $1 is the greatest number of rows."""
    values = ", ".join(f"{REFERENCING}.{identifier(name)}::pg_catalog.text" for name in columns)
    return (
        f"SELECT {values} FROM {from_only(catalog.tables[referencing.table])} AS {REFERENCING}"
        f" WHERE {orphan_condition(catalog, referencing, referenced, operators)} LIMIT $1"
    )


def _pair_match(referencing: Column, referenced: Column, operator: Operator, *, referencing_alias: str, referenced_alias: str) -> str:
    """Return the comparison of one column pair, written as ri_triggers.c writes it."""
    left = _operand(referenced_alias, referenced, operator.left)
    right = _operand(referencing_alias, referencing, operator.right)
    if referenced.collation is not None and referenced.collation != referencing.collation:
        schema, name = referenced.collation
        right += f" COLLATE {identifier(schema)}.{identifier(name)}"
    return f"{left} OPERATOR({identifier(operator.schema)}.{operator.name}) {right}"


def _period_covered(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, operators: tuple[Operator, ...], *, alias: str) -> str:
    """Return what a key by PERIOD asks for beyond overlap, as the end of a SELECT: all its rows together cover the period."""
    tables = catalog.tables
    covered = [
        f"{_operand(alias, tables[referencing.table].column(name), operator.right)} OPERATOR(pg_catalog.<@)"
        f" pg_catalog.range_agg({_operand(REFERENCED, tables[referenced.table].column(key_name), operator.left)})"
        for name, key_name, operator in zip(referencing.columns, referenced.columns, operators, strict=True)
        if operator.name == _OVERLAPS
    ]
    return f" HAVING {' AND '.join(covered)}" if covered else ""


def _operand(alias: str, column: Column, operand_type: tuple[str, str]) -> str:
    """Return a column, cast when its type is not the operator's: else the parser might choose another operator."""
    expression = f"{alias}.{identifier(column.name)}"
    cast = _cast_to(column.type, operand_type)
    if cast is None:
        return expression
    # The internal name (bpchar, never "character") keeps the cast free of a length.
    schema, name = cast
    return f"{expression}::{identifier(schema)}.{identifier(name)}"


def _cast_to(declared: DataType, operand_type: tuple[str, str]) -> tuple[str, str] | None:
    """Return the type that a column must be cast to; None when it can stay as it is."""
    base = (declared.base_schema, declared.base_name)
    if operand_type[0] == "pg_catalog" and operand_type[1] in _POLYMORPHIC:
        return base if declared.oid != declared.base_oid else None
    return operand_type if operand_type != base else None
