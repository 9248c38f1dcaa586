"""Sentences about indexes: missing, superfluous, left behind by a failed build."""

import re
from collections.abc import Sequence

from holdfastd.catalog.indexes import leading
from holdfastd.catalog.model import Index, Table, TableKind
from holdfastd.findings.words import Words, listed, plain
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, identifier, identifiers, qualified

#: What REINDEX CONCURRENTLY calls the indexes that it builds and replaces.
_LEFTOVER = re.compile(r"_cc(new|old)\d*\Z")


def unindexed_key(
    relationship: Relationship, table: Table, *, targets: Sequence[TableName], near: str, invalid: Index | None, is_planned: bool
) -> Words:
    """Referencing columns without a usable index; the keys on them reference the targets."""
    referencing = relationship.referencing
    return Words(
        message=f"No usable index serves lookups by {referencing}{near}.",
        consequence=_reading(relationship, targets),
        cure=_building(table, referencing.columns, is_planned=is_planned) if invalid is None else _rebuilding(table, invalid),
    )


def _reading(relationship: Relationship, targets: Sequence[TableName]) -> str:
    deleting = f"row deleted from {listed(targets, 'or')} reads the whole of {relationship.referencing.table}"
    if relationship.declared:
        return f"Each {deleting}, and so does each join from that side."
    return f"Under a foreign key, each {deleting}; each join from that side does so already."


def near_miss(index: Index | None, columns: tuple[str, ...], invalid: Index | None) -> str:
    """Return what there is instead of a serving index, as more of the sentence; empty when nothing."""
    if invalid is not None:
        return f": index {identifier(invalid.name)} is invalid"
    if index is None:
        return ""
    return f": index {identifier(index.name)} covers only ({plain(leading(index, columns))})"


def redundant_index(table: Table, index: Index, cover: Index) -> Words:
    """An index whose every use another one serves as well."""
    name, other = identifier(index.name), identifier(cover.name)
    if len(index.key_columns) == len(cover.key_columns):
        message = f"Index {name} of {table.name} is built like {other}, which stays."
        but = "serves nothing that the other does not serve"
    else:
        message = f"Index {name} of {table.name} is the beginning of {other}, which serves the same searches."
        but = "serves nothing that the other does not serve, if from fewer pages"
    concurrently = "" if table.kind is TableKind.PARTITIONED else "CONCURRENTLY "
    caution = " when readers and writers can wait for a moment" if table.kind is TableKind.PARTITIONED else ""
    return Words(
        message=message,
        consequence=f"It takes disk space, slows every write, and {but}.",
        cure=f"Run DROP INDEX {concurrently}{_index(table, index)}{caution}.",
    )


def invalid_index(table: Table, index: Index) -> Words:
    """An index that no search uses."""
    if table.kind is TableKind.PARTITIONED:
        return Words(
            message=f"Index {identifier(index.name)} of {table.name} is not valid: not every partition has its part of it.",
            consequence="It vouches for nothing across partitions, and searches read the whole of each partition without its part.",
            cure="On each partition that lacks it, run CREATE INDEX CONCURRENTLY with the same columns, "
            f"then ALTER INDEX {_index(table, index)} ATTACH PARTITION.",
        )
    return Words(
        message=f"Index {identifier(index.name)} of {table.name} is invalid: its concurrent build failed, or is still running.",
        consequence="Writes keep it up to date, and no search uses it.",
        cure=_rebuilding(table, index),
    )


def _building(table: Table, columns: tuple[str, ...], *, is_planned: bool) -> str:
    named = f"{qualified(table.name)} ({identifiers(columns)})"
    if table.kind is TableKind.PARTITIONED:
        return f"Run CREATE INDEX ON {named} when writes can wait; to keep them going, build it on each partition CONCURRENTLY first."
    first = "Plan the foreign key, which builds the index first, or run" if is_planned else "Run"
    return f"{first} CREATE INDEX CONCURRENTLY ON {named}."


def _rebuilding(table: Table, index: Index) -> str:
    """Return how to get rid of an invalid index, and how to have it valid."""
    drop = f"DROP INDEX CONCURRENTLY {_index(table, index)}"
    if table.kind is TableKind.PARTITIONED:
        return f"Complete index {identifier(index.name)} on each partition."
    running = "Unless pg_stat_progress_create_index shows that its build is running, run"
    if _LEFTOVER.search(index.name) or not index.definition:
        return f"{running} {drop}."
    create = re.sub(r"\ACREATE (UNIQUE )?INDEX ", lambda match: f"{match[0]}CONCURRENTLY ", index.definition)
    return f"{running} {drop}, then {create}."


def _index(table: Table, index: Index) -> str:
    return f"{identifier(table.name.schema)}.{identifier(index.name)}"
