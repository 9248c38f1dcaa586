"""What an application will write, and whether there is room for it: indexes, the backup, write-ahead log, temporary files.

PostgreSQL tells the size of files, never the space left. Only when the server runs on this very machine can its disk be asked.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from holdfastd.names import ColumnSet, TableName
from holdfastd.target.identity import session_role
from holdfastd.target.preflight.check import Check, passed, size, untold, warning
from holdfastd.target.preflight.look import grant_of, look
from holdfastd.target.preflight.needs import CleanedRows, Needs
from holdfastd.target.preflight.relations import Relations

# Never analysed: estimated from the size alone, as the planner does, at 100 bytes a row.
_TABLES = """
SELECT relation.oid::pg_catalog.int8 AS oid,
       pg_catalog.pg_relation_size(relation.oid) AS bytes,
       CASE WHEN relation.reltuples >= 0 THEN relation.reltuples::pg_catalog.float8
            ELSE pg_catalog.pg_relation_size(relation.oid) / 100.0 END AS row_count
FROM pg_catalog.pg_class AS relation
WHERE relation.oid = ANY ($1::pg_catalog.oid[]) AND relation.relkind = 'r'
"""
_WIDTHS = """
SELECT attribute.attrelid::pg_catalog.int8 AS oid, attribute.attname AS name,
       CASE WHEN attribute.attlen > 0 THEN attribute.attlen::pg_catalog.int4 ELSE statistics.avg_width END AS width
FROM pg_catalog.pg_attribute AS attribute
JOIN pg_catalog.pg_class AS relation ON relation.oid = attribute.attrelid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_catalog.pg_stats AS statistics
  ON statistics.schemaname = namespace.nspname AND statistics.tablename = relation.relname AND statistics.attname = attribute.attname
  AND NOT statistics.inherited
WHERE attribute.attrelid = ANY ($1::pg_catalog.oid[]) AND attribute.attnum > 0 AND NOT attribute.attisdropped
"""
# In bytes; -1: no limit.
_SETTINGS = """
SELECT setting.name, setting.setting = '-1' AS is_none,
       setting.setting::pg_catalog.int8 * pg_catalog.pg_size_bytes('1 ' || setting.unit) AS bytes
