"""Rows stay on the server: the memory of the service does not grow with the tables it counts."""

import gc
import os
from pathlib import Path

import asyncpg

from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.counting.choose import possible_counts
from holdfastd.evidence.counting.estimating import estimate_orphans
from holdfastd.evidence.counting.model import Subject
from holdfastd.evidence.counting.run import Terms, run_count
from holdfastd.evidence.counting.statistics import read_statistics
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

ROWS = 2_000_000
#: Two million rows are a hundred megabytes, as text and as what the driver would make of them.
MOST_GROWTH = 4 * 2**20


def resident() -> int:
    """Bytes of memory that this process occupies."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_counting_two_million_rows_takes_no_memory(database: str) -> None:
    """By every strategy, and by an estimate; the first one warms up."""
    connection = await connect(database, application_name="test", read_only=False)
    own, key = ColumnSet(TableName("public", "t"), ("c",)), ColumnSet(TableName("public", "r"), ("k",))
    try:
        await make(connection)
        catalog = await read_catalog(connection)
        subject = Subject(
            catalog=catalog,
            referencing=own,
            referenced=key,
            operators=resolve_operators(catalog, own, key) or (),
            statistics=await read_statistics(connection, catalog, [own, key]),
        )
        terms = Terms(timeout_seconds=120)
        plain, *others = possible_counts(subject)
        assert await run_count(connection, own.table, plain, terms) == (ROWS // 1000,)
        before = resident()
        counts = {await run_count(connection, own.table, count, terms) for count in (plain, *others)}
        await estimate_orphans(connection, subject, seconds=2)
        grown = resident() - before
    finally:
        await connection.close()

    assert counts == {(ROWS // 1000,)}
    assert len(others) >= 4
    assert grown < MOST_GROWTH, f"{grown / 2**20:.1f} MB"


async def make(connection: asyncpg.Connection) -> None:
    for statement in (
        "CREATE TABLE public.r (k integer PRIMARY KEY)",
        "INSERT INTO public.r SELECT generate_series(1, 999)",
        "CREATE TABLE public.t (c integer)",
        f"INSERT INTO public.t SELECT n % 1000 FROM generate_series(1, {ROWS}) AS n",
        "CREATE INDEX ON public.t (c)",
        "VACUUM (ANALYZE)",
    ):
        await connection.execute(statement)
