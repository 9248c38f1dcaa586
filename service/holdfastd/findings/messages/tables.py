"""Sentences about tables and parts of them."""

import re
from collections.abc import Sequence

from holdfastd.catalog.model import Column, ForeignKey, Index, Partition, Table, TableKind
from holdfastd.catalog.operators import is_referenceable
from holdfastd.findings.words import Words, add_key_sql, listed, plain
from holdfastd.names import ColumnSet, identifier, identifiers, qualified, readable

_BOTH = 2
#: A primary key takes no index of another order than the default one.
_ODD_ORDER = re.compile(r" DESC| NULLS FIRST")


def no_primary_key(table: Table) -> Words:
    """A table without a primary key."""
    return Words(
        message=f"{table.name} has no primary key.",
        consequence=_without_identity(table),
        cure="Add a primary key on the columns that identify a row, or an identity column when none do.",
    )


def _without_identity(table: Table) -> str:
    replication = "updates and deletions fail once the table is published"
    if any(is_referenceable(index) for index in table.indexes):
        return f"Rows with NULL in the unique columns cannot be told apart, and {replication}."
    return f"Foreign keys have nothing to point at, duplicates go unnoticed, and {replication}."


def unnamed_primary_key(table: Table, index: Index) -> Words:
    """A table without a primary key that has what could be one."""
    columns = [name for name in index.columns if name is not None]
    if index.constraint_name or index.nulls_not_distinct or table.kind is not TableKind.TABLE or _ODD_ORDER.search(index.definition):
        sql = f"ALTER TABLE {qualified(table.name)} ADD PRIMARY KEY ({identifiers(columns)})"
        cure = f"Run {sql}, which builds an index under ACCESS EXCLUSIVE, or leave it, for foreign keys can use the columns as they are."
    else:
        cure = f"Run ALTER TABLE {qualified(table.name)} ADD PRIMARY KEY USING INDEX {identifier(index.name)}."
    return Words(
        message=f"{table.name} has no primary key, though {plain(columns)} could be one: unique and NOT NULL.",
        consequence="Updates and deletions fail once the table is published without a replica identity, and tools find no key to go by.",
        cure=cure,
    )


def polymorphic_reference(table: Table, column: Column, kind: Column) -> Words:
    """Two columns that together may point into several tables."""
    return Words(
        message=f"{ColumnSet(table.name, (column.name,))} seems to reference rows of several tables: {readable(kind.name)} says of which.",
        consequence="A foreign key references one table only, so none can protect these rows, and their orphan rows are not counted.",
        cure="Give each referenced table a column and a foreign key of its own, with a CHECK that exactly one of them is set, "
        "or let triggers on the referenced tables delete what referenced them.",
    )


def _having(number: int, siblings: int) -> str:
    """Return who declares a key, as subject and verb."""
    if siblings == 1:
        return "its only sibling declares"
    if number == siblings:
        return "both siblings declare" if number == _BOTH else f"all {siblings} siblings declare"
    return f"{number} of {siblings} siblings {'declares' if number == 1 else 'declare'}"


def partition_without_key(root: Table, partition: Partition, missing: Sequence[tuple[ForeignKey, int]], siblings: int) -> Words:
    """A partition that lacks keys which siblings have; each key comes with the number of siblings that have it."""
    keys = listed([f"({plain(key.referencing.columns)}) to {key.referenced}" for key, _ in missing])
    having = listed(list(dict.fromkeys(_having(number, siblings) for _, number in missing)), "or")
    one = len(missing) == 1
    statements = listed(
        [
            add_key_sql(ColumnSet(partition.name, key.referencing.columns), key.referenced, key.on_delete, key.on_update, not_valid=True)
            for key, _ in missing
        ]
    )
    return Words(
        message=f"Partition {partition.name} of {root.name} lacks the foreign key{'' if one else 's'} from {keys}, which {having}.",
        consequence="Rows of this partition may reference what is gone, and deleting a referenced row leaves them behind as orphan rows.",
        cure=f"Run {statements}, clean up its orphan rows, and run VALIDATE CONSTRAINT for {'it' if one else 'each'}.",
    )
