"""Queries for people: the orphan rows of a relationship, plainly, for any SQL prompt. They only read. Pure.

In come an audit's relationship and what is known of its tables; out goes SQL with names quoted only where they must be. The service
counts with evidence/statements.py, which needs the whole catalog; where that would compare otherwise than `=` does, there is none here.
"""

from collections.abc import Mapping, Sequence

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import ColumnOutline, TableOutline
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, comment, identifier, literal, readable
from holdfastd.report.words import relationship_name

#: What makes `=` mean pg_catalog's, and a hidden row an error.
SETTINGS = "SET search_path = '';\nSET row_security = off;\nSET default_transaction_read_only = on;"
_STRINGS = {"varchar", "text"}

Tables = Mapping[TableName, TableOutline]


def can_be_queried(item: Relationship, tables: Tables) -> bool:
    """Tell whether a plain query finds the orphan rows, and can be shown: its names can be seen, and `=` compares as the key does."""
    plain = all(each.schema == "pg_catalog" and each.name == "=" for each in item.operators)
    return bool(item.operators) and plain and is_visible(rows_query(item, tables))


def is_visible(sql: str) -> bool:
    """Tell whether SQL can be read whole as it stands: a name may hold what is not shown, or turns the direction of what follows."""
    return all(line.isprintable() for line in sql.split("\n"))


def rows_query(item: Relationship, tables: Tables) -> str:
    """Return the SELECT of the orphan rows: their primary key and the referencing columns."""
    table = tables.get(item.referencing.table)
    columns = dict.fromkeys((*(table.primary_key if table else ()), *item.referencing.columns))
    listed = ", ".join(f"referencing.{readable(name)}" for name in columns)
    return f"SELECT {listed}\n{_orphans(item, tables)}\nORDER BY {', '.join(str(place) for place in range(1, len(columns) + 1))};"


def count_query(item: Relationship, tables: Tables) -> str:
    """Return the SELECT that counts the orphan rows, under the name of the relationship."""
    return f"SELECT {literal(relationship_name(item))} AS relationship, count(*) AS orphan_rows\n{_orphans(item, tables)}"


def summary_query(items: Sequence[Relationship], tables: Tables) -> str:
    """Return one table of counts."""
    return "\nUNION ALL\n".join(count_query(item, tables) for item in items) + "\nORDER BY 2 DESC, 1;"


def referenced_query(item: Relationship, tables: Tables) -> str:
    """Return the SELECT of the key of one referenced row that is referenced; no row where none is."""
    wanted = ", ".join(f"referenced.{readable(name)}" for name in item.referenced.columns)
    referenced, referencing = _from(item.referenced.table, tables), _from(item.referencing.table, tables)
    return f"SELECT {wanted} FROM {referenced} AS referenced JOIN {referencing} AS referencing ON {_match(item, tables)} LIMIT 1"


def heading(item: Relationship) -> str:
    """Return the comment above a query."""
    return comment(relationship_name(item))


def table_sql(table: TableName) -> str:
    """Return a table with its schema; only that must be quoted where it is a keyword."""
    schema = table.schema if table.schema == "public" else identifier(table.schema)
    return f"{schema}.{readable(table.name)}"


def _orphans(item: Relationship, tables: Tables) -> str:
    present = " AND ".join(f"referencing.{readable(name)} IS NOT NULL" for name in item.referencing.columns)
    return (
        f"FROM {_from(item.referencing.table, tables)} AS referencing\n"
        f"WHERE {present}\n"
        f"  AND NOT EXISTS (SELECT FROM {_from(item.referenced.table, tables)} AS referenced WHERE {_match(item, tables)})"
    )


def _from(table: TableName, tables: Tables) -> str:
    # Inherited rows neither carry a key nor satisfy it; the rows of partitions do.
    known = tables.get(table)
    return f"{'ONLY ' if known and known.kind is TableKind.TABLE else ''}{table_sql(table)}"


def _match(item: Relationship, tables: Tables) -> str:
    pairs = zip(item.referencing.columns, item.referenced.columns, item.operators, strict=True)
    return " AND ".join(
        f"{_operand('referenced', key, item.referenced.table, operator.left, tables)}"
        f" = {_operand('referencing', name, item.referencing.table, operator.right, tables)}"
        for name, key, operator in pairs
    )


def _operand(alias: str, name: str, table: TableName, wanted: tuple[str, str], tables: Tables) -> str:
    """Return a column, cast where `=` would otherwise compare something else."""
    column = _column(table, name, tables)
    written = f"{alias}.{readable(name)}"
    if column is None or wanted == (column.base_schema, column.base_name) or wanted[1].startswith("any"):
        return written
    if column.base_name in _STRINGS and wanted[1] in _STRINGS:
        return written
    return f"{written}::{identifier(wanted[0])}.{identifier(wanted[1])}"


def _column(table: TableName, name: str, tables: Tables) -> ColumnOutline | None:
    known = tables.get(table)
    return next((column for column in known.columns if column.name == name), None) if known else None
