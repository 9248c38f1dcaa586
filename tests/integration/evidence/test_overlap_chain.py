"""From catalog to candidates with a look at rows in between: what rows may change, and what they must not."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.overlap.observe import observe
from holdfastd.inference.candidates import conclude, form_hypotheses
from holdfastd.inference.model import Candidate, Tier
from holdfastd.inference.relationships import PLANNED_FROM, derive_relationships
from holdfastd.inference.rows.propose import propose
from holdfastd.inference.rows.weigh import weigh_rows
from holdfastd.target.session import connect
from integration.evidence.test_hostile_database import HOSTILE, load
from samples.load import SAMPLES, load_sample, read_expected
from support.postgres import Server


async def infer_with_rows(connection: asyncpg.Connection) -> tuple[Catalog, tuple[Candidate, ...]]:
    """What an audit does between reading the catalog and counting."""
    catalog = await read_catalog(connection)
    hypotheses = propose(catalog, form_hypotheses(catalog))
    overlaps = await observe(connection, catalog, hypotheses, budget_seconds=60)
    return catalog, conclude(catalog, weigh_rows(catalog, hypotheses, overlaps))


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def session(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(database, application_name="test", read_only=True)
    yield connection
    await connection.close()


def planned(catalog: Catalog, candidates: Sequence[Candidate]) -> set[tuple[str, str]]:
    found = derive_relationships(catalog, candidates, {})
    return {_pair(each.referencing, each.referenced) for each in found if each.tier is Tier.PLAN}


def _pair(referencing, referenced) -> tuple[str, str]:
    return f"{referencing.table.name}.{referencing.columns[0]}", f"{referenced.table.name}.{referenced.columns[0]}"


def confidence(candidates: Sequence[Candidate], referencing: str) -> float:
    return next((each.confidence for each in candidates if _pair(each.referencing, each.referenced)[0] == referencing), 0.0)


def rules(candidates: Sequence[Candidate], referencing: str) -> dict[str, str]:
    found = next(each for each in candidates if _pair(each.referencing, each.referenced)[0] == referencing)
    return {evidence.rule: evidence.text for evidence in found.evidence}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("percent", [0, 1, 10, 40])
async def test_samples_are_planned_with_orphan_rows(sample, percent, database, owner, session):
    """Every key of the documents is planned and no other, however many of the referenced rows are lost."""
    await load_sample(database, sample)
    expected = read_expected(sample).relationships
    for referenced in sorted({each.referenced for each in expected}):
        table, key = referenced.split(".")
        lost = f"SELECT {key} FROM public.{table} ORDER BY md5({key}::text) LIMIT (SELECT count(*) * {percent} / 100 FROM public.{table})"
        await owner.execute(f"DELETE FROM public.{table} WHERE {key} IN ({lost})")
    catalog, candidates = await infer_with_rows(session)
    assert planned(catalog, candidates) == {(each.referencing, each.referenced) for each in expected}


async def test_decoys_win_nothing(owner, session):
    """Small numbers are found among any ids: neither ratings and versions nor fifty tables with ids 1 to N make a new plan."""
    await owner.execute(
        "CREATE TABLE public.users (id integer PRIMARY KEY, rating integer, version integer, year integer, zip_code text, position integer);"
        "INSERT INTO public.users SELECT n, n % 5 + 1, n % 3 + 1, 1990 + n % 30, (10000 + n)::text, n FROM generate_series(1, 2000) AS n;"
        "CREATE TABLE public.orders (id integer PRIMARY KEY, user_id integer NOT NULL, quantity integer, priority smallint, level_no integer,"
        " batch_number integer, external_id integer);"
        "INSERT INTO public.orders SELECT n, n % 2000 + 1, n % 20 + 1, n % 4, n % 6, n, n FROM generate_series(1, 3000) AS n"
    )
    await owner.execute("ANALYZE")
    _, alone = await infer_with_rows(session)
    for number in range(50):
        await owner.execute(
            f"CREATE TABLE public.thing_{number} (id integer PRIMARY KEY, amount integer, kind integer);"
            f"INSERT INTO public.thing_{number} SELECT n, n % 7 + 1, n % 3 + 1 FROM generate_series(1, {200 + 40 * number}) AS n"
        )
    await owner.execute("ANALYZE")
    catalog, crowded = await infer_with_rows(session)

    sure = {each.id for each in crowded if each.confidence >= 0.5}
    assert sure == {each.id for each in alone if each.confidence >= 0.5} == {"public.orders(user_id)->public.users(id)"}
    assert planned(catalog, crowded) == {("orders.user_id", "users.id")}


async def test_rows_find_what_names_do_not(owner, session):
    """Uuids, codes and composite keys under names that say nothing; each told in words."""
    await owner.execute(
        "CREATE TABLE public.places (code char(3) PRIMARY KEY, label text);"
        "INSERT INTO public.places SELECT chr(65 + n / 676) || chr(65 + n / 26 % 26) || chr(65 + n % 26), 'x' FROM generate_series(0, 4999, 7) AS n;"
        "CREATE TABLE public.crew (id uuid PRIMARY KEY, born char(3));"
        "INSERT INTO public.crew SELECT md5(n::text)::uuid, (SELECT code FROM public.places ORDER BY md5(code || n) LIMIT 1)"
        " FROM generate_series(1, 300) AS n;"
        "CREATE TABLE public.papers (crew_id uuid PRIMARY KEY, kind text); INSERT INTO public.papers SELECT id, 'x' FROM public.crew;"
        "CREATE TABLE public.trips (id integer PRIMARY KEY, captain uuid, began date);"
        "INSERT INTO public.trips SELECT n, md5((n % 400 + 1)::text)::uuid, current_date FROM generate_series(1, 800) AS n"
    )
    await owner.execute("ANALYZE")
    _, candidates = await infer_with_rows(session)

    assert confidence(candidates, "crew.born") > 0.5
    assert confidence(candidates, "trips.captain") > 0.8
    assert rules(candidates, "trips.captain")["values_found"] == "300 of its 400 values are found in public.crew(id)"


async def test_values_found_nowhere_speak_against_a_name(owner, session):
    """A column named after a table, holding ids of another system: no plan, and the reason is told."""
    await owner.execute(
        "CREATE TABLE public.users (id integer PRIMARY KEY); INSERT INTO public.users SELECT n FROM generate_series(1, 1000) AS n;"
        "CREATE TABLE public.visits (id integer PRIMARY KEY, user_id integer);"
        "INSERT INTO public.visits SELECT n, 1000000 + n * 7 FROM generate_series(1, 1000) AS n;"
        "CREATE TABLE public.notes (id integer PRIMARY KEY, user_id integer)"
    )
    await owner.execute("ANALYZE")
    catalog = await read_catalog(session)
    before = conclude(catalog, form_hypotheses(catalog))
    _, after = await infer_with_rows(session)

    assert confidence(before, "visits.user_id") >= PLANNED_FROM
    assert confidence(after, "visits.user_id") < 0.5
    assert confidence(after, "notes.user_id") == confidence(before, "notes.user_id")
    assert rules(after, "notes.user_id")["no_rows"] == "no row has a value here: only the catalog speaks"


async def test_hostile_names_and_types_raise_nothing(postgres: Server, database: str, session):
    """A database built to mislead is looked at without an error, and its traps are not planned."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not here")
    await load(postgres, database)
    catalog, candidates = await infer_with_rows(session)

    traps = {"comments.commentable_id", "wide_child.c002", "wide_child.c003", "del_log.id", "employee.id"}
    assert not {pair[0] for pair in planned(catalog, candidates)} & traps
    assert len(candidates) > 30
