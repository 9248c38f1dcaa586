"""The planner judges which index serves a key's lookup, with sequential scans switched off."""

import json

import asyncpg
import pytest

from holdfastd.catalog.indexes import Comparison, prefix_index, serving_index
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

#: Case -> (indexes, key columns, index that helps). BRIN reads blocks, and what only one column finds is filtered row by row.
WEAK = {
    "brin": ("CREATE INDEX i ON public.t USING brin (a)", ONE, None),
    "included": ("CREATE INDEX i ON public.t (a) INCLUDE (b)", TWO, "i"),
    "half": ("CREATE INDEX i ON public.t (a)", TWO, "i"),
    "other half": ("CREATE INDEX i ON public.t USING hash (b)", TWO, "i"),
    "half of those there": ("CREATE INDEX i ON public.t (a) WHERE b IS NOT NULL", TWO, "i"),
    "gap": ("CREATE INDEX i ON public.t (a, x, b)", TWO, "i"),
    "wrong half": ("CREATE INDEX i ON public.t (x, a, b)", TWO, None),
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
    """BRIN, included columns and half a key are no service, though the planner may take them; an index on a leading part is named."""
    sql, columns, helping = WEAK[case]
    connection = await connect(database, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLE + sql)
        table = (await read_catalog(connection)).tables[TableName("public", "t")]
    finally:
        await connection.close()

    assert serving_index(table, columns) is None
    prefix = prefix_index(table, columns)
    assert (prefix.name if prefix else None) == helping


#: Case -> (type of the key, type of the column, index, serves): what the index compares by matters as well as what it holds.
COMPARED = {
    "same type": ("integer", "integer", "CREATE INDEX i ON public.u (a)", True),
    "wider key": ("bigint", "integer", "CREATE INDEX i ON public.u (a)", True),
    "narrower key": ("smallint", "bigint", "CREATE INDEX i ON public.u (a)", True),
    "hash of a wider key": ("bigint", "integer", "CREATE INDEX i ON public.u USING hash (a)", True),
    "a cast away": ("numeric", "integer", "CREATE INDEX i ON public.u (a)", False),
    "text": ("text", "varchar(20)", "CREATE INDEX i ON public.u (a)", True),
    "padded": ("char(5)", "varchar(5)", "CREATE INDEX i ON public.u (a)", False),
    "by letters": ("text", "text", "CREATE INDEX i ON public.u (a text_pattern_ops)", True),
    "another collation": ("text", "text", 'CREATE INDEX i ON public.u (a COLLATE "POSIX")', False),
    "hash of another collation": ("text", "text", 'CREATE INDEX i ON public.u USING hash (a COLLATE "POSIX")', False),
}


@pytest.mark.parametrize("case", COMPARED)
async def test_an_index_serves_where_it_compares_as_the_key_does(case: str, any_database: str) -> None:
    """The key's operator is in the index's family, in the column's collation; the planner, asked as the server asks, agrees."""
    key_type, type_, sql, expected = COMPARED[case]
    connection = await connect(any_database, application_name="test", read_only=False)
    try:
        await connection.execute(
            f"CREATE TABLE public.r (id {key_type} PRIMARY KEY); CREATE TABLE public.u (a {type_} REFERENCES public.r);"
            f"INSERT INTO public.r SELECT n FROM generate_series(1, 2000) AS n; INSERT INTO public.u SELECT id FROM public.r;{sql}; ANALYZE"
        )
        catalog = await read_catalog(connection)
        (key,) = catalog.foreign_keys
        (operator,) = key.operators
        await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        left, right = (f'pg_catalog."{name}"' for _, name in (operator.left, operator.right))
        condition = f"$1 OPERATOR(pg_catalog.{operator.name}) x.a{'' if expected else '::' + right}"
        await connection.execute(f"PREPARE lookup ({left}) AS SELECT 1 FROM ONLY public.u AS x WHERE {condition} FOR KEY SHARE OF x")
        plan = json.dumps(await connection.fetch("EXPLAIN EXECUTE lookup (NULL)"), default=str)
    finally:
        await connection.close()

    comparison = Comparison(operators=key.operators, types=catalog.types)
    assert (serving_index(catalog.tables[TableName("public", "u")], ("a",), comparison) is not None) == expected
    # An index whose order alone is used finds nothing: it is read from end to end.
    assert ("Index Cond" in plan) == expected


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
