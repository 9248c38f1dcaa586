"""The whole way of an audit up to the closer look: on the samples, on random tables, on the database built to mislead."""

import asyncio
import json
import os
import random
import sys

import asyncpg
import pytest

from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.details.read import detail_orphans
from holdfastd.evidence.model import OrphanDetails
from holdfastd.evidence.orphans import count_orphans
from holdfastd.evidence.statements import all_not_null, from_only, key_match
from holdfastd.inference.candidates import infer_candidates
from holdfastd.inference.model import Relationship
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import ColumnSet, TableName
from integration.evidence.looks import a_relationship, causes, look, reading
from integration.evidence.random_tables import a_case
from integration.evidence.test_hostile_database import HOSTILE, load, pair_of
from samples.load import load_sample
from support.postgres import Server

CASES = int(os.environ.get("HOLDFAST_RANDOM_CASES", "34"))
FIRST = int(os.environ.get("HOLDFAST_RANDOM_FIRST", "1"))


async def audit(connection: asyncpg.Connection) -> dict[str, OrphanDetails]:
    """Do what an audit does, as far as orphan rows go."""
    catalog = await read_catalog(connection)
    candidates = infer_candidates(catalog)
    counts = {
        each.id: await count_orphans(connection, catalog, each.referencing, each.referenced, each.operators, timeout_seconds=30)
        for each in derive_relationships(catalog, candidates, {})
        if each.operators
    }
    relationships = derive_relationships(catalog, candidates, counts)
    return await detail_orphans(connection, catalog, relationships, budget_seconds=60)


async def test_orphan_rows_of_the_sample_were_deleted(any_database: str) -> None:
    """Both relationships with orphan rows: stations that were deleted, and when their rows were made."""
    await load_sample(any_database, "ev_charging")
    async with reading(any_database) as connection:
        found = await audit(connection)

    by_table = {name.partition("(")[0]: details for name, details in found.items()}
    assert {name: causes(details) for name, details in by_table.items()} == {
        "public.charging_sessions": {"DELETED": (3, 2)},
        "public.reports": {"DELETED": (8, 3)},
    }
    for details in by_table.values():
        assert details.seen_column == "created_at"
        assert details.first_seen is not None
        assert details.last_seen is not None
        assert details.first_seen < details.last_seen
        assert details.share is not None
        assert 0 < details.share < 0.1
        assert details.taken
        assert (details.blocked, details.unknown) == ("", "")


async def test_sample_without_orphan_rows_needs_no_look(database: str) -> None:
    """Nothing to tell, nothing told."""
    await load_sample(database, "gaztime")
    async with reading(database) as connection:
        assert await audit(connection) == {}


async def test_numbers_equal_brute_force_on_random_tables(any_database: str) -> None:
    """Rows by cause add up to the orphan rows, distinct values to the distinct values, whatever types, shapes and rows."""
    cases = [a_case(seed) for seed in range(FIRST, FIRST + CASES)]
    orphans = 0
    async with reading(any_database, sql="\n".join(case.sql for case in cases)) as connection:
        catalog = await read_catalog(connection)
        for case in cases:
            relationship = await a_relationship(connection, catalog, case.referencing, case.referenced)
            found = await detail_orphans(connection, catalog, [relationship], budget_seconds=60)
            if not case.orphans:
                assert found == {}, case.seed
                continue
            details = found[relationship.id]
            assert details.unknown == "", case.seed
            assert sum(caused.rows for caused in details.causes) == case.orphans, case.seed
            assert details.distinct_values == await distinct_orphan_values(connection, relationship), case.seed
            assert details.share is not None, case.seed
            assert 0 < details.share <= 1, case.seed
            orphans += case.orphans

    assert orphans > CASES


async def distinct_orphan_values(connection: asyncpg.Connection, relationship: Relationship) -> int:
    catalog = await read_catalog(connection)
    referencing, referenced = relationship.referencing, relationship.referenced
    value = await connection.fetchval(
        f"SELECT count(DISTINCT referencing.c) FROM {from_only(catalog.tables[referencing.table])} AS referencing"
        f" LEFT JOIN {from_only(catalog.tables[referenced.table])} AS referenced"
        f" ON {key_match(catalog, referencing, referenced, relationship.operators)}"
        f" WHERE {all_not_null(referencing)} AND referenced.ctid IS NULL"
    )
    return int(value)


