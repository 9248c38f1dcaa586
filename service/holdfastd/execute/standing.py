"""Are the tables still those that the plan was compared with? A name is no proof: somebody may have put another table in its place.

In come the tables of a plan; what goes out is their object ids, and a refusal as soon as one of them is another.
"""

from collections.abc import Iterable, Mapping

import asyncpg

from holdfastd.errors import Reason, Refused
from holdfastd.names import TableName, qualified

_OBJECTS = """
SELECT name, pg_catalog.to_regclass(name)::pg_catalog.oid::pg_catalog.int8 AS oid
FROM unnest($1::pg_catalog.text[]) AS given (name)
"""


async def read_standing(connection: asyncpg.Connection, tables: Iterable[TableName]) -> Mapping[str, int | None]:
    """Return the object ids of tables by qualified name; None where there is no such table."""
    rows = await connection.fetch(_OBJECTS, [qualified(table) for table in tables])
    return {row["name"]: row["oid"] for row in rows}


async def refuse_replaced(connection: asyncpg.Connection, expected: Mapping[str, int | None]) -> None:
    """Refuse PLAN_DRIFTED when a table is not the one that it was when the work began."""
    rows = await connection.fetch(_OBJECTS, list(expected))
    changed = sorted(row["name"] for row in rows if row["oid"] != expected[row["name"]])
    if changed:
        names = ", ".join(changed)
        message = f"{names}: dropped, renamed or replaced by another table since the work began. Audit again and make a new plan."
        raise Refused(message, reason=Reason.PLAN_DRIFTED, facts={"changes": names})
