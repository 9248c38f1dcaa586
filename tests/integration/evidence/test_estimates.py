"""Estimates from sampled blocks: their limits hold the truth, and what cannot be sampled is counted."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence import orphans
from holdfastd.evidence.counting.choose import Choice, choose, choose_all
from holdfastd.evidence.counting.estimating import CannotEstimateError, _draw, estimate_orphans
from holdfastd.evidence.counting.intervals import estimate
from holdfastd.evidence.counting.model import Subject
from holdfastd.evidence.counting.run import Terms
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.evidence.orphans import count_choice
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

DRAWS = 200
#: 1250 blocks of 16 rows, some of them orphan rows.
TABLES = """
CREATE TABLE public.r (k integer PRIMARY KEY);
INSERT INTO public.r SELECT generate_series(1, 1000);
CREATE TABLE public.t (c integer, pad text DEFAULT repeat('x', 450));
ALTER TABLE public.t ALTER pad SET STORAGE PLAIN;
INSERT INTO public.t (c) SELECT CASE WHEN {orphan} THEN -n ELSE 1 + n % 1000 END FROM generate_series(1, 20000) AS n;
VACUUM (ANALYZE) public.t;
"""


@pytest.fixture
async def session(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(any_database, application_name="test", read_only=False)
    yield connection
    await connection.close()


async def make(connection: asyncpg.Connection, orphan: str) -> Subject:
    for statement in TABLES.format(orphan=orphan).strip().removesuffix(";").split(";\n"):
        await connection.execute(statement)
    return await subject_of(connection)


async def subject_of(connection: asyncpg.Connection) -> Subject:
    catalog = await read_catalog(connection)
    own, other = ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",))
    return Subject(
        catalog=catalog,
        referencing=own,
        referenced=other,
        operators=resolve_operators(catalog, own, other) or (),
        statistics=await read_statistics(connection, catalog, [own, other]),
    )


async def count(connection: asyncpg.Connection, subject: Subject, **terms: float) -> RowCount:
    (count,) = await count_choice(connection, Choice(subjects=(subject,), count=choose(subject)), Terms(**terms))
    return count


@pytest.mark.parametrize(
    "orphan",
    ["n % 97 = 0", "n % 1600 < 32", "n <= 400", "n % 97 = 0 OR n BETWEEN 5000 AND 5200", "n % 2 = 0"],
    ids=["scattered", "two blocks together", "one run of 25 blocks", "scattered and a run", "half of the rows"],
)
async def test_limits_hold_the_truth(session: asyncpg.Connection, orphan: str) -> None:
    """In nine of ten draws at least; 95 % are promised for large samples, and these are of some sixty blocks."""
    subject = await make(session, orphan)
    truth = await session.fetchval("SELECT count(*) FROM public.t WHERE c < 0")

    results = [estimate(await _draw(session, subject, 0.05, seconds=30)) for _ in range(DRAWS)]

    held = sum(low <= truth <= high for _, low, high in results)
    assert held >= 0.9 * DRAWS, f"{held} of {DRAWS}"
    assert sum(value for value, _, _ in results) / DRAWS == pytest.approx(truth, rel=0.25)
    assert all(low <= value <= high for value, low, high in results)


async def test_no_hit_is_no_zero(session: asyncpg.Connection) -> None:
    """Estimated, with room for what was not seen, and told as such."""
    subject = await make(session, "false")
    counted = await count(session, believed_large(subject), timeout_seconds=30, estimate_after=0.5)

    assert (counted.value, counted.low, counted.exactness) == (0, 0, Exactness.ESTIMATED)
    assert counted.high is not None
    assert counted.high > 0
    assert counted.reason.startswith("estimated from ")
    assert counted.reason.endswith(" % of the blocks")


async def test_a_count_that_hits_the_limit_is_estimated(session: asyncpg.Connection) -> None:
    """It promised to be short; without the limit it is exact."""
    subject = await make(session, "n % 97 = 0")

    estimated = await count(session, subject, timeout_seconds=30, estimate_after=0.001)
    exact = await count(session, subject, timeout_seconds=30, estimate_after=20)

    assert (estimated.exactness, exact.exactness) == (Exactness.ESTIMATED, Exactness.EXACT)
    assert (exact.value, exact.low, exact.high) == (206, 206, 206)
    assert estimated.low is not None
    assert estimated.high is not None
    assert 1 <= estimated.low <= estimated.value <= estimated.high


async def test_an_estimate_takes_no_longer_than_a_count_may(session: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever allows a century per count gets an hour for the count, and not the century for its estimate."""
    allowed: list[float] = []

    async def estimate_at_once(_connection: object, _subject: object, *, seconds: float) -> tuple[int, int, int, float]:
        allowed.append(seconds)
        return 1, 1, 1, 0.5

    monkeypatch.setattr(orphans, "estimate_orphans", estimate_at_once)
    subject = await make(session, "n % 97 = 0")
    estimated = await count(session, subject, timeout_seconds=0.001, estimate_after=3e9)

    assert (estimated.exactness, allowed) == (Exactness.ESTIMATED, [1.0])


