"""Questions to the catalog about the parts of keys and indexes that partitions have, as SQL that returns one boolean. Pure."""

from holdfastd.names import ColumnSet, TableName, literal, qualified
from holdfastd.plan.conditions import index_is_there


def both(one: str, other: str) -> str:
    """Return the question whether two questions are both answered with yes."""
    return f"SELECT ({one})\n  AND ({other})"


def key_is_own(table: TableName, name: str) -> str:
    """Return the question whether a table has a key of this name that it does not inherit: only such a key can be dropped."""
    return (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint AS constraint_row\n"
        f"  WHERE constraint_row.contype = 'f' AND constraint_row.conparentid = 0 AND constraint_row.conname = {literal(name)}\n"
        f"  AND constraint_row.conrelid = {_oid(table)})"
    )


def index_is_loose(columns: ColumnSet, name: str) -> str:
    """Return the question whether an index is there and not part of another: only such an index can be dropped."""
    index = TableName(columns.table.schema, name)
    loose = f"SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS part WHERE part.inhrelid = {_oid(index)})"
    return both(index_is_there(columns.table, name, columns.columns), loose)


def index_is_attached(index: TableName, parent: TableName) -> str:
    """Return the question whether an index is a part of another one."""
    return (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits AS part"
        f" WHERE part.inhrelid = {_oid(index)} AND part.inhparent = {_oid(parent)})"
    )


def _oid(relation: TableName) -> str:
    return f"pg_catalog.to_regclass({literal(qualified(relation))})"
