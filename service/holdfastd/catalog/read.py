"""Reading the catalog: in comes a session, out goes one snapshot of what the database declares.

All queries are set-based and run in one REPEATABLE READ transaction that reads no user table, so that thousands of tables take a
second. PostgreSQL takes ACCESS SHARE on a table to print its expressions: only whoever holds it exclusively makes us wait, or give up.
"""

import asyncio

import asyncpg

from holdfastd.catalog.build import Row, build_catalog
from holdfastd.catalog.model import Catalog
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES, is_connection_lost, translate
from holdfastd.target.identity import read_identity, session_role

QUERIES = load_queries("holdfastd.catalog", "queries/relations.sql", "queries/keys.sql", "queries/types.sql")

_OF_TABLES = (
    "list_relation_names",
    "list_columns",
    "list_triggers",
    "list_indexes",
    "list_constraints",
    "list_foreign_keys",
)
_OF_ALL = ("list_operator_classes", "list_equality_members", "list_implicit_casts")
#: Functions such as pg_get_indexdef look at the present, not at our snapshot: an object dropped meanwhile makes them fail or return NULL.
_ATTEMPTS = 3
_LIMIT_SECONDS = 120


async def read_catalog(connection: asyncpg.Connection) -> Catalog:
    """Return one snapshot of the catalog."""
    try:
        identity = await read_identity(connection)
        rows = await _fetch_patiently(connection)
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    # Building is pure computation, a second or so for 10 000 tables: the event loop must not wait for it.
    return await asyncio.to_thread(build_catalog, identity, rows)


async def _fetch_patiently(connection: asyncpg.Connection) -> dict[str, list[Row]]:
    """Fetch all rows, again when somebody dropped or locked what we were looking at."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with asyncio.timeout(_LIMIT_SECONDS), connection.transaction(isolation="repeatable_read", readonly=True):
                return await _fetch(connection)
        except asyncpg.PostgresError as error:
            if attempt == _ATTEMPTS or is_connection_lost(error):
                raise
    raise AssertionError


async def _fetch(connection: asyncpg.Connection) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {"list_tables": await connection.fetch(QUERIES["list_tables"])}
    table_oids = [row["oid"] for row in rows["list_tables"]]
    for name in _OF_TABLES:
        rows[name] = await connection.fetch(QUERIES[name], table_oids)
    for name in _OF_ALL:
        rows[name] = await connection.fetch(QUERIES[name])
    operators = {oid for row in rows["list_foreign_keys"] for oid in row["operators"]}
    operators |= {row["operator"] for row in rows["list_equality_members"]}
    rows["list_operators"] = await connection.fetch(QUERIES["list_operators"], list(operators))
    types = {row["type_oid"] for row in rows["list_columns"]}
    rows["list_types"] = await connection.fetch(QUERIES["list_types"], list(types))
    rows["list_type_names"] = await connection.fetch(QUERIES["list_type_names"], list(_named_types(rows)))
    return rows


def _named_types(rows: dict[str, list[Row]]) -> set[int]:
    """Return the types that operators and columns speak of."""
    operands = {row[side] for row in rows["list_operators"] for side in ("left_type", "right_type")}
    return operands | {row["base_oid"] for row in rows["list_types"]} | {row["oid"] for row in rows["list_types"]}
