"""Every strategy counts what brute force counts, whatever the statistics say. HOLDFAST_RANDOM_CASES asks for more cases."""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.counting import parts, run
from holdfastd.evidence.counting.choose import Choice, choose_all, possible_counts
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.counting.range_pass import count_by_ranges
from holdfastd.evidence.counting.run import Pace, Terms, run_count
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.evidence.model import Exactness
from holdfastd.evidence.orphans import count_choice
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect
from integration.evidence.random_tables import Case, a_case

CASES = int(os.environ.get("HOLDFAST_RANDOM_CASES", "60"))
FIRST = int(os.environ.get("HOLDFAST_RANDOM_FIRST", "1"))
TERMS = Terms(timeout_seconds=30)


@pytest.fixture
async def session(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(any_database, application_name="test", read_only=False)
    yield connection
    await connection.close()


async def make(connection: asyncpg.Connection, cases: list[Case]) -> list[Subject]:
    """Make the tables of all cases; half of them vacuumed, half never analysed."""
    for case in cases:
        await connection.execute(case.sql)
        if case.vacuumed:
            await connection.execute(f"VACUUM (ANALYZE) {case.referencing.table}")
            await connection.execute(f"VACUUM (ANALYZE) {case.referenced.table}")
    return await subjects_of(connection, [(case.referencing, case.referenced) for case in cases])


async def subjects_of(connection: asyncpg.Connection, pairs: list[tuple[ColumnSet, ColumnSet]]) -> list[Subject]:
    catalog = await read_catalog(connection)
    statistics = await read_statistics(connection, catalog, [side for pair in pairs for side in pair])
    return [
        Subject(
            catalog=catalog,
            referencing=own,
            referenced=other,
            operators=resolve_operators(catalog, own, other) or (),
            statistics=statistics,
        )
        for own, other in pairs
    ]


def lied_to(subject: Subject, chance: random.Random) -> Subject:
    """The same with statistics that have nothing to do with the rows; which indexes there are stays true."""
    lies = {
        key: replace(
            noted,
            rows=chance.choice((0, 10, 1_000_000)),
            visible=chance.choice((0, 0.5, 1)),
            distinct=chance.choice((1, 50)),
            null_share=chance.random(),
            lowest=chance.choice((-5, 0)),
            highest=chance.choice((1, 70_000)),
        )
        for key, noted in subject.statistics.items()
    }
    return replace(subject, statistics=lies)


async def test_every_strategy_agrees_with_brute_force(session: asyncpg.Connection) -> None:
    """Each possible strategy in turn, forced, under true statistics and under lies."""
    cases = [a_case(seed) for seed in range(FIRST, FIRST + CASES)]
    subjects = await make(session, cases)
    wrong, tried = [], Counter()
    for case, subject in zip(cases, subjects, strict=True):
        for believed in (subject, lied_to(subject, random.Random(case.seed))):
            for count in possible_counts(believed):
                values = await run_count(session, case.referencing.table, count, TERMS)
                tried[count.strategy] += 1
                if values != (case.orphans,):
                    wrong.append(f"{case.seed} {count.strategy}: {values}, not {case.orphans}\n{case.sql}")

    assert wrong == []
    assert all(tried[strategy] >= CASES // 10 for strategy in Strategy), tried


async def test_chosen_counts_agree_with_brute_force(session: asyncpg.Connection) -> None:
    """The choice itself, for all relationships of a database at once, with statistics that make every choice attractive."""
    cases = [a_case(seed) for seed in range(FIRST, FIRST + CASES // 2)]
    subjects = [lied_to(subject, random.Random(case.seed)) for case, subject in zip(cases, await make(session, cases), strict=True)]
    found = {}
    for choice in choose_all(subjects):
        for subject, count in zip(choice.subjects, await count_choice(session, choice, TERMS), strict=True):
            found[subject.referencing] = (count.value, count.exactness)

    assert found == {case.referencing: (case.orphans, Exactness.EXACT) for case in cases}


async def test_parts_add_up(session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts in parts of one block, of one histogram bucket or of a few numbers each, told after each part."""
    monkeypatch.setattr(run, "_WORTH_PARTS_MS", -1)
    monkeypatch.setattr(parts, "PART_MS", 1e-9)
    monkeypatch.setattr(run, "PART_BLOCKS", 1)
    monkeypatch.setattr(run, "MOST_REPEATED", 1e9)
    told: list[Pace] = []

    async def on_pace(pace: Pace) -> None:
        told.append(pace)

    cases = [a_case(seed) for seed in range(FIRST, FIRST + CASES // 2)]
    wrong, in_parts = [], Counter()
    for case, subject in zip(cases, await make(session, cases), strict=True):
        for count in possible_counts(lied_to(subject, random.Random(case.seed))):
            before = len(told)
            values = await run_count(session, case.referencing.table, count, Terms(timeout_seconds=30, on_pace=on_pace))
            in_parts[count.strategy] += len(told) > before + 1
            if values != (case.orphans,):
                wrong.append(f"{case.seed} {count.strategy}: {values}, not {case.orphans}")

    assert wrong == []
    assert all(in_parts[strategy] for strategy in Strategy), in_parts
    assert all(0 < pace.blocks_done <= pace.blocks_total for pace in told)


async def test_parts_that_lost_their_histogram_are_not_added_up(session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """ANALYZE made it shorter since: no number, and count_choice counts in the plain way."""
    monkeypatch.setattr(run, "_WORTH_PARTS_MS", -1)
    monkeypatch.setattr(parts, "PART_MS", 1e-9)
    await session.execute(
        """
        CREATE TABLE public.r (k text PRIMARY KEY); INSERT INTO public.r SELECT 'k' || n FROM generate_series(1, 15000) AS n;
        CREATE TABLE public.t (c text); INSERT INTO public.t SELECT 'k' || n FROM generate_series(1, 15007) AS n;
        CREATE INDEX ON public.t (c); ANALYZE;
        """
    )
    pairs = [(ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",)))]
    (subject,) = await subjects_of(session, pairs)
    merge = next(count for count in possible_counts(subject) if count.strategy is Strategy.MERGE)

    async def on_pace(pace: Pace) -> None:
        pass

    terms = Terms(timeout_seconds=30, on_pace=on_pace)
    assert len(merge.part_sqls) == 100
    assert await run_count(session, TableName("public", "t"), merge, terms) == (7,)
    await session.execute("ALTER TABLE public.t ALTER c SET STATISTICS 10; ANALYZE public.t")
    assert await run_count(session, TableName("public", "t"), merge, terms) == (None,)

    (count,) = await count_choice(session, Choice(subjects=(subject,), count=merge), terms)
    assert (count.value, count.exactness) == (7, Exactness.EXACT)


async def test_several_keys_of_a_table_in_one_pass(session: asyncpg.Connection) -> None:
    """Also a table that references itself, and a key of smallest and greatest bigints."""
    await session.execute(
        """
        CREATE TABLE public.small (k smallint PRIMARY KEY); INSERT INTO public.small VALUES (-32768), (1), (2), (32767);
        CREATE TABLE public.big (k bigint PRIMARY KEY); INSERT INTO public.big VALUES (-9223372036854775808), (5), (9223372036854775807);
        CREATE TABLE public.t (id integer PRIMARY KEY, a integer, b bigint, up integer);
        INSERT INTO public.t VALUES
            (1, -32768, -9223372036854775808, 1), (2, 32767, 9223372036854775807, 9), (3, 32768, -9223372036854775807, NULL),
            (4, NULL, 9223372036854775806, 3), (5, 3, 5, -2147483648), (6, -32769, NULL, 2147483647);
        ANALYZE;
        """
    )
    table = TableName("public", "t")
    pairs = [
        (ColumnSet(table, (own,)), ColumnSet(TableName("public", other), (key,)))
        for own, other, key in (("a", "small", "k"), ("b", "big", "k"), ("up", "t", "id"))
    ]
    count = count_by_ranges(await subjects_of(session, pairs))

    assert count is not None
    assert await run_count(session, table, count, TERMS) == (3, 2, 3)


async def test_a_column_may_be_called_as_a_strategy_calls_its_own(session: asyncpg.Connection) -> None:
    """None of them fails over a name, which would only show as a slow count."""
    names = ("number", "rows", "lowest", "key", "first", "block", "value")
    await session.execute(
        f"""
        CREATE TABLE public.r (key integer PRIMARY KEY); INSERT INTO public.r SELECT generate_series(1, 90);
        CREATE TABLE public.t ({", ".join(f"{name} integer" for name in names)});
        INSERT INTO public.t SELECT {", ".join("n" for _ in names)} FROM generate_series(1, 100) AS n; ANALYZE;
        {"; ".join(f"CREATE INDEX ON public.t ({name})" for name in names)}
        """
    )
    pairs = [(ColumnSet(TableName("public", "t"), (name,)), ColumnSet(TableName("public", "r"), ("key",))) for name in names]
    for subject in await subjects_of(session, pairs):
        counts = possible_counts(subject)
        assert {count.strategy for count in counts} == set(Strategy)
        assert [await number(session, count) for count in counts] == [10] * len(counts)


async def test_strategies_give_up_when_statistics_mislead(session: asyncpg.Connection) -> None:
    """More gaps or values than four times the expected: no number, and count_choice counts in the plain way."""
    await session.execute(
        """
        CREATE TABLE public.r (k integer PRIMARY KEY); INSERT INTO public.r SELECT 2 * n FROM generate_series(1, 15000) AS n;
        CREATE TABLE public.t (c integer); INSERT INTO public.t SELECT generate_series(1, 30000); CREATE INDEX ON public.t (c);
        """
    )
    (subject,) = await subjects_of(session, [(ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",)))])
    counts = {count.strategy: count for count in possible_counts(believing(subject, rows=15_000, lowest=1, highest=15_000, distinct=100))}
    assert {await number(session, counts[strategy]) for strategy in (Strategy.GAP_WALK, Strategy.LOOSE_SCAN)} == {None}

    (count,) = await count_choice(session, Choice(subjects=(subject,), count=counts[Strategy.GAP_WALK]), TERMS)
    assert (count.value, count.exactness) == (15_000, Exactness.EXACT)


async def test_a_single_missing_number_is_found(session: asyncpg.Connection) -> None:
    """In the middle of a block, at its edge, and as a whole block; by every strategy."""
    await session.execute(
        """
        CREATE TABLE public.r (k bigint PRIMARY KEY);
        INSERT INTO public.r SELECT n FROM generate_series(-3000, 6000) AS n WHERE n NOT IN (-1500, 500, 1024, 2047) AND n >> 10 <> 4;
        CREATE TABLE public.t (c integer); INSERT INTO public.t SELECT generate_series(-3001, 6001); CREATE INDEX ON public.t (c); ANALYZE;
        """
    )
    (subject,) = await subjects_of(session, [(ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",)))])
    counts = {count.strategy: await number(session, count) for count in possible_counts(subject)}

    assert counts == dict.fromkeys(Strategy, 4 + 1024 + 2)


async def test_composite_keys_are_hashed(session: asyncpg.Connection) -> None:
    """And only hashed: no other strategy is offered."""
    await session.execute(
        """
        CREATE TABLE public.r (a integer, b text, PRIMARY KEY (a, b)); INSERT INTO public.r VALUES (1, 'x'), (2, 'y');
        CREATE TABLE public.t (a integer, b text); INSERT INTO public.t VALUES (1, 'x'), (1, 'y'), (NULL, 'z'), (2, NULL);
        CREATE INDEX ON public.t (a, b); ANALYZE;
        """
    )
    (subject,) = await subjects_of(
        session, [(ColumnSet(TableName("public", "t"), ("a", "b")), ColumnSet(TableName("public", "r"), ("a", "b")))]
    )
    (count,) = possible_counts(subject)

    assert (count.strategy, await number(session, count)) == (Strategy.HASH, 1)


async def test_a_collation_that_calls_unlike_values_equal_is_not_hopped_over(session: asyncpg.Connection) -> None:
    """'A' and 'a' are one value to the referencing index and two to the key."""
    try:
        await session.execute("CREATE COLLATION public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except asyncpg.FeatureNotSupportedError:
        pytest.skip("this PostgreSQL was built without ICU")
    await session.execute(
        """
        CREATE TABLE public.r (k text COLLATE "C" PRIMARY KEY); INSERT INTO public.r VALUES ('a');
        CREATE TABLE public.t (c text COLLATE public.blind); INSERT INTO public.t VALUES ('a'), ('A'), ('A');
        CREATE INDEX ON public.t (c); ANALYZE;
        """
    )
    (subject,) = await subjects_of(session, [(ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",)))])

    assert [(count.strategy, await number(session, count)) for count in possible_counts(believing(subject, distinct=2))] == [
        (Strategy.HASH, 2)
    ]


async def test_statistics_are_what_the_server_noted(session: asyncpg.Connection) -> None:
    """Extremes of integers only; indexes in the column's own order only; nothing for a role that may not read."""
    await session.execute(
        """
        CREATE TABLE public.r (k bigint PRIMARY KEY); INSERT INTO public.r SELECT n FROM generate_series(-500, 499) AS n;
        CREATE TABLE public.t (c bigint, k text);
        INSERT INTO public.t SELECT CASE WHEN n % 4 > 0 THEN n % 2 END, n FROM generate_series(1, 1000) AS n;
        CREATE INDEX ON public.t (c DESC); CREATE INDEX ON public.t (k text_pattern_ops); CREATE INDEX ON public.t (c) WHERE c > 0;
        ANALYZE;
        """
    )
    table = TableName("public", "t")
    (subject, text) = await subjects_of(
        session, [(ColumnSet(table, (own,)), ColumnSet(TableName("public", "r"), ("k",))) for own in ("c", "k")]
    )
    own, key = subject.referencing_statistics, subject.referenced_statistics

    assert (own.rows, own.null_share, own.distinct, len(own.ordered_indexes)) == (1000, 0.25, 2, 1)
    assert (key.rows, key.distinct, key.lowest, key.highest, len(key.ordered_indexes)) == (1000, 1000, -500, 499, 1)
    assert (text.referencing_statistics.lowest, text.referencing_statistics.ordered_indexes) == (None, frozenset())

    await session.execute("CREATE ROLE blind_reader; GRANT USAGE ON SCHEMA public TO blind_reader; SET ROLE blind_reader")
    try:
        (hidden, _) = await subjects_of(session, [(text.referencing, subject.referenced), (subject.referencing, subject.referenced)])
    finally:
        await session.execute("RESET ROLE; DROP OWNED BY blind_reader; DROP ROLE blind_reader")
    assert (hidden.referencing_statistics.rows, hidden.referencing_statistics.distinct, hidden.referenced_statistics.lowest) == (
        1000,
        0,
        None,
    )


def believing(subject: Subject, **facts: object) -> Subject:
    return replace(subject, statistics={key: replace(noted, **facts) for key, noted in subject.statistics.items()})


async def number(connection: asyncpg.Connection, count: Count) -> int | None:
    return (await run_count(connection, TableName("public", "t"), count, TERMS))[0]
