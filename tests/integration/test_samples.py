"""The two sample databases are what expected.toml says of them, by brute force and by the catalog alone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from samples.load import SAMPLES, load_sample, read_expected

FAITHFUL = Path(__file__).resolve().parents[3] / "shared" / "data"

COLUMNS = """
SELECT class.relname, attribute.attname, format_type(attribute.atttypid, attribute.atttypmod) AS type, attribute.attnotnull
FROM pg_catalog.pg_attribute AS attribute
JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
WHERE class.relnamespace = 'public'::regnamespace AND class.relkind = 'r' AND attribute.attnum > 0 AND NOT attribute.attisdropped
ORDER BY class.relname, attribute.attnum
"""

INDEXES = """
SELECT class.relname, array_agg(attribute.attname::text ORDER BY attribute.attnum) AS columns, index.indisunique
FROM pg_catalog.pg_index AS index
JOIN pg_catalog.pg_class AS class ON class.oid = index.indrelid
JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indexrelid
WHERE class.relnamespace = 'public'::regnamespace
GROUP BY index.indexrelid, class.relname, index.indisunique
"""

DIGEST = "SELECT md5(string_agg(line::text, E'\\n' ORDER BY line::text)) FROM public.{table} AS line"


@pytest.fixture(params=SAMPLES)
async def sample(request, database) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """Each sample by name, with a connection to it."""
    await load_sample(database, request.param)
    connection = await asyncpg.connect(database)
    try:
        yield request.param, connection
    finally:
        await connection.close()


async def test_nothing_is_declared(sample):
    """A sample starts without a single foreign key."""
    _, connection = sample

    assert await connection.fetchval("SELECT count(*) FROM pg_catalog.pg_constraint WHERE contype = 'f'") == 0


async def test_orphans_by_brute_force(sample):
    """Every relationship has exactly the orphan rows it is said to have, and some row that is none."""
    name, connection = sample
    for relationship in read_expected(name).relationships:
        referencing, column = relationship.referencing.split(".")
        referenced, key = relationship.referenced.split(".")
        attached, orphans = await connection.fetchrow(
            f"SELECT count(*) FILTER (WHERE {column} IN (SELECT {key} FROM {referenced})), "
            f"count(*) FILTER (WHERE {column} NOT IN (SELECT {key} FROM {referenced})) FROM {referencing}"
        )
        assert (relationship.referencing, orphans) == (relationship.referencing, relationship.orphan_rows)
        assert attached > 0, relationship.referencing


async def test_orphans_come_from_deleted_rows(database):
    """The orphans of the EV sample name three stations that existed once, nothing else."""
    await load_sample(database, "ev_charging")
    connection = await asyncpg.connect(database)
    try:
        gone = await connection.fetch(
            "SELECT station_id FROM reports UNION SELECT station_id FROM charging_sessions EXCEPT SELECT id FROM stations"
        )
        last = await connection.fetchval("SELECT last_value FROM stations_id_seq")
    finally:
        await connection.close()

    assert sorted(row["station_id"] for row in gone) == [41, 86, 127]
    assert last == 150


async def test_nullability(sample):
    """The referencing columns are nullable where expected.toml says so."""
    name, connection = sample
    not_null = {f"{row['relname']}.{row['attname']}": row["attnotnull"] for row in await connection.fetch(COLUMNS)}
    relationships = read_expected(name).relationships

    assert {each.referencing: not not_null[each.referencing] for each in relationships} == {
        each.referencing: each.nullable for each in relationships
    }


async def test_missing_indexes(sample):
    """Exactly the listed referencing columns lead no index; neither do the columns that only a workload shows."""
    name, connection = sample
    expected = read_expected(name)
    leading = {f"{row['relname']}.{row['columns'][0]}" for row in await connection.fetch(INDEXES)}
    unindexed = {each.referencing for each in expected.relationships} - leading

    assert sorted(unindexed) == sorted(expected.unindexed)
    assert leading.isdisjoint(expected.workload_unindexed)


async def test_final_checks_count_what_is_there(sample):
    """The document's own final checks see the orphans before the migration."""
    name, connection = sample
    checks = read_expected(name).final_checks

    assert [await connection.fetchval(check.sql) for check in checks] == [check.before for check in checks]


async def test_two_loads_are_equal(sample, database):
    """Loading twice gives the same rows: no randomness, no clock."""
    name, connection = sample
    first = await digests(connection)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await load_sample(database, name)

    assert await digests(connection) == first


@pytest.mark.parametrize("name", SAMPLES)
async def test_loads_on_every_version(name, any_database):
    """The samples need no feature of a newer PostgreSQL, and hold the same orphan rows everywhere."""
    await load_sample(any_database, name)
    connection = await asyncpg.connect(any_database)
    try:
        checks = read_expected(name).final_checks
        assert [await connection.fetchval(check.sql) for check in checks] == [check.before for check in checks]
    finally:
        await connection.close()


async def test_same_shape_as_the_faithful_build(sample):
    """Tables, column types, nullability, keys and indexes are those of the build made from the document."""
    name, connection = sample
    facts = FAITHFUL / name / "facts.json"
    if not facts.is_file():
        pytest.skip(f"{facts} is not there to compare with")
    tables = json.loads(facts.read_text(encoding="utf-8"))["tables"]
    columns = [
        (table["name"], column["name"], column["type"].removeprefix("public."), column.get("not_null", False))
        for table in tables
        for column in table["columns"]
    ]
    indexes = [
        (table["name"], tuple(index["columns"]), index.get("kind") is not None or index.get("is_unique", False))
        for table in tables
        for index in table["keys"] + table["indexes"]
    ]

    assert sorted(tuple(row) for row in await connection.fetch(COLUMNS)) == sorted(columns)
    assert sorted((row[0], tuple(row[1]), row[2]) for row in await connection.fetch(INDEXES)) == sorted(indexes)


async def digests(connection: asyncpg.Connection) -> dict[str, str]:
    """One hash of all rows per table."""
    tables = sorted({row["relname"] for row in await connection.fetch(COLUMNS)})
    return {table: await connection.fetchval(DIGEST.format(table=table)) for table in tables}
