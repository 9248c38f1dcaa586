"""Does a referenced row exist? Asked before orphan rows are pointed at it."""

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.errors import InvalidField
from holdfastd.evidence.statements import from_only
from holdfastd.names import ColumnSet, identifier


async def has_row(connection: asyncpg.Connection, catalog: Catalog, key: ColumnSet, values: tuple[str, ...], *, path: str) -> bool:
    """Tell whether a row with that key exists; values are text. InvalidField at `path` when one cannot be of its column's type."""
    table = catalog.tables[key.table]
    types = [table.column(name).type.formatted for name in key.columns]
    equal = " AND ".join(
        f"referenced.{identifier(name)}::text = (${number}::text::{formatted})::text"
        for number, (name, formatted) in enumerate(zip(key.columns, types, strict=True), start=1)
    )
    try:
        found: bool = await connection.fetchval(f"SELECT EXISTS (SELECT FROM {from_only(table)} AS referenced WHERE {equal})", *values)
    except asyncpg.DataError as error:
        raise InvalidField(path, f"The values are not of the types of {key}: {', '.join(types)}.") from error
    return found
