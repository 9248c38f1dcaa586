"""Questions to the catalog that tell whether a step is done, as SQL that returns one boolean. Pure.

Names are compared as literals against the catalog, definitions column by column: a key of the right name but another definition is
not ours.
"""

from holdfastd.catalog.model import OnDelete
from holdfastd.names import ColumnSet, TableName, literal, qualified

#: pg_constraint.confdeltype.
_DELETE_CODES = {
    OnDelete.NO_ACTION: "a",
    OnDelete.RESTRICT: "r",
    OnDelete.CASCADE: "c",
    OnDelete.SET_NULL: "n",
    OnDelete.SET_DEFAULT: "d",
}


def ledger_exists() -> str:
    """Return the question whether schema holdfast is ready: of this version, and none of it lost in a crash."""
    return (
        "SELECT pg_catalog.to_regclass('holdfast.backup') IS NOT NULL AND pg_catalog.to_regclass('holdfast.fence') IS NOT NULL\n"
        "  AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute\n"
        "    WHERE attribute.attrelid = pg_catalog.to_regclass('holdfast.ledger') AND attribute.attname = 'purged_by')\n"
        "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS relation\n"
        "    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace\n"
        "    WHERE namespace.nspname = 'holdfast' AND relation.relkind = 'r' AND relation.relpersistence = 'u')"
    )


def index_is_ready(table: TableName, name: str, columns: tuple[str, ...]) -> str:
    """Return the question whether a usable, full btree index of this name covers exactly these columns."""
    return _index(table, name, columns, "index.indisvalid AND index.indisready AND ")


def index_is_there(table: TableName, name: str, columns: tuple[str, ...]) -> str:
    """Return the same question about an index that may be half built."""
    return _index(table, name, columns, "")


def _index(table: TableName, name: str, columns: tuple[str, ...], state: str) -> str:
    return (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_index AS index\n"
        "  JOIN pg_catalog.pg_class AS relation ON relation.oid = index.indexrelid\n"
        "  JOIN pg_catalog.pg_am AS method ON method.oid = relation.relam\n"
        f"  WHERE index.indrelid = {_oid(table)} AND relation.relname = {literal(name)}\n"
        f"  AND {state}NOT index.indisunique AND index.indpred IS NULL AND method.amname = 'btree'\n"
        f"  AND {_names('index.indrelid', 'index.indkey::smallint[]')} = {_array(columns)})"
    )


def foreign_key_exists(
    referencing: ColumnSet, referenced: ColumnSet, name: str, on_delete: OnDelete, set_null_columns: tuple[str, ...] = ()
) -> str:
    """Return the question whether the key is there, as planned, validated or not."""
    return f"SELECT {_foreign_key(referencing, referenced, name, on_delete, set_null_columns)})"


def foreign_key_is_validated(
    referencing: ColumnSet, referenced: ColumnSet, name: str, on_delete: OnDelete, set_null_columns: tuple[str, ...] = ()
) -> str:
    """Return the question whether the key is there, as planned, and validated."""
    return f"SELECT {_foreign_key(referencing, referenced, name, on_delete, set_null_columns)} AND constraint_row.convalidated)"


def foreign_key_is_defined(table: TableName, name: str, definition: str) -> str:
    """Return the question whether a key is there with exactly this definition, validated or not."""
    return (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint AS constraint_row\n"
        f"  WHERE constraint_row.contype = 'f' AND constraint_row.conname = {literal(name)}\n"
        f"  AND constraint_row.conrelid = {_oid(table)}\n"
        "  AND pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(constraint_row.oid), ' NOT VALID$', '')"
        f" = {literal(definition.removesuffix(' NOT VALID'))})"
    )


def _foreign_key(referencing: ColumnSet, referenced: ColumnSet, name: str, on_delete: OnDelete, set_null_columns: tuple[str, ...]) -> str:
    return (
        "EXISTS (SELECT FROM pg_catalog.pg_constraint AS constraint_row\n"
        f"  WHERE constraint_row.contype = 'f' AND constraint_row.conname = {literal(name)}\n"
        f"  AND constraint_row.conrelid = {_oid(referencing.table)} AND constraint_row.confrelid = {_oid(referenced.table)}\n"
        f"  AND constraint_row.confdeltype = '{_DELETE_CODES[on_delete]}'\n"
        f"  AND {_names('constraint_row.conrelid', 'constraint_row.conkey')} = {_array(referencing.columns)}\n"
        f"  AND {_names('constraint_row.confrelid', 'constraint_row.confkey')} = {_array(referenced.columns)}"
        f"{_set_null_columns(set_null_columns) if on_delete is OnDelete.SET_NULL else ''}"
    )


def _set_null_columns(columns: tuple[str, ...]) -> str:
    """Return the condition that a key sets NULL exactly these columns. confdelsetcols came with 15: read by name from the JSON form."""
    return (
        "\n  AND ARRAY(SELECT attribute.attname::text"
        " FROM pg_catalog.jsonb_array_elements_text(nullif(pg_catalog.to_jsonb(constraint_row) -> 'confdelsetcols', 'null')) AS chosen"
        " JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = constraint_row.conrelid"
        f" AND attribute.attnum = chosen.value::smallint ORDER BY attribute.attnum) @> {_array(columns)}"
        " AND pg_catalog.jsonb_array_length(coalesce(nullif(pg_catalog.to_jsonb(constraint_row) -> 'confdelsetcols', 'null'), '[]'))"
        f" = {len(columns)}"
    )


def _oid(table: TableName) -> str:
    return f"pg_catalog.to_regclass({literal(qualified(table))})"


def _names(relation: str, numbers: str) -> str:
    """Return the names of columns, in the order of their numbers in an array."""
    return (
        "ARRAY(SELECT attribute.attname::text"
        f" FROM pg_catalog.unnest({numbers}) WITH ORDINALITY AS key (number, position)"
        f" JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = {relation} AND attribute.attnum = key.number"
        " ORDER BY key.position)"
    )


def _array(columns: tuple[str, ...]) -> str:
    return f"ARRAY[{', '.join(literal(column) for column in columns)}]::text[]"
