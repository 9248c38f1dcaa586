"""The planner judges which index serves a key's lookup, with sequential scans switched off."""

import json

import asyncpg
import pytest

from holdfastd.catalog.indexes import serving_index
from holdfastd.catalog.read import read_catalog
from holdfastd.names import TableName
from holdfastd.target.session import connect

ONE, TWO = ("a",), ("a", "b")

#: Case -> (indexes, key columns, index that serves). Each index is one that some checker of missing indexes gets wrong.
CASES = {
    "none": ("", ONE, None),
    "plain": ("CREATE INDEX i ON public.t (a)", ONE, "i"),
    "prefix": ("CREATE INDEX i ON public.t (a, x)", ONE, "i"),
    "second column": ("CREATE INDEX i ON public.t (x, a)", ONE, None),
    "expression": ("CREATE INDEX i ON public.t ((a + 1))", ONE, None),
    "partial on something else": ("CREATE INDEX i ON public.t (a) WHERE active", ONE, None),
    "partial on the key being there": ("CREATE INDEX i ON public.t (a) WHERE a IS NOT NULL", ONE, "i"),
    "partial on both parts": ("CREATE INDEX i ON public.t (a, b) WHERE a IS NOT NULL AND b IS NOT NULL", TWO, "i"),
    "partial on another column": ("CREATE INDEX i ON public.t (a) WHERE x IS NOT NULL", ONE, None),
    "hash": ("CREATE INDEX i ON public.t USING hash (a)", ONE, "i"),
    "both parts": ("CREATE INDEX i ON public.t (a, b)", TWO, "i"),
    "other order": ("CREATE INDEX i ON public.t (b, a)", TWO, "i"),
    "unique": ("CREATE UNIQUE INDEX i ON public.t (b, a, x)", TWO, "i"),
}

#: Indexes that can be used, but not well enough: BRIN reads blocks, and what only one column finds is filtered row by row.
WEAK = {
    "brin": ("CREATE INDEX i ON public.t USING brin (a)", ONE),
    "included": ("CREATE INDEX i ON public.t (a) INCLUDE (b)", TWO),
    "half": ("CREATE INDEX i ON public.t (a)", TWO),
    "gap": ("CREATE INDEX i ON public.t (a, x, b)", TWO),
}

_TABLE = """
CREATE TABLE public.t (a integer, b integer, x integer, active boolean);
INSERT INTO public.t SELECT n, n, n, true FROM generate_series(1, 2000) AS n;
"""


async def plan_of(connection: asyncpg.Connection, columns: tuple[str, ...]) -> str:
    """Return the generic plan of the lookup that a key makes."""
    condition = " AND ".join(f"{column} = ${number}" for number, column in enumerate(columns, start=1))
    types, nulls = ", ".join(["integer"] * len(columns)), ", ".join(["NULL"] * len(columns))
    await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE lookup ({types}) AS SELECT 1 FROM ONLY public.t WHERE {condition} FOR KEY SHARE")
    return json.dumps(await connection.fetch(f"EXPLAIN EXECUTE lookup ({nulls})"), default=str)


@pytest.mark.parametrize("case", CASES)
async def test_an_index_serves_where_the_planner_uses_it(case: str, database: str) -> None:
    """Our answer is the expected one, and the planner agrees with it."""
    sql, columns, expected = CASES[case]
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLE + sql + "; ANALYZE public.t")
        table = (await read_catalog(connection)).tables[TableName("public", "t")]
        plan = await plan_of(connection, columns)
    finally:
        await connection.close()

    index = serving_index(table, columns)
    assert (index.name if index else None) == expected
    # Since 18 a btree may be skip-scanned for its second column; that is slower than a scan on a wide index.
    assert ("Index" in plan and " i " in plan) == (expected is not None) or case == "second column"


@pytest.mark.parametrize("case", WEAK)
async def test_a_weak_index_does_not_serve(case: str, database: str) -> None:
    """BRIN, included columns and half a key are no service, though the planner may take them for want of better."""
    sql, columns = WEAK[case]
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLE + sql)
        table = (await read_catalog(connection)).tables[TableName("public", "t")]
    finally:
        await connection.close()

    assert serving_index(table, columns) is None


async def test_an_invalid_index_does_not_serve(database: str) -> None:
    """What a failed concurrent build leaves is maintained, and never used."""
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLE + "INSERT INTO public.t VALUES (1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON public.t (a)")
        table = (await read_catalog(connection)).tables[TableName("public", "t")]
    finally:
        await connection.close()

    assert [index.name for index in table.indexes] == ["i"]
    assert serving_index(table, ONE) is None


async def test_an_index_of_a_partitioned_table_serves_when_all_partitions_have_it(database: str) -> None:
    """The root's index is valid only then; an index on one partition is no service."""
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(
            "CREATE TABLE public.t (a integer, b integer) PARTITION BY RANGE (b);"
            "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES FROM (0) TO (10);"
            "CREATE TABLE public.t2 PARTITION OF public.t FOR VALUES FROM (10) TO (20);"
            "CREATE INDEX i ON ONLY public.t (a); CREATE INDEX i1 ON public.t1 (a); ALTER INDEX public.i ATTACH PARTITION public.i1"
        )
        before = (await read_catalog(connection)).tables[TableName("public", "t")]
        await connection.execute("CREATE INDEX i2 ON public.t2 (a); ALTER INDEX public.i ATTACH PARTITION public.i2")
        after = (await read_catalog(connection)).tables[TableName("public", "t")]
    finally:
        await connection.close()

    assert serving_index(before, ONE) is None
    assert serving_index(after, ONE) is not None
