"""Telling databases apart, also where the system identifier may not be read."""

from holdfastd.target.identity import read_identity, session_role
from holdfastd.target.session import connect
from support.postgres import Server, database_name


async def test_without_the_system_identifier_a_surrogate_is_stable(postgres: Server, database: str) -> None:
    """Some hosts revoke pg_control_system: the surrogate differs by database and survives a restart of the session."""
    other = await postgres.create_database()
    surrogates = []
    await postgres.execute("DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN")
    for dsn in (database, database, other):
        name = database_name(dsn)
        await postgres.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC", database=name)
        connection = await connect(postgres.dsn(name, role="modest"), application_name="test", read_only=True)
        surrogates.append((await read_identity(connection)).system_identifier)
        await connection.close()
    await postgres.drop_database(database_name(other))

    assert surrogates[0] == surrogates[1] != surrogates[2]
    assert all(each.startswith("surrogate-") for each in surrogates)


async def test_the_role_of_a_session_that_is_gone_is_unknown(postgres: Server, database: str) -> None:
    """Errors of lost connections name the role, and must not fail on that."""
    connection = await connect(database, application_name="test", read_only=True)
    assert session_role(connection) == "postgres"
    connection.terminate()

    assert session_role(connection) == ""