FROM pg_catalog.pg_settings AS setting
WHERE setting.name IN ('temp_file_limit', 'max_wal_size')
"""
_DATA_DIRECTORY = """
SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') THEN pg_catalog.current_setting('data_directory') END
"""

#: Of a column whose width is unknown.
_USUAL_WIDTH = 32
_INDEX_FILL = 0.9
_INDEX_TUPLE_BYTES, _ALIGNMENT = 12, 8
#: A row as text is wider than the row, and the backup keeps who and where beside it.
_TEXT_FACTOR, _BACKUP_ROW_BYTES = 1.5, 200
_OLD_ROW_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What will be written, in bytes: estimates, rather high than low."""

    indexes: float
    backup: float
    wal: float
    largest_index: float

    @property
    def total(self) -> float:
        """Everything at its peak: while the largest index is built, its sorted entries lie beside it."""
        return self.indexes + self.backup + self.wal + self.largest_index

    def __str__(self) -> str:
        """What the sum is made of."""
        return (
            f"about {size(self.total)}: {size(self.indexes)} of indexes, up to {size(self.largest_index)} of temporary files,"
            f" {size(self.backup)} of backup, {size(self.wal)} of write-ahead log"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How large the relations are."""

    relations: Relations
    bytes: Mapping[int, int]
    rows: Mapping[int, float]
    #: By oid and column.
    widths: Mapping[tuple[int, str], int | None]

    def row_width(self, table: TableName) -> float:
        """Return the bytes of an average row of a table and its partitions."""
        oids = self.relations.oids_of([table])
        rows = sum(self.rows.get(oid, 0) for oid in oids)
        return sum(self.bytes.get(oid, 0) for oid in oids) / rows if rows else _USUAL_WIDTH

    def index_bytes(self, oid: int, columns: Sequence[str]) -> float:
        """Return the bytes of an index on columns of one relation."""
        width = sum(self.widths.get((oid, column)) or _USUAL_WIDTH for column in columns)
        aligned = -(-width // _ALIGNMENT) * _ALIGNMENT
        return self.rows.get(oid, 0) * (_INDEX_TUPLE_BYTES + aligned) / _INDEX_FILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk of the server, as far as it can be asked."""

    #: The server runs on this machine.
    is_here: bool
    free: int | None


async def check_room(connection: asyncpg.Connection, needs: Needs, relations: Relations) -> list[Check]:
    """Check the room that the steps need."""

    async def disk(session: asyncpg.Connection) -> Check:
        return judge_disk(await read_room(session, needs, relations), await _read_disk(session), grant_of("pg_read_all_settings", session))

    async def temporary_files(session: asyncpg.Connection) -> Check:
        room, settings = await read_room(session, needs, relations), await _limits(session)
        return judge_temporary_files(room, settings["temp_file_limit"])

    async def write_ahead_log(session: asyncpg.Connection) -> Check:
        room, settings = await read_room(session, needs, relations), await _limits(session)
        return judge_write_ahead_log(room, settings["max_wal_size"])

    return [
        await look(connection, "disk", disk),
        await look(connection, "temporary_files", temporary_files),
        await look(connection, "write_ahead_log", write_ahead_log),
    ]


async def _limits(connection: asyncpg.Connection) -> dict[str, int | None]:
    return {row["name"]: None if row["is_none"] else row["bytes"] for row in await connection.fetch(_SETTINGS)}


async def read_room(connection: asyncpg.Connection, needs: Needs, relations: Relations) -> Room:
    """Return what the steps will write, estimated from the sizes of today."""
    oids = relations.oids_of(needs.tables)
    tables = await connection.fetch(_TABLES, oids)
    extent = Extent(
        relations=relations,
        bytes={row["oid"]: row["bytes"] for row in tables},
        rows={row["oid"]: row["row_count"] for row in tables},
        widths={(row["oid"], row["name"]): row["width"] for row in await connection.fetch(_WIDTHS, oids)},
    )
    return estimate_room(extent, needs.builds, needs.cleaned)


def estimate_room(extent: Extent, builds: Sequence[ColumnSet], cleaned: Sequence[CleanedRows]) -> Room:
    """Return what building and cleaning will write. An index is logged once; a row in the backup, and its old version when it goes."""
    # An index of a partitioned table is made of those of its partitions.
    pieces = {(oid, build.columns) for build in builds for oid in extent.relations.oids_of([build.table])}
    indexes = [extent.index_bytes(oid, columns) for oid, columns in pieces]
    widths = [(item.backed_up_rows, max(extent.row_width(table) for table in (item.table, *item.reached))) for item in cleaned]
    backup = sum(rows * (width * _TEXT_FACTOR + _BACKUP_ROW_BYTES) for rows, width in widths)
    changed = sum(rows * (width + _OLD_ROW_BYTES) for rows, width in widths)
    return Room(indexes=sum(indexes), backup=backup, wal=sum(indexes) + backup + changed, largest_index=max(indexes, default=0))


async def _read_disk(connection: asyncpg.Connection) -> Disk:
    """Ask the disk where the server keeps its data, if it is one of this machine."""
    pid = await connection.fetchval("SELECT pg_catalog.pg_backend_pid()")
    if not await asyncio.to_thread(_is_here, pid, session_role(connection)):
        return Disk(is_here=False, free=None)
    directory = await connection.fetchval(_DATA_DIRECTORY)
    return Disk(is_here=True, free=await asyncio.to_thread(_free_at, directory) if directory else None)


def _is_here(pid: int, role: str) -> bool:
    """Tell whether our backend is a process of this machine. An address proves nothing: tunnels end on 127.0.0.1, too."""
    try:
        title = Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return title.startswith("postgres:") and f" {role} " in title


def _free_at(directory: str) -> int | None:
    try:
        found = os.statvfs(directory)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def judge_disk(room: Room, disk: Disk, cure: str) -> Check:
    """Say what is needed, and whether it is there where that can be known."""
    name = "disk"
    if disk.free is None and disk.is_here:
        return untold(name, f"how much is free, for the role may not see where the server keeps its data. Needed are {room}", cure)
    if disk.free is None:
        why = f"how much is free, for PostgreSQL does not show it and the server runs elsewhere. Needed are {room}"
        return untold(name, why, "Look at the disk of the server, or at your host's metrics, before you apply.")
    if disk.free < room.total:
        return warning(name, f"Only {size(disk.free)} are free. Needed are {room}.", "Make room, or leave out large tables by policy.")
    return passed(name, f"{size(disk.free)} are free where the server keeps its data. Needed are {room}.")


def judge_temporary_files(room: Room, limit: int | None) -> Check:
    """Say whether an index can be sorted within temp_file_limit."""
    name = "temporary_files"
    if limit is None:
        return passed(name, "Temporary files are not limited.")
    if limit < room.largest_index:
        seen = f"temp_file_limit is {size(limit)}; sorting the largest index takes up to {size(room.largest_index)}, and would fail."
        return warning(name, seen, "Raise temp_file_limit for the role, or raise maintenance_work_mem for it.")
    return passed(name, f"temp_file_limit is {size(limit)}; sorting the largest index takes up to {size(room.largest_index)}.")


def judge_write_ahead_log(room: Room, limit: int | None) -> Check:
    """Say whether checkpoints keep their pace. `limit` is max_wal_size."""
    name = "write_ahead_log"
    if limit is not None and limit < room.wal:
        seen = f"About {size(room.wal)} of write-ahead log are more than max_wal_size ({size(limit)}): checkpoints will come more often."
        return warning(name, seen, "Raise max_wal_size for the time of the application, or choose a quiet hour.")
    return passed(name, f"About {size(room.wal)} of write-ahead log will be written.")
