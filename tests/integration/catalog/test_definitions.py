"""Views and functions as PostgreSQL prints them, and the joins in them, on every version."""

import pytest

from holdfastd.catalog import definitions
from holdfastd.catalog.definitions import QUERIES
from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.inference.hints.joins import find_joins
from holdfastd.target.session import connect

_TABLES = """
CREATE SCHEMA shop;
CREATE TABLE shop.person (id integer PRIMARY KEY, name text);
CREATE TABLE shop.branch (id integer PRIMARY KEY, manager integer, "Region" integer);
CREATE TABLE shop.sale (id bigint PRIMARY KEY, buyer integer, branch integer, day date, till integer, clerk integer);
CREATE TABLE shop.till (branch integer, number integer, PRIMARY KEY (branch, number));
CREATE TABLE shop."Region" ("Id" integer PRIMARY KEY, name text);
"""
#: Written by people: joins by ON, USING and WHERE, subqueries, a view on views, a materialized view, functions in two languages.
_DEFINITIONS = """
CREATE VIEW shop.sales AS
    SELECT s.id, p.name AS buyer, s.branch AS branch_id, (SELECT count(*) FROM shop.person AS c WHERE c.id = s.clerk) AS clerks
    FROM shop.sale AS s LEFT JOIN shop.person AS p ON p.id = s.buyer;
CREATE VIEW shop.sales_by_branch AS
    SELECT b.id, b.manager AS head, count(*) AS sales FROM shop.sales AS v JOIN shop.branch AS b ON b.id = v.branch_id GROUP BY b.id;
CREATE VIEW shop.tills AS SELECT branch, number, name FROM shop.till, shop.person WHERE false;
CREATE MATERIALIZED VIEW shop.best AS
    SELECT 1 AS one FROM (SELECT till AS number, branch FROM shop.sale) AS s JOIN shop.till USING (branch, number);
CREATE VIEW shop.regions AS
    SELECT r.name FROM shop.branch AS b NATURAL JOIN (SELECT "Id" AS "Region", name FROM shop."Region") AS r;
CREATE FUNCTION shop.head_of(bigint) RETURNS text LANGUAGE sql STABLE AS
    'SELECT p.name FROM shop.sales_by_branch v JOIN shop.person p ON p.id = v.head WHERE v.id = $1';
CREATE FUNCTION shop.reward() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM sale) THEN
        UPDATE shop.person SET name = 'x' FROM shop.branch AS b WHERE b.manager = person.id;
    END IF;
    RETURN 1;
END $$;
CREATE FUNCTION shop.counted() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT count(*) FROM shop.till AS t WHERE t.branch IN (SELECT b.id FROM shop.branch AS b);
END;
CREATE FUNCTION shop.left_out() RETURNS trigger LANGUAGE internal AS 'suppress_redundant_updates_trigger';
CREATE TEMP VIEW passing AS SELECT 1 AS one;
"""


async def catalog_of(dsn: str, sql: str) -> Catalog:
    connection = await connect(dsn, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLES + sql)
        return await read_catalog(connection, with_definitions=True)
    finally:
        await connection.close()


async def test_every_query_is_accepted(any_database: str) -> None:
    """Each static query prepares on each version."""
    connection = await connect(any_database, application_name="test", read_only=True)
    try:
        for sql in QUERIES.values():
            await connection.prepare(sql)
    finally:
        await connection.close()


async def test_views_and_functions_are_read(any_database: str) -> None:
    """By schema and name, of every kind; temporary ones and other languages are left out."""
    catalog = await catalog_of(any_database, _DEFINITIONS)

    assert [(each.schema, each.kind, each.name) for each in catalog.definitions] == [
        ("shop", "materialized view", "best"),
        ("shop", "function", "counted"),
        ("shop", "function", "head_of"),
        ("shop", "view", "regions"),
        ("shop", "function", "reward"),
        ("shop", "view", "sales"),
        ("shop", "view", "sales_by_branch"),
        ("shop", "view", "tills"),
    ]
    texts = {each.name: each.sql for each in catalog.definitions}
    assert "shop.person" in texts["sales"]
    assert "count(*)" in texts["counted"]
    assert "UPDATE shop.person" in texts["reward"]


async def test_joins_are_found_in_what_the_server_prints(any_database: str) -> None:
    """Each version prints views in its own way; the joins are the same."""
    joins = find_joins(await catalog_of(any_database, _DEFINITIONS))

    assert {join.id: join.used_by for join in joins.values()} == {
        "shop.sale(buyer)->shop.person(id)": ("view shop.sales",),
        "shop.sale(clerk)->shop.person(id)": ("view shop.sales",),
        "shop.sale(branch)->shop.branch(id)": ("view shop.sales_by_branch",),
        "shop.sale(branch, till)->shop.till(branch, number)": ("materialized view shop.best",),
        'shop.branch("Region")->shop."Region"("Id")': ("view shop.regions",),
        "shop.branch(manager)->shop.person(id)": ("function shop.head_of", "function shop.reward"),
        "shop.till(branch)->shop.branch(id)": ("function shop.counted",),
    }


