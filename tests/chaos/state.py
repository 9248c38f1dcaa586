"""A database as rows of text, read with plain SQL: what the checker compares. Nothing of the service is imported here, either."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg

Row = tuple[str | None, ...]
Rows = Counter[Row]


class Server(Protocol):
    """A PostgreSQL server that has its own programs."""

    async def program(self, name: str, *arguments: str) -> str:
        """Run a program such as `pg_dump` and return what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A relationship as the author of a test database declares it, apart from what the service thinks.

    `orphans`: what the plan does with orphan rows (`delete`, `null`, the value to repoint to), or "" when the key is enforced already
    and only takes rows along. `on_delete`: `cascade`, `null` or `restrict`.
    """

    referencing: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...]
    on_delete: str = "cascade"
    orphans: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A database at one moment, schema holdfast aside."""

    schema: str
    columns: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, Rows]
    sequences: Mapping[str, str]
    #: Foreign keys by table and name, in the order in which they were made, as PostgreSQL writes them.
    keys: Mapping[tuple[str, str], str]

    @property
    def row_count(self) -> int:
        """All rows of all tables."""
        return sum(sum(rows.values()) for rows in self.rows.values())


@dataclass(slots=True)
class Counted:
    """What was looked at; goes into the report."""

    cases: int = 0
    crashes: int = 0
    rows: int = 0
    lost: int = 0
    #: Versions of PostgreSQL.
    majors: set[int] = field(default_factory=set)
    names: Counter[str] = field(default_factory=Counter)


counted = Counted()

_TABLES = """
SELECT format('%I.%I', nspname, relname) AS name, relation.oid, ARRAY(
    SELECT attname::text FROM pg_attribute WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns
FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast') AND nspname NOT LIKE 'pg\\_%' ORDER BY 1
"""
_SEQUENCES = """
SELECT format('%I.%I', nspname, relname) AS name FROM pg_class AS relation JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
WHERE relkind = 'S' AND nspname NOT IN ('pg_catalog', 'information_schema', 'holdfast') ORDER BY 1
"""
_KEYS = """
SELECT conrelid::regclass::text AS on_table, conname::text AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE contype = 'f' ORDER BY oid
"""


async def read_state(server: Server, dsn: str, *, with_schema: bool = True) -> State:
    """Read the whole database: dump of its schema, rows, sequences, keys."""
    dump = await server.program("pg_dump", "--schema-only", "--exclude-schema=holdfast", f"--dbname={dsn}") if with_schema else ""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(_TABLES)
        sequences = [row["name"] for row in await connection.fetch(_SEQUENCES)]
        return State(
            # The key of these lines is random.
            schema=re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE),
            columns={table["name"]: tuple(table["columns"]) for table in tables},
            rows={table["name"]: await _rows(connection, table["name"], table["columns"]) for table in tables},
            sequences={name: str(await connection.fetchrow(f"SELECT last_value, is_called FROM {name}")) for name in sequences},
            keys={(row["on_table"], row["name"]): row["definition"] for row in await connection.fetch(_KEYS)},
        )
    finally:
        await connection.close()


async def _rows(connection: asyncpg.Connection, table: str, columns: Iterable[str]) -> Rows:
    texts = ", ".join(f"{quoted(column)}::text" for column in columns)
    return Counter(tuple(row[0]) for row in await connection.fetch(f"SELECT ARRAY[{texts}]::text[] FROM ONLY {table}"))


def quoted(name: str) -> str:
    """Return an identifier quoted."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A row in the backup that was not put back."""

    table: str
    action: str
    changed: tuple[str, ...]
    row: Row
    left: Row | None


async def read_backup(dsn: str, columns: Mapping[str, tuple[str, ...]]) -> tuple[Saved, ...]:
    """Read the rows of the backup that were not put back."""
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT to_regclass('holdfast.backup') IS NOT NULL"):
            return ()
        saved: list[Saved] = []
        for table, names in columns.items():
            image = ", ".join(f"(row_image::{table}).{quoted(name)}::text" for name in names)
            left = ", ".join(f"(left_image::{table}).{quoted(name)}::text" for name in names)
            question = f"""
                SELECT action, changed_columns, ARRAY[{image}]::text[] AS image,
                  CASE WHEN left_image IS NOT NULL THEN ARRAY[{left}]::text[] END AS left_as
                FROM holdfast.backup WHERE restored_by IS NULL AND format('%I.%I', table_schema, table_name) = $1"""
            for row in await connection.fetch(question, table):
                left_as = None if row["left_as"] is None else tuple(row["left_as"])
                changed = tuple(row["changed_columns"])
                saved.append(Saved(table=table, action=row["action"], changed=changed, row=tuple(row["image"]), left=left_as))
        return tuple(saved)
    finally:
        await connection.close()
