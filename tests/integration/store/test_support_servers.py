"""The test servers themselves: every other integration test stands on them."""

import asyncpg

from support.postgres import Server


async def test_every_version_serves_a_fresh_database(any_postgres: Server, any_database: str) -> None:
    """A database over TCP, on the version asked for, and empty."""
    connection = await asyncpg.connect(any_database)
    try:
        version = await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000")
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    finally:
        await connection.close()

    assert (version, tables) == (any_postgres.major, 0)


async def test_template_is_cloned(postgres: Server) -> None:
    """A database made from a template holds its rows."""
    await postgres.create_database("template_of_test")
    await postgres.execute("CREATE TABLE t AS SELECT 7 AS n", database="template_of_test")
    clone = await postgres.create_database("clone_of_test", template="template_of_test")
    connection = await asyncpg.connect(clone)
    try:
        number = await connection.fetchval("SELECT n FROM t")
    finally:
        await connection.close()
        await postgres.drop_database("clone_of_test")
        await postgres.drop_database("template_of_test")

    assert number == 7
