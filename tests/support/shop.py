"""A small shop in a database of its own, owned by ordinary roles, and what the checks of a plan say of it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.read import read_catalog
from holdfastd.plan.model import OrphanAction, Override, Plan
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.run import check_plan
from holdfastd.target.session import connect
from support.postgres import Server, database_name

#: Three orders and three notes lack their customer. Notes have no primary key.
TABLES = """
CREATE SCHEMA sales; CREATE SCHEMA people;
CREATE TABLE people.customers (id integer PRIMARY KEY, name text);
INSERT INTO people.customers SELECT n, 'customer' FROM generate_series(1, 100) AS n;
CREATE TABLE sales.orders (id integer PRIMARY KEY, customer_id integer, note text);
INSERT INTO sales.orders SELECT n, CASE WHEN n <= 3 THEN 1000 ELSE 1 + n % 100 END, repeat('x', 40) FROM generate_series(1, 3000) AS n;
CREATE TABLE sales.notes (customer_id integer, text text);
INSERT INTO sales.notes SELECT CASE WHEN n <= 3 THEN 1000 ELSE 1 + n % 100 END, 'x' FROM generate_series(1, 300) AS n;
ANALYZE people.customers, sales.orders, sales.notes;
"""
OVERRIDES = [
    Override(
        relationship_id=f"sales.{table}(customer_id)->people.customers(id)",
        include=True,
        on_delete=OnDelete.CASCADE,
        orphan_action=OrphanAction.DELETE,
    )
    for table in ("orders", "notes")
]
#: Three owners: of the orders and notes, of the customers, and of the schema that the customers lie in.
ROLES = """
CREATE ROLE {seller}; CREATE ROLE {keeper}; CREATE ROLE {landlord}; CREATE ROLE {role} LOGIN;
ALTER SCHEMA sales OWNER TO {seller}; ALTER TABLE sales.orders OWNER TO {seller}; ALTER TABLE sales.notes OWNER TO {seller};
ALTER SCHEMA people OWNER TO {landlord}; GRANT USAGE ON SCHEMA people TO {keeper}; ALTER TABLE people.customers OWNER TO {keeper}
"""


@dataclass(slots=True)
class Shop:
    """A shop in a database of its own, owned by ordinary roles, and a role that may nothing yet."""

    server: Server
    dsn: str
    plan: Plan
    #: Names of the roles by their part: seller, keeper, landlord, role.
    roles: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return database_name(self.dsn)

    @property
    def role_dsn(self) -> str:
        return self.server.dsn(self.name, role=self.roles["role"])

    async def execute(self, sql: str) -> None:
        """Run SQL as superuser; `{seller}` and the like become names."""
        await self.server.execute(sql.format(**self.roles), database=self.name)

    async def checks(self, dsn: str = "", **options: float) -> dict[str, Check]:
        """Return the checks of the plan by id: as superuser unless told otherwise."""
        connection = await connect(dsn or self.dsn, application_name="test", read_only=True)
        try:
            catalog = await read_catalog(connection, with_partitions=True)
            return {each.id: each for each in await check_plan(connection, catalog, self.plan, **options)}
        finally:
            await connection.close()

    @asynccontextmanager
    async def session(self, application: str = "billing") -> AsyncIterator[asyncpg.Connection]:
        """Open a session of somebody else."""
        connection = await asyncpg.connect(self.dsn, server_settings={"application_name": application})
        try:
            yield connection
        finally:
            connection.terminate()


@asynccontextmanager
async def open_shop(server: Server, plan: Plan) -> AsyncIterator[Shop]:
    """Make a shop, and remove it with its roles."""
    shop = Shop(server, await server.create_database(), plan)
    shop.roles = {part: f"{part}_{secrets.token_hex(4)}" for part in ("seller", "keeper", "landlord", "role")}
    await shop.execute(TABLES + ROLES)
    try:
        yield shop
    finally:
        names = ", ".join(shop.roles.values())
        await shop.execute(f"DROP OWNED BY {names} CASCADE")
        await server.drop_database(shop.name)
        await server.execute(f"DROP ROLE {names}")
