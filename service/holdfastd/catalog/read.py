"""Reading the catalog: in comes a session, out goes one snapshot of what the database declares.

All queries are set-based and run in one REPEATABLE READ transaction that reads no user table. What hangs on tables is read and built
some tables at a time, so that memory holds the values and few rows, and ten thousand tables hold the snapshot for seconds. PostgreSQL
takes ACCESS SHARE on a table to print its expressions: only whoever holds it exclusively makes us wait, or give up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

import asyncpg

from holdfastd.catalog.build import Row, Shared, build_catalog, build_tables
from holdfastd.catalog.build_types import Types
from holdfastd.catalog.definitions import read_definitions
from holdfastd.catalog.model import Catalog, Identity, Table
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES, is_connection_lost, translate
from holdfastd.target.identity import read_identity, session_role

QUERIES = load_queries("holdfastd.catalog", "queries/relations.sql", "queries/keys.sql", "queries/types.sql")

#: Told how many tables were read, and how many there are. The snapshot is held meanwhile: be quick.
OnProgress = Callable[[int, int], Awaitable[None]]

_OF_A_PAGE = ("list_columns", "list_sequences", "list_triggers", "list_indexes", "list_constraints")
#: Tables of a page, at most, and their columns; one table alone may have more.
_PAGE = 2_000
_PAGE_COLUMNS = 50_000
#: Functions such as pg_get_indexdef look at the present, not at our snapshot: an object dropped meanwhile makes them fail or return NULL.
_ATTEMPTS = 3
_LIMIT_SECONDS = 120


async def read_catalog(
    connection: asyncpg.Connection,
    *,
    with_definitions: bool = False,
    with_partitions: bool = False,
    on_progress: OnProgress | None = None,
) -> Catalog:
    """Return one snapshot of the catalog. When asked for: the SQL of views and functions, as of a moment later; partitions as tables."""
    try:
        identity = await read_identity(connection)
        catalog = await _read_patiently(connection, identity, on_progress, with_partitions=with_partitions)
        return replace(catalog, definitions=await read_definitions(connection)) if with_definitions else catalog
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error


async def _read_patiently(
    connection: asyncpg.Connection, identity: Identity, on_progress: OnProgress | None, *, with_partitions: bool
) -> Catalog:
    """Read all, again when somebody dropped or locked what we were looking at, or when it is not UTF-8."""
    is_utf8 = True
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with asyncio.timeout(_LIMIT_SECONDS), connection.transaction(isolation="repeatable_read", readonly=True):
                if not is_utf8:
                    await connection.execute("SET LOCAL client_encoding = 'LATIN1'")
                return await _read(connection, identity, on_progress, with_partitions=with_partitions)
        except asyncpg.PostgresError as error:
            # A database in SQL_ASCII holds any bytes. In LATIN1 each is a letter: a comment that looks odd is no reason to give up.
            is_utf8 = is_utf8 and not isinstance(error, asyncpg.CharacterNotInRepertoireError)
            if attempt == _ATTEMPTS or is_connection_lost(error):
                raise
    raise AssertionError


async def _read(connection: asyncpg.Connection, identity: Identity, on_progress: OnProgress | None, *, with_partitions: bool) -> Catalog:
    listed = await connection.fetch(QUERIES["list_tables"], with_partitions)
    oids = [row["oid"] for row in listed]
    rows: dict[str, list[Row]] = {
        "list_types": await connection.fetch(QUERIES["list_types"], oids),
        "list_operator_classes": await connection.fetch(QUERIES["list_operator_classes"]),
    }
    types, shared = Types(rows), Shared()
    tables: dict[int, Table] = {}
    # What was made together lies together in the catalog: pages by OID read fewer of its blocks.
    for some in _pages(sorted(listed, key=lambda row: row["oid"])):
        page: dict[str, list[Row]] = {"list_tables": some}
        for name in _OF_A_PAGE:
            page[name] = await connection.fetch(QUERIES[name], [row["oid"] for row in some])
        # Building is pure computation: the event loop must not wait for it.
        tables |= await asyncio.to_thread(build_tables, page, types, shared)
        if on_progress is not None:
            await on_progress(len(tables), len(listed))
    await _fetch_between(connection, oids, rows)
    rows["list_partition_places"] = await connection.fetch(QUERIES["list_partition_places"], oids if with_partitions else [])
    return await asyncio.to_thread(build_catalog, identity, {oid: tables[oid] for oid in oids}, rows)


def _pages(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield tables some at a time: few at once where they are wide."""
    page: list[Row] = []
    width = 0
    for row in rows:
        if page and (len(page) == _PAGE or width + row["width"] > _PAGE_COLUMNS):
            yield page
            page, width = [], 0
        page.append(row)
        width += row["width"]
    if page:
        yield page


async def _fetch_between(connection: asyncpg.Connection, oids: list[int], rows: dict[str, list[Row]]) -> None:
    """Add the rows about what is between tables: keys, and how types compare."""
    rows["list_relation_names"] = await connection.fetch(QUERIES["list_relation_names"], oids)
    rows["list_partitions"] = await connection.fetch(QUERIES["list_partitions"], oids)
    of_partitions = [oid for row in rows["list_partitions"] for oid in row["key_oids"]]
    rows["list_foreign_keys"] = await connection.fetch(QUERIES["list_foreign_keys"], oids, of_partitions)
    for name in ("list_equality_members", "list_implicit_casts"):
        rows[name] = await connection.fetch(QUERIES[name])
    operators = {oid for row in rows["list_foreign_keys"] for oid in row["operators"]}
    operators |= {row["operator"] for row in rows["list_equality_members"]}
    rows["list_operators"] = await connection.fetch(QUERIES["list_operators"], list(operators))
    operands = {row[side] for row in rows["list_operators"] for side in ("left_type", "right_type")}
    types = {row[side] for row in rows["list_types"] for side in ("oid", "base_oid")}
    rows["list_type_names"] = await connection.fetch(QUERIES["list_type_names"], list(operands | types))