#: Selects that join sales with their buyers, and say it in PostgreSQL's own ways.
_WAYS = (
    "SELECT FROM shop.sale AS s JOIN shop.person AS p ON p.id::text = s.buyer::text",
    "SELECT FROM shop.sale AS s JOIN shop.person AS p ON p.id IS NOT DISTINCT FROM s.buyer",
    "SELECT FROM shop.sale AS s JOIN shop.person AS p ON p.id = coalesce(s.buyer, -1)",
    "SELECT FROM shop.sale AS s CROSS JOIN LATERAL (SELECT FROM shop.person AS p WHERE p.id = s.buyer LIMIT 1) AS x",
    "SELECT FROM shop.sale AS s WHERE s.buyer = ANY (SELECT p.id FROM shop.person AS p)",
    "SELECT FROM shop.sale AS s WHERE (s.buyer, 1) NOT IN (SELECT p.id, 1 FROM shop.person AS p)",
    "WITH s (a, b) AS (SELECT id, buyer FROM shop.sale) SELECT FROM s JOIN shop.person AS p ON p.id = s.b",
    "SELECT FROM (SELECT buyer, id FROM shop.sale) AS s (a, b) JOIN shop.person AS p (c, d) ON c = a",
    "SELECT FROM shop.sale AS s (a, b) JOIN shop.person AS p ON p.id = s.b",
    "SELECT FROM (SELECT clerk FROM shop.sale WHERE false UNION ALL SELECT buyer FROM shop.sale) AS s JOIN shop.person AS p ON p.id = s.clerk",
    "SELECT DISTINCT ON (s.id) s.id, count(*) FILTER (WHERE p.name ~ '^a') OVER (PARTITION BY s.day ORDER BY s.id ROWS 1 PRECEDING)"
    " FROM shop.sale AS s JOIN shop.person AS p ON p.id = s.buyer",
    "SELECT s.day + interval '1 day' AS a, s.day AT TIME ZONE 'UTC' AS b, ARRAY(SELECT 1) AS c, p.name COLLATE \"C\" AS d, extract(year FROM s.day)"
    " AS e, json_build_object('a', p.name) ->> 'a' AS f FROM shop.sale AS s JOIN shop.person AS p ON p.id = s.buyer",
    "SELECT FROM shop.sale AS s TABLESAMPLE SYSTEM (10) JOIN shop.person AS p ON p.id = s.buyer, generate_series(1, 2) WITH ORDINALITY AS g (a, b)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.id) FROM shop.sale AS s JOIN shop.person AS p ON p.id = s.buyer"
    " GROUP BY GROUPING SETS ((s.day), ()) ORDER BY s.day NULLS FIRST FETCH FIRST 3 ROWS WITH TIES",
    "WITH RECURSIVE t (id, of, path) AS (SELECT id, buyer, ARRAY[id] FROM shop.sale UNION ALL SELECT s.id, s.buyer, path || s.id FROM shop.sale AS s"
    " JOIN t ON t.id = s.till) CYCLE id SET is_cycle USING passed SELECT FROM t JOIN shop.person AS p ON p.id = t.of",
)


async def test_what_the_server_prints_is_understood(any_database: str) -> None:
    """Casts, renamed columns, windows, aggregates, samples, cycles: the parser must know PostgreSQL's own grammar."""
    views = "".join(f"CREATE VIEW shop.way{number:02} AS {sql};" for number, sql in enumerate(_WAYS))
    # A renamed column makes the server print lists of columns for tables.
    catalog = await catalog_of(any_database, views + "ALTER TABLE shop.person RENAME COLUMN id TO number")

    joins = find_joins(catalog)
    understood = set(joins["shop.sale(buyer)->shop.person(number)"].used_by)
    assert [sql for number, sql in enumerate(_WAYS) if f"view shop.way{number:02}" not in understood] == []


async def test_definitions_are_read_only_when_asked_for(any_database: str) -> None:
    """A plan does not need them."""
    connection = await connect(any_database, application_name="test", read_only=False)
    try:
        await connection.execute(_TABLES + _DEFINITIONS)
        catalog = await read_catalog(connection)
    finally:
        await connection.close()

    assert catalog.definitions == ()


async def test_what_an_extension_brought_is_left_out(any_database: str) -> None:
    """Its views join its tables, not the user's."""
    sql = "CREATE FUNCTION shop.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE VIEW shop.v AS SELECT 1 AS one;"
    mine = await catalog_of(
        any_database,
        sql + "ALTER EXTENSION plpgsql ADD FUNCTION shop.f(); ALTER EXTENSION plpgsql ADD VIEW shop.v; CREATE VIEW shop.w AS SELECT 1",
    )

    assert [each.name for each in mine.definitions] == ["w"]


async def test_a_view_over_a_held_table_is_left_out(any_database: str) -> None:
    """Hints are not worth a wait: whoever rewrites a table hides the views on it, and only those."""
    holder = await connect(any_database, application_name="holder", read_only=False)
    reader = await connect(any_database, application_name="reader", read_only=True)
    try:
        await holder.execute(
            _TABLES + "CREATE VIEW shop.held AS SELECT id FROM shop.sale; CREATE VIEW shop.free AS SELECT id FROM shop.person"
        )
        async with holder.transaction():
            await holder.execute("LOCK TABLE shop.sale IN ACCESS EXCLUSIVE MODE")
            found = await definitions.read_definitions(reader)
    finally:
        await holder.close()
        await reader.close()

    assert [each.name for each in found] == ["free"]


async def test_too_much_text_is_not_read(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest are left out first."""
    monkeypatch.setattr(definitions, "_MOST_BYTES", 5_000)
    catalog = await catalog_of(
        any_database,
        "".join(
            f"CREATE FUNCTION shop.f{size}() RETURNS integer LANGUAGE sql AS 'SELECT 1 -- {'x' * size}';"
            for size in (100, 4_000, 1_000, 2_000)
        ),
    )

    assert [each.name for each in catalog.definitions] == ["f100", "f1000", "f2000"]
