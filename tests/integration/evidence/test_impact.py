"""What a deletion would do, compared with doing it: every row of random databases is deleted for real, in a transaction that is rolled back."""

import json
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import HoldfastError
from holdfastd.evidence.impact.arms import arms_of
from holdfastd.evidence.impact.model import ImpactAction, Impacts
from holdfastd.evidence.impact.walk import measure_impact
from holdfastd.names import TableName, qualified
from integration.execute.random_schemas import make_database

#: More of them were tried once; these are quick.
SEEDS = range(15)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def impact_of(connection: asyncpg.Connection, catalog: Catalog, table: TableName, key: tuple[str, ...], **options) -> Impacts:
    arms = arms_of(catalog, (), allow_scans=options.pop("allow_scans", True))
    return await measure_impact(connection, catalog, table, key, arms, **{"most_rows": 100_000, "sample_size": 3} | options)


async def rows_of(connection: asyncpg.Connection, catalog: Catalog) -> dict[TableName, dict[str, str]]:
    """Every row by its address."""
    return {
        name: {
            row["address"]: row["image"]
            for row in await connection.fetch(f"SELECT ctid::text AS address, to_json(t)::text AS image FROM {qualified(name)} AS t")
        }
        for name in catalog.tables
    }


async def deleting(
    connection: asyncpg.Connection, catalog: Catalog, table: TableName, address: str
) -> dict[TableName, tuple[int, int]] | None:
    """Rows deleted and rows changed by table when a row is deleted for real; None when PostgreSQL refuses."""
    before = await rows_of(connection, catalog)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"DELETE FROM {qualified(table)} WHERE ctid = $1::text::tid", address)
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        after = await rows_of(connection, catalog)
    except asyncpg.IntegrityConstraintViolationError:
        return None
    finally:
        await transaction.rollback()
    changes = {}
    for name, rows in before.items():
        # A changed row has a new address: what is left over on both sides is told by the images.
        gone, new = rows.keys() - after[name].keys(), after[name].keys() - rows.keys()
        if gone:
            changes[name] = (len(gone) - len(new), len(new))
    return changes


def told(impacts: Impacts) -> dict[TableName, tuple[int, int]] | None:
    """The same of an answer. A row that two keys change counts twice there, so changes are compared only where one key changes."""
    if impacts.is_blocked:
        return None
    found: dict[TableName, tuple[int, int]] = {}
    for each in impacts.impacts:
        deleted, changed = found.get(each.table, (0, 0))
        if each.action is ImpactAction.DELETE:
            found[each.table] = (deleted + each.rows, changed)
        elif each.action in (ImpactAction.SET_NULL, ImpactAction.SET_DEFAULT):
            found[each.table] = (deleted, changed + each.rows)
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_impact_is_what_deleting_does(seed: int, connection: asyncpg.Connection) -> None:
    """For every row of a random database: the same rows go, the same number change, and it is refused exactly when PostgreSQL refuses."""
    made = make_database(random.Random(seed))
    for statement in made.statements:
        try:
            await connection.execute(statement)
        except asyncpg.IntegrityConstraintViolationError:
            continue
    catalog = await read_catalog(connection, with_partitions=True)
    compared = 0
    for name, table in catalog.tables.items():
        if not table.primary_key:
            continue
        shown = ", ".join(f't."{column.replace(chr(34), chr(34) * 2)}"::text' for column in table.primary_key)
        for row in await connection.fetch(f"SELECT t.ctid::text AS address, {shown} FROM {qualified(name)} AS t"):
            impacts = await impact_of(connection, catalog, name, tuple(row.values())[1:])
            if impacts.unknown:
                continue
            compared += 1
            twice = {
                each.table
                for each in impacts.impacts
                if sum(e.table == each.table and e.action is ImpactAction.SET_NULL for e in impacts.impacts) > 1
            }
            real, answer = await deleting(connection, catalog, name, row["address"]), told(impacts)
            if real is not None and answer is not None:
                real = {key: value if key not in twice else value[0] for key, value in real.items()}
                answer = {key: value if key not in twice else value[0] for key, value in answer.items()}
            assert answer == real, json.dumps([str(name), list(row.values())[1:]])

    assert compared


SHOP = """
CREATE TABLE stations (id integer PRIMARY KEY);
CREATE TABLE reports (id integer PRIMARY KEY, station_id integer REFERENCES stations ON DELETE CASCADE);
CREATE TABLE photos (id integer PRIMARY KEY, report_id integer REFERENCES reports ON DELETE CASCADE);
CREATE TABLE events (id integer PRIMARY KEY, station_id integer REFERENCES stations ON DELETE SET NULL);
CREATE INDEX ON reports (station_id); CREATE INDEX ON photos (report_id);
INSERT INTO stations VALUES (1), (2);
INSERT INTO reports SELECT n, 1 FROM generate_series(1, 8) AS n;
INSERT INTO photos SELECT n, 1 + n % 8 FROM generate_series(1, 80) AS n;
INSERT INTO events SELECT n, 1 + n % 2 FROM generate_series(1, 100000) AS n;
"""


async def test_a_key_without_an_index_is_not_searched_unless_asked(connection: asyncpg.Connection) -> None:
    """Whoever deletes waits for the whole table to be read; whoever asks does not."""
    await connection.execute(SHOP)
    await connection.execute("ANALYZE")
    catalog = await read_catalog(connection, with_partitions=True)
    stations = TableName("public", "stations")

    careful = await impact_of(connection, catalog, stations, ("1",), allow_scans=False)
    whole = await impact_of(connection, catalog, stations, ("1",))

    assert [(each.table.name, each.action, each.rows, each.depth) for each in whole.impacts] == [
        ("stations", "DELETE", 1, 0),
        ("events", "SET_NULL", 50_000, 1),
        ("reports", "DELETE", 8, 1),
        ("photos", "DELETE", 80, 2),
    ]
    assert whole.unknown == ()
    assert careful.unknown == ("public.events(station_id) has no usable index",)
    assert [each.rows for each in careful.impacts if each.table.name == "events"] == [0]


async def test_more_rows_than_asked_for_are_not_followed(connection: asyncpg.Connection) -> None:
    """The answer says that there are more, and never more than it may hold."""
    await connection.execute(SHOP)
    catalog = await read_catalog(connection, with_partitions=True)

    found = await impact_of(connection, catalog, TableName("public", "stations"), ("1",), most_rows=100)

    assert found.unknown == ("more than 100 rows are concerned; the rest was not followed",)
    assert sum(each.rows for each in found.impacts) <= 400


@pytest.mark.parametrize("key", [(), ("1", "2"), ("x",), ("7",)])
async def test_a_row_that_is_not_there_is_told(key: tuple[str, ...], connection: asyncpg.Connection) -> None:
    """Neither a missing row nor a malformed key is an internal fault."""
    await connection.execute(SHOP)
    catalog = await read_catalog(connection, with_partitions=True)

    with pytest.raises(HoldfastError, match=r"key|row"):
        await impact_of(connection, catalog, TableName("public", "stations"), key)
