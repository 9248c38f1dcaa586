"""What is kept of tables for people and other tools, as each version of PostgreSQL declares it."""

from holdfastd.catalog.model import OwnedSequence, SequenceOptions
from holdfastd.catalog.outline import TableOutline, outline
from holdfastd.catalog.read import read_catalog
from holdfastd.target.session import connect
from support.declared import execute

_TABLES = """
CREATE TABLE owner (id integer PRIMARY KEY);
CREATE SEQUENCE free_numbers;
CREATE TABLE thing (
    id serial PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3 CACHE 7 CYCLE),
    other integer DEFAULT nextval('free_numbers'),
    span int4range,
    label text COLLATE "C",
    key name,
    owner integer UNIQUE DEFERRABLE REFERENCES owner DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT "a check" CHECK (id > 0),
    CONSTRAINT apart EXCLUDE USING gist (span WITH &&)
);
ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
"""


async def thing_of(dsn: str) -> TableOutline:
    await execute(dsn, _TABLES)
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        catalog = await read_catalog(connection)
    finally:
        await connection.close()
    return next(table for table in outline(catalog) if table.name.name == "thing")


async def test_sequences_belong_to_the_columns_that_own_them(any_database: str) -> None:
    """Those of serial and identity columns, with how they count; one that a default merely uses is nobody's."""
    columns = {column.name: column.sequence for column in (await thing_of(any_database)).columns}

    assert columns["id"] == OwnedSequence(column="id", schema="public", name="thing_id_seq", options=SequenceOptions(maximum=2**31 - 1))
    assert columns["number"] is not None
    assert columns["number"].options == SequenceOptions(start=5, increment=3, cache=7, cycles=True)
    assert columns["other"] is None


async def test_constraints_have_their_names_and_say_when_they_check(any_database: str) -> None:
    """CHECK and exclusion constraints by name; DEFERRABLE of unique and foreign keys."""
    thing = await thing_of(any_database)
    (key,) = thing.foreign_keys

    assert dict(zip(thing.check_names, thing.checks, strict=True)) == {"a check": "CHECK ((id > 0))"}
    assert thing.exclusions == (("apart", "EXCLUDE USING gist (span WITH &&)"),)
    assert (key.deferrable, key.deferred) == (True, True)
    assert {index.name for index in thing.indexes if index.is_deferrable} == {"thing_owner_key"}


async def test_only_a_collation_that_was_asked_for_is_told(any_database: str) -> None:
    """The database's own, and the one that the type `name` always has, are nothing to repeat."""
    thing = await thing_of(any_database)

    assert {column.name: column.collation for column in thing.columns if column.collation} == {"label": '"pg_catalog"."C"'}
    assert thing.row_security