async def test_time_bounds_the_draws(session: asyncpg.Connection) -> None:
    """More time, more blocks; never more than half of them."""
    subject = await make(session, "n % 97 = 0")

    value, low, high, share = await estimate_orphans(session, subject, seconds=5)

    assert 0.1 < share <= 0.5
    assert 100 < low <= value <= high < 400


async def test_partitions_are_sampled_together(session: asyncpg.Connection) -> None:
    """TABLESAMPLE knows partitioned tables; blocks of the same number in two partitions are two."""
    await make(session, "n % 97 = 0")
    await session.execute(
        """
        ALTER TABLE public.t RENAME TO first; CREATE TABLE public.t (LIKE public.first) PARTITION BY LIST ((c % 2));
        CREATE TABLE public.even PARTITION OF public.t FOR VALUES IN (0);
        CREATE TABLE public.odd PARTITION OF public.t FOR VALUES IN (1, -1);
        INSERT INTO public.t SELECT * FROM public.first; ANALYZE;
        """
    )
    value, low, high, _ = await estimate_orphans(session, await subject_of(session), seconds=5)

    assert low <= 206 <= high
    assert value > 0


async def test_what_cannot_be_sampled_is_counted(session: asyncpg.Connection) -> None:
    """A foreign partition would be read whole and weighed as a sample; a few blocks are sooner counted."""
    await session.execute(
        """
        CREATE TABLE public.r (k integer PRIMARY KEY); INSERT INTO public.r VALUES (1);
        CREATE TABLE public.t (c integer); INSERT INTO public.t VALUES (1), (2);
        """
    )
    subject = await subject_of(session)
    with pytest.raises(CannotEstimateError, match="too few"):
        await estimate_orphans(session, subject, seconds=1)

    counted = await count(session, believed_large(subject), timeout_seconds=30, estimate_after=1)
    assert (counted.value, counted.exactness) == (1, Exactness.EXACT)

    await session.execute(
        """
        DROP TABLE public.t; CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
        CREATE TABLE public.t (c integer) PARTITION BY LIST (c); CREATE FOREIGN TABLE public.far PARTITION OF public.t DEFAULT SERVER elsewhere;
        """
    )
    with pytest.raises(CannotEstimateError, match="a partition is a foreign table"):
        await estimate_orphans(session, await subject_of(session), seconds=1)


def believed_large(subject: Subject) -> Subject:
    """The same, but the server noted a thousand million rows: its count promises to take minutes."""
    large = replace(subject, statistics={key: replace(noted, rows=1e9) for key, noted in subject.statistics.items()})
    assert choose_all([large])[0].count.cost > 10_000
    return large
