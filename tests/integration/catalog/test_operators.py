"""PostgreSQL itself judges our predictions: which foreign keys it accepts, and by which operators it compares."""

import asyncpg
import pytest

from holdfastd.catalog.model import Catalog, ForeignKey, Operator
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

TYPES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "numeric": "numeric(20,2)",
    "float4": "real",
    "float8": "double precision",
    "text": "text",
    "varchar": "varchar(20)",
    "char": "char(5)",
    "name": "name",
    "internal_char": '"char"',
    "uuid": "uuid",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "bool": "boolean",
    "oid": "oid",
    "regclass": "regclass",
    "bytea": "bytea",
    "inet": "inet",
    "cidr": "cidr",
    "int4_array": "integer[]",
    "text_array": "text[]",
    "int4range": "int4range",
    "int8range": "int8range",
    "mood": "app.mood",
    "colour": "app.colour",
    "mood_domain": "app.mood_domain",
    "int_domain": "app.int_domain",
    "int_subdomain": "app.int_subdomain",
    "varchar_domain": "app.varchar_domain",
    "array_domain": "app.array_domain",
}

_CREATE = """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('calm', 'cross');
CREATE TYPE app.colour AS ENUM ('red', 'blue');
CREATE DOMAIN app.mood_domain AS app.mood;
CREATE DOMAIN app.int_domain AS integer;
CREATE DOMAIN app.int_subdomain AS app.int_domain CHECK (VALUE > 0);
CREATE DOMAIN app.varchar_domain AS varchar(30);
CREATE DOMAIN app.array_domain AS integer[];
"""

_ADD = "ALTER TABLE app.referencing_{0} ADD CONSTRAINT probe FOREIGN KEY (c) REFERENCES app.referenced_{1} (c) NOT VALID"
_OPERATOR = """
SELECT namespace.nspname, operator.oprname, left_ns.nspname, left_type.typname, right_ns.nspname, right_type.typname
FROM pg_catalog.pg_constraint AS fk
JOIN pg_catalog.pg_operator AS operator ON operator.oid = fk.conpfeqop[1]
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = operator.oprnamespace
JOIN pg_catalog.pg_type AS left_type ON left_type.oid = operator.oprleft
JOIN pg_catalog.pg_namespace AS left_ns ON left_ns.oid = left_type.typnamespace
JOIN pg_catalog.pg_type AS right_type ON right_type.oid = operator.oprright
JOIN pg_catalog.pg_namespace AS right_ns ON right_ns.oid = right_type.typnamespace
WHERE fk.conname = 'probe'
"""


def column_of(role: str, kind: str) -> ColumnSet:
    return ColumnSet(TableName("app", f"{role}_{kind}"), ("c",))


async def what_postgres_does(connection: asyncpg.Connection, referencing: str, referenced: str) -> Operator | None:
    """Add the key in a transaction that is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(_ADD.format(referencing, referenced))
        schema, name, *operands = await connection.fetchrow(_OPERATOR)
        return Operator(schema=schema, name=name, left=(operands[0], operands[1]), right=(operands[2], operands[3]))
    except (asyncpg.DatatypeMismatchError, asyncpg.InternalServerError):
        # 18 has no better error for one collatable and one other column than an internal one.
        return None
    finally:
        await transaction.rollback()


async def differences(connection: asyncpg.Connection, catalog: Catalog, kinds: list[str]) -> list[str]:
    found = []
    for referencing in kinds:
        for referenced in kinds:
            predicted = resolve_operators(catalog, column_of("referencing", referencing), column_of("referenced", referenced))
            seen = await what_postgres_does(connection, referencing, referenced)
            if (predicted[0] if predicted else None) != seen:
                found.append(f"{referencing} -> {referenced}: predicted {predicted}, seen {seen}")
    return found


async def create_tables(connection: asyncpg.Connection, types: dict[str, str]) -> None:
    for kind, type_name in types.items():
        await connection.execute(
            f"CREATE TABLE app.referencing_{kind} (c {type_name}); CREATE TABLE app.referenced_{kind} (c {type_name} UNIQUE)"
        )


async def test_operator_of_every_type_pair_is_predicted(any_database: str) -> None:
    """For each pair of types: the same verdict as ALTER TABLE ADD FOREIGN KEY, and the same operator as pg_constraint.conpfeqop."""
    connection = await connect(any_database, application_name="test", read_only=False)
    try:
        await connection.execute(_CREATE)
        await create_tables(connection, TYPES)
        catalog = await read_catalog(connection)

        assert await differences(connection, catalog, list(TYPES)) == []
    finally:
        await connection.close()


async def test_operators_of_an_extension_are_predicted(any_database: str) -> None:
    """Citext compares by its own operator, outside pg_catalog; text casts to it only on assignment."""
    connection = await connect(any_database, application_name="test", read_only=False)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = 'citext'"):
            pytest.skip("this PostgreSQL has no citext")
        await connection.execute(_CREATE + "CREATE EXTENSION citext SCHEMA app")
        kinds = {"citext": "app.citext", "text": "text", "varchar": "varchar(5)"}
        await create_tables(connection, kinds)
        catalog = await read_catalog(connection)

        assert await differences(connection, catalog, list(kinds)) == []
        operators = resolve_operators(catalog, column_of("referencing", "citext"), column_of("referenced", "citext"))
        assert operators == (Operator(schema="app", name="=", left=("app", "citext"), right=("app", "citext")),)
    finally:
        await connection.close()


async def test_declared_operators_are_read(any_database: str) -> None:
    """A declared key carries the operator that the server compares by, one per column pair in the key's order."""
    connection = await connect(any_database, application_name="test", read_only=False)
    try:
        await connection.execute(
            "CREATE TABLE public.referenced (a text, b bigint, UNIQUE (a, b));"
            "CREATE TABLE public.referencing (x integer, y varchar(9), FOREIGN KEY (x, y) REFERENCES public.referenced (b, a))"
        )
        catalog = await read_catalog(connection)
    finally:
        await connection.close()

    (key,) = catalog.foreign_keys
    assert operands(key) == [("int8", "int4"), ("text", "text")]
    assert resolve_operators(catalog, key.referencing, key.referenced) == key.operators


def operands(key: ForeignKey) -> list[tuple[str, str]]:
    return [(operator.left[1], operator.right[1]) for operator in key.operators]
