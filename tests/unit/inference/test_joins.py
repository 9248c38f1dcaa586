"""Which relationships views and functions join by."""

import pytest

from holdfastd.catalog.model import Catalog
from holdfastd.inference.hints.joins import find_joins
from support.builders import a_catalog, a_function, a_table, a_view, with_definitions

ITEM_TO_ORDER = "shop.item(order_nr)->shop.orders(id)"
ITEM_TO_PRICE = "shop.item(product, region)->shop.price(product, region)"


@pytest.fixture
def shop() -> Catalog:
    """Orders with items, a price per product and region, a note per order; no key declared."""
    return a_catalog(
        a_table("shop.orders", "customer integer", "placed text"),
        a_table("shop.item", "order_nr integer", "product integer", "region integer", "replaces integer"),
        a_table("shop.price", "product integer", "region integer", "amount numeric", key=("product", "region")),
        a_table("shop.note", "order_id integer", "body text", key="order_id"),
    )


def joins_of(catalog: Catalog, sql: str) -> set[str]:
    return set(find_joins(with_definitions(catalog, a_view("shop.v", sql))))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM shop.item JOIN shop.orders ON orders.id = item.order_nr",
        "SELECT 1 FROM shop.item i LEFT JOIN shop.orders o ON ((i.order_nr)::text = (o.id)::text) AND o.placed = 'x'",
        "SELECT 1 FROM ((shop.price p CROSS JOIN shop.item i) RIGHT JOIN shop.orders o ON ((o.id = i.order_nr)))",
        "SELECT 1 FROM shop.item i, shop.orders o WHERE o.id = i.order_nr AND i.region > 3",
        "SELECT order_nr FROM shop.item WHERE order_nr IN ( SELECT orders.id FROM shop.orders)",
        "SELECT order_nr FROM shop.item WHERE NOT (order_nr IN ( SELECT orders.id FROM shop.orders))",
        "SELECT 1 FROM shop.item i WHERE i.order_nr = ANY (SELECT o.id FROM shop.orders o)",
        "SELECT 1 FROM shop.item i WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.id = i.order_nr)",
        "SELECT (SELECT o.placed FROM shop.orders o WHERE o.id = i.order_nr) FROM shop.item i",
        "SELECT 1 FROM shop.item i CROSS JOIN LATERAL (SELECT 1 FROM shop.orders o WHERE o.id = i.order_nr) x",
        "SELECT 1 FROM (SELECT i.order_nr AS nr FROM shop.item i) s JOIN shop.orders o ON s.nr = o.id",
        "WITH s AS (SELECT * FROM shop.item), t AS (SELECT order_nr AS nr FROM s) SELECT 1 FROM t JOIN shop.orders ON orders.id = t.nr",
        "SELECT 1 FROM (SELECT id FROM shop.note_v UNION ALL SELECT order_nr FROM shop.item) s JOIN shop.orders o ON o.id = s.id",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON o.id = i.order_nr OR o.id IS NULL",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON (NOT (o.id IS DISTINCT FROM i.order_nr))",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON COALESCE(i.order_nr, 0) = o.id",
        "WITH s(a, b) AS (SELECT id, order_nr FROM shop.item) SELECT 1 FROM s JOIN shop.orders ON orders.id = s.b",
        "SELECT 1 FROM (SELECT product, order_nr FROM shop.item) s(a, b) JOIN shop.orders ON orders.id = s.b",
        "SELECT 1 FROM shop.item s(a, b) JOIN shop.orders o(x, customer, placed) ON o.x = s.b",
    ],
)
def test_a_join_with_a_key_is_found(shop: Catalog, sql: str) -> None:
    """However it is written, and whatever stands between the column and its table."""
    assert joins_of(shop, sql) == {ITEM_TO_ORDER}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM shop.item a JOIN shop.item b ON a.order_nr = b.order_nr",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON o.id > i.order_nr",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON o.id = i.order_nr + 1",
        "SELECT 1 FROM shop.item i JOIN shop.orders o ON NOT (o.id = i.order_nr)",
        "SELECT 1 FROM shop.item i JOIN shop.price p ON p.product = i.product",
        "SELECT o.id = i.order_nr FROM shop.item i, shop.orders o",
        "SELECT 1 FROM shop.orders a JOIN shop.orders b ON a.id = b.id",
        "SELECT 1 FROM gone.item i JOIN gone.orders o ON o.id = i.order_nr",
        "SELECT 1 FROM (((",
        "",
    ],
)
def test_what_is_no_join_with_a_key_says_nothing(shop: Catalog, sql: str) -> None:
    """Neither side unique, half a key, other operators, a row with itself, what is not in the catalog or does not parse."""
    assert joins_of(shop, sql) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM shop.item i JOIN shop.price p ON p.region = i.region AND i.product = p.product",
        "SELECT 1 FROM shop.item JOIN shop.price USING (region, product)",
        "SELECT 1 FROM shop.item i WHERE ((i.region, i.product) IN ( SELECT p.region, p.product FROM shop.price p))",
        "SELECT 1 FROM shop.item i JOIN shop.price p ON p.product = i.product WHERE p.region = i.region",
    ],
)
def test_a_key_of_two_columns_is_joined_by_both(shop: Catalog, sql: str) -> None:
    """The columns come in the order of the key."""
    assert joins_of(shop, sql) == {ITEM_TO_PRICE}


