"""The checks in their order: what stops everything first, what only warns last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from holdfastd.catalog.model import Catalog, Identity
from holdfastd.plan.model import Plan
from holdfastd.target.errors import FAILURES, translate
from holdfastd.target.identity import session_role
from holdfastd.target.preflight.activity import OLD_SECONDS, check_activity
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.connection import check_connection
from holdfastd.target.preflight.look import limited
from holdfastd.target.preflight.needs import needs_of_catalog, needs_of_plan
from holdfastd.target.preflight.plan import check_drift
from holdfastd.target.preflight.privileges import check_privileges
from holdfastd.target.preflight.relations import read_relations
from holdfastd.target.preflight.replication import check_replication
from holdfastd.target.preflight.room import check_room
from holdfastd.target.preflight.settings import check_settings

#: Without an answer to these, nothing can be said; a catalog may be large.
_TIMEOUT_MS = 30_000


async def check_server(connection: asyncpg.Connection) -> tuple[Check, ...]:
    """Check what every change of the target needs, whatever the tables."""
    async with _asking(connection):
        return tuple(await check_connection(connection))


async def check_database(connection: asyncpg.Connection, catalog: Catalog, identity: Identity | None = None) -> tuple[Check, ...]:
    """Check what audits, and plans for any of the tables, would need."""
    async with _asking(connection):
        return (*await check_connection(connection, identity), *await check_privileges(connection, needs_of_catalog(catalog)))


async def check_plan(
    connection: asyncpg.Connection,
    catalog: Catalog,
    plan: Plan,
    identity: Identity | None = None,
    *,
    old_seconds: float = OLD_SECONDS,
) -> tuple[Check, ...]:
    """Check all that an application of this plan needs and would meet now; transactions older than `old_seconds` are named."""
    needs = needs_of_plan(plan)
    async with _asking(connection):
        checks = [*await check_connection(connection, identity), check_drift(catalog, plan), *await check_privileges(connection, needs)]
        relations = await read_relations(connection, needs.tables)
    if any(check.id == "writable" and not check.passed for check in checks):
        # What follows would be told of the wrong server.
        return tuple(checks)
    try:
        checks += await check_replication(connection, needs, relations)
        checks += await check_activity(connection, needs, relations, old_seconds=old_seconds)
        checks += await check_room(connection, needs, relations)
        checks += await check_settings(connection, needs, relations)
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    return tuple(checks)


@asynccontextmanager
async def _asking(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Ask what must be answered, and translate what goes wrong."""
    try:
        async with limited(connection, _TIMEOUT_MS):
            yield
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
