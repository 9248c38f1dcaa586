"""Could rows that a cleanup takes or changes come back as they are? Asked of the rows, without trying. Reads only.

What was declared NOT VALID lets rows stay that it would not let in again, and an expression may call a function that finds nothing
under an empty search_path, as every session of Holdfast has. In come a session, a table and addresses; out goes half a sentence.
"""

from collections.abc import Iterator

import asyncpg

from holdfastd.catalog.model import Table
from holdfastd.evidence.statements import from_only
from holdfastd.names import identifier, qualified
from holdfastd.plan.obstacles import TableRules
from holdfastd.target.errors import is_about_rows, sqlstate
from holdfastd.target.rules import read_expressions, read_loose_functions, read_rules

#: Rows on which expressions are tried: a function that finds nothing does so at the first.
TRIED_ROWS = 1000


async def find_failing(connection: asyncpg.Connection, table: Table, addresses: str, *parameters: list[str]) -> str:
    """Look for an expression of a table that cannot be computed in a session of ours. `addresses`: SQL of an array of tids."""
    for expression in await read_expressions(connection, table):
        query = f"SELECT pg_catalog.count({expression.sql}) FROM {_rows(table, addresses)}"
        try:
            # Of a transaction, or of a part of it: what fails in it leaves the rest alone.
            async with connection.transaction():
                await connection.fetchval(query, *parameters)
        except asyncpg.PostgresError as error:
            if not is_about_rows(error) and not isinstance(error, asyncpg.InsufficientPrivilegeError):
                raise
            return await _failing(connection, table, expression.owner, error)
    return ""


async def _failing(connection: asyncpg.Connection, table: Table, owner: str, error: asyncpg.PostgresError) -> str:
    state = sqlstate(error)
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"{owner} of {table.name} calls a function that the role may not execute (SQLSTATE {state})"
    cures = " and ".join(
        f"ALTER FUNCTION {function} SET search_path = pg_catalog, {identifier(table.name.schema)}"
        for function in await read_loose_functions(connection, table)
    )
    cure = f"; name things with their schema in the functions it calls, or run {cures}" if cures else ""
    return f"{owner} of {table.name} cannot be computed under an empty search_path (SQLSTATE {state}){cure}"


async def find_unfit(connection: asyncpg.Connection, table: Table, addresses: str, *parameters: list[str]) -> str:
    """Look for rows that what is in force now would not let in: constraints that are NOT VALID leave the rows that were there alone."""
    asked = dict(_conditions(table, await read_rules(connection, table)))
    conditions = ", ".join(f"pg_catalog.bool_or({condition})" for condition in asked.values())
    try:
        async with connection.transaction():
            answers = await connection.fetchval(f"SELECT ARRAY[{conditions}] FROM {_rows(table, addresses)}", *parameters)
    except asyncpg.PostgresError as error:
        if not is_about_rows(error):
            raise
        state = sqlstate(error)
        return f"rows of {table.name} hold values that their types do not accept any more (SQLSTATE {state}), so they could not come back"
    return next((words for words, is_met in zip(asked, answers, strict=True) if is_met), "")


def _conditions(table: Table, rules: TableRules) -> Iterator[tuple[str, str]]:
    """Yield what is to be said of rows that could not come back, and the condition under which it is."""
    row = identifier(table.name.name)
    image = f"({row}.*)::text"
    yield f"rows of {table.name} do not read back as they are written", f"{image}::{qualified(table.name)}::text IS DISTINCT FROM {image}"
    for name in rules.required:
        yield (
            f"{name} of {table.name} is NULL in some of the rows and accepts none, so they could not come back",
            f"{identifier(name)} IS NULL",
        )
    for name, expression in rules.checks:
        yield f"the CHECK {name} on {table.name} does not allow some of the rows, so they could not come back", f"NOT ({expression})"
    for column in table.columns:
        if column.generated == "s" and column.default:
            words = f"the generated column {column.name} of {table.name} would be computed anew, and differ"
            yield words, f"({column.default})::text IS DISTINCT FROM {identifier(column.name)}::text"


def _rows(table: Table, addresses: str) -> str:
    """Return the rows at addresses under the name of their table, as its expressions call it."""
    return f"{from_only(table)} AS {identifier(table.name.name)} WHERE {identifier(table.name.name)}.ctid = ANY ({addresses})"