@pytest.mark.parametrize("seed", range(1, 13))
async def test_causes_are_the_true_ones(database: str, seed: int) -> None:
    """Rows that were made and deleted, values that nobody made, and sentinels, told apart as Python knows them."""
    chance = random.Random(seed)
    made = chance.choice((1, 5, 40))
    deleted = {number for number in range(1, made + 1) if chance.random() < chance.choice((0.1, 0.9, 1))}
    values = [chance.randint(-4, made + 6) for _ in range(60)]
    truth: dict[str, list[int]] = {}
    for value in values:
        if value in (0, -1):
            truth.setdefault("SENTINEL", []).append(value)
        elif value > made or value < -1:
            truth.setdefault("NEVER_EXISTED", []).append(value)
        elif value in deleted:
            truth.setdefault("DELETED", []).append(value)
    sql = (
        "CREATE TABLE public.r (id serial PRIMARY KEY); CREATE TABLE public.t (r_id int);"
        f"INSERT INTO public.r SELECT FROM generate_series(1, {made}); DELETE FROM public.r WHERE id = ANY ('{{{','.join(map(str, deleted))}}}');"
        f"INSERT INTO public.t SELECT unnest(ARRAY[{','.join(map(str, values))}])"
    )

    async with reading(database, sql=sql) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {cause: (len(found), len(set(found))) for cause, found in truth.items()}


@pytest.mark.slow
async def test_database_built_to_mislead(any_postgres: Server, any_database: str) -> None:
    """Every relationship with orphan rows is told about: numbers as the server found them, and the sentinels of H34."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not here")
    await load(any_postgres, any_database)
    wrong, told = [], 0
    async with reading(any_database) as connection:
        catalog = await read_catalog(connection)
        for truth in json.loads((HOSTILE / "truth.json").read_text())["relationships"]:
            referencing, referenced = pair_of(truth)
            if not {referencing.table, referenced.table} <= catalog.tables.keys():
                continue
            relationship = await a_relationship(connection, catalog, referencing, referenced)
            found = await detail_orphans(connection, catalog, [relationship], budget_seconds=60)
            if not relationship.operators or not truth["orphan_rows"]:
                assert found == {}
                continue
            details = found[relationship.id]
            told += 1
            rows = sum(caused.rows for caused in details.causes)
            if rows != truth["orphan_rows"] or details.unknown:
                wrong.append(f"{truth['id']}: {rows} rows, not {truth['orphan_rows']}; {details.unknown}")
            if truth["id"] == "H34":
                assert causes(details)["SENTINEL"] == (60, 1)

    assert wrong == []
    assert told > 40


@pytest.mark.slow
@pytest.mark.parametrize("name", ["musicbrainz", "northwind", "omop", "pagila", "usda"])
async def test_databases_of_others(database: str, name: str) -> None:
    """Real schemas, composite keys among them: rows and distinct values are those that brute force found."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE.parent} is not here")
    loader = HOSTILE.parents[1] / "tools" / "corpus.py"
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(loader), "load", str(HOSTILE.parent / name), database, stdout=asyncio.subprocess.DEVNULL
    )
    assert await script.wait() == 0
    wrong, told = [], 0
    async with reading(database) as connection:
        catalog = await read_catalog(connection)
        for truth in json.loads((HOSTILE.parent / name / "orphans.json").read_text())["relationships"]:
            if not truth["orphan_rows"]:
                continue
            own, other = (ColumnSet(TableName(*truth[side].split(".", 1)), tuple(truth[f"{side}_columns"])) for side in ("child", "parent"))
            relationship = await a_relationship(connection, catalog, own, other)
            details = (await detail_orphans(connection, catalog, [relationship], budget_seconds=60))[relationship.id]
            told += 1
            numbers = (sum(caused.rows for caused in details.causes), details.distinct_values)
            if numbers != (truth["orphan_rows"], truth["distinct_orphan_keys"]) or details.unknown:
                wrong.append(f"{relationship.id}: {numbers}, {details.unknown}")

    assert wrong == []
    assert told > 3