def test_alternatives_are_not_one_key(shop: Catalog) -> None:
    """What stands under OR holds by itself: half of a key, twice."""
    assert joins_of(shop, "SELECT 1 FROM shop.item i JOIN shop.price p ON p.region = i.region OR p.product = i.product") == set()


def test_the_columns_of_two_aliases_are_not_one_key(shop: Catalog) -> None:
    """Two joins with one table are two."""
    sql = "SELECT 1 FROM shop.item i JOIN shop.price a ON a.region = i.region JOIN shop.price b ON b.product = i.product"

    assert joins_of(shop, sql) == set()


def test_a_table_may_be_joined_with_itself(shop: Catalog) -> None:
    """By another column than the key."""
    assert joins_of(shop, "SELECT 1 FROM shop.item a JOIN shop.item b ON b.id = a.replaces") == {"shop.item(replaces)->shop.item(id)"}


def test_two_keys_reference_each_other(shop: Catalog) -> None:
    """A join of two unique keys does not say which of them is referenced."""
    assert joins_of(shop, "SELECT 1 FROM shop.orders o JOIN shop.note n ON n.order_id = o.id") == {
        "shop.orders(id)->shop.note(order_id)",
        "shop.note(order_id)->shop.orders(id)",
    }


def test_views_are_looked_through(shop: Catalog) -> None:
    """A view on a view on a table has the table's columns; who joins is told, views first."""
    catalog = with_definitions(
        shop,
        a_function("shop.f", "SELECT 1 FROM item, orders WHERE item.order_nr = orders.id"),
        a_view("shop.first_step", "SELECT i.order_nr AS nr FROM shop.item i"),
        a_view("shop.second_step", "SELECT m.* FROM shop.first_step m"),
        a_view("shop.last_step", "SELECT 1 FROM shop.second_step JOIN shop.orders ON second_step.nr = orders.id"),
    )

    assert {join.id: join.used_by for join in find_joins(catalog).values()} == {ITEM_TO_ORDER: ("view shop.last_step", "function shop.f")}


def test_a_view_on_itself_ends(shop: Catalog) -> None:
    """PostgreSQL has no such views; a text that is wrong must not hang us."""
    assert joins_of(shop, "SELECT v.x FROM shop.v JOIN shop.orders ON orders.id = v.x") == set()


