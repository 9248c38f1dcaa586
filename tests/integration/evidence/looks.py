"""A closer look at one relationship of a database that a test made: in come SQL and columns, out goes what is known about the orphans."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.details.read import detail_orphans
from holdfastd.evidence.model import OrphanDetails
from holdfastd.evidence.orphans import count_orphans
from holdfastd.inference.model import Relationship, Risk, Tier
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import close, connect


def key(text: str) -> ColumnSet:
    """Return `table(column, …)` of schema public as columns."""
    table, _, columns = text.removesuffix(")").partition("(")
    return ColumnSet(TableName("public", table), tuple(columns.split(", ")))


@asynccontextmanager
async def reading(dsn: str, *, sql: str = "") -> AsyncIterator[asyncpg.Connection]:
    """Run SQL, then open a session like that of an audit."""
    if sql:
        writer = await connect(dsn, application_name="test", read_only=False)
        try:
            await writer.execute(sql)
        finally:
            await close(writer)
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        yield connection
    finally:
        await close(connection)


async def a_relationship(
    connection: asyncpg.Connection,
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    *,
    on_delete: OnDelete = OnDelete.RESTRICT,
    tier: Tier = Tier.PLAN,
) -> Relationship:
    """Return a candidate, counted."""
    operators = resolve_operators(catalog, referencing, referenced) or ()
    return Relationship(
        referencing=referencing,
        referenced=referenced,
        declared=False,
        validated=False,
        enforced=False,
        constraint_name="",
        declared_on_delete=None,
        nullable=True,
        confidence=0.9,
        tier=tier,
        evidence=(),
        orphan_rows=await count_orphans(connection, catalog, referencing, referenced, operators, timeout_seconds=30),
        risk=Risk.UNRATED,
        suggested_on_delete=on_delete,
        rationale="",
        indexed=False,
        obstacle="",
        operators=operators,
    )


async def look(
    connection: asyncpg.Connection,
    referencing: str | ColumnSet,
    referenced: str | ColumnSet,
    *,
    others: Sequence[tuple[str, str, OnDelete]] = (),
    on_delete: OnDelete = OnDelete.RESTRICT,
    tier: Tier = Tier.PLAN,
) -> OrphanDetails:
    """Return what is known about the orphan rows of a relationship; `others` are planned beside it."""
    catalog = await read_catalog(connection)
    own, other = (key(side) if isinstance(side, str) else side for side in (referencing, referenced))
    relationships = [await a_relationship(connection, catalog, own, other, on_delete=on_delete, tier=tier)]
    for left, right, action in others:
        relationships.append(await a_relationship(connection, catalog, key(left), key(right), on_delete=action))
    found = await detail_orphans(connection, catalog, relationships, budget_seconds=60)
    details = found[relationships[0].id]
    assert sum(caused.distinct_values for caused in details.causes) == details.distinct_values
    if details.causes:
        assert sum(caused.rows for caused in details.causes) == relationships[0].orphan_rows.value
    return details


def causes(details: OrphanDetails) -> dict[str, tuple[int, int]]:
    """Return rows and distinct values by cause."""
    return {caused.cause.value: (caused.rows, caused.distinct_values) for caused in details.causes}