def test_a_recursive_query_ends(shop: Catalog) -> None:
    """The recursive half reads what the first half gave."""
    sql = """
        WITH RECURSIVE chain AS (
            SELECT id, replaces FROM shop.item UNION ALL SELECT i.id, i.replaces FROM shop.item i JOIN chain c ON i.id = c.replaces
        ) SELECT * FROM chain
    """

    assert joins_of(shop, sql) == {"shop.item(replaces)->shop.item(id)"}


def test_statements_of_a_function_are_read(shop: Catalog) -> None:
    """In PL/pgSQL, statements stand between other things; names are looked for in the function's schema, in lower case."""
    body = """
        DECLARE r record; n integer := 0; -- SELECT 1 FROM item, note WHERE item.product = note.order_id;
        BEGIN
            IF EXISTS (SELECT 1 FROM Item WHERE ITEM.order_nr = (SELECT o.ID FROM orders o WHERE o.placed = 'a;b')) THEN RETURN 1; END IF;
            FOR r IN SELECT * FROM note LOOP
                UPDATE item SET region = 1 FROM price p WHERE p.product = item.product AND p.region = item.replaces;
            END LOOP;
            DELETE FROM item a USING item b WHERE a.replaces = b.id;
            SELECT count(*) INTO STRICT n FROM item JOIN note ON note.order_id = item.region;
            RAISE NOTICE 'SELECT 1 FROM item JOIN note ON note.order_id = item.product';
            RETURN n;
        END
    """

    assert set(find_joins(with_definitions(shop, a_function("shop.f", body)))) == {
        ITEM_TO_ORDER,
        "shop.item(product, replaces)->shop.price(product, region)",
        "shop.item(replaces)->shop.item(id)",
        "shop.item(region)->shop.note(order_id)",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE item SET region = 1 FROM orders o WHERE o.id = item.order_nr",
        "UPDATE item SET region = (SELECT o.customer FROM orders o WHERE o.id = item.order_nr)",
        "DELETE FROM item USING orders o WHERE o.id = item.order_nr",
        "MERGE INTO item i USING orders o ON o.id = i.order_nr WHEN MATCHED THEN DELETE",
        "INSERT INTO note SELECT o.id FROM item JOIN orders o ON o.id = item.order_nr",
        "WITH old AS (SELECT * FROM item) UPDATE price SET amount = 0 FROM old JOIN orders o ON o.id = old.order_nr",
    ],
)
def test_statements_that_change_rows_join_too(shop: Catalog, statement: str) -> None:
    """UPDATE … FROM, DELETE … USING, MERGE and INSERT … SELECT are read like queries."""
    assert set(find_joins(with_definitions(shop, a_function("shop.f", f"BEGIN {statement}; END")))) == {ITEM_TO_ORDER}


def test_what_cannot_be_parsed_is_not_printed(shop: Catalog, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """SQL may hold values; the parser's complaints would quote it."""
    joins_of(shop, "CREATE SECRET 'hunter2' FROM")
    joins_of(shop, "SELECT 'hunter2' FROM (VALUES (1)) AS v JOIN LATERAL ROWS FROM (f('hunter2')) ON")

    assert "hunter2" not in caplog.text + "".join(capfd.readouterr())


def test_there_is_a_limit(shop: Catalog) -> None:
    """A text of megabytes is left out, as are texts beyond the limit; the shorter ones come first."""
    join = "SELECT 1 FROM shop.item JOIN shop.orders ON orders.id = item.order_nr"
    many = [a_view(f"shop.v{number}", f"SELECT {number} AS a FROM shop.orders WHERE true AND true AND true") for number in range(2_000)]
    padding = " AND true" * 30_000

    assert set(find_joins(with_definitions(shop, a_view("shop.short", join), a_view("shop.long", join + padding)))) == {ITEM_TO_ORDER}
    assert find_joins(with_definitions(shop, a_view("shop.long", join + padding))) == {}
    assert find_joins(with_definitions(shop, *many, a_view("shop.last", join + " AND true" * 20))) == {}
