"""Databases that are hard to repair and hard to put back, one per trap. Every one of them has orphan rows."""

from dataclasses import dataclass

from holdfastd.catalog.model import OnDelete
from holdfastd.plan.model import OrphanAction, Override


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One database; `overrides` are what the policy says, `backed_up` the rows that applying must save."""

    name: str
    sql: str
    backed_up: int
    overrides: tuple[Override, ...] = ()


def delete(relationship: str) -> Override:
    """Include a relationship, cascade, and delete its orphan rows."""
    return Override(relationship_id=relationship, include=True, on_delete=OnDelete.CASCADE, orphan_action=OrphanAction.DELETE)


def nullify(relationship: str) -> Override:
    """Include a relationship and set its orphan rows NULL."""
    return Override(relationship_id=relationship, include=True, on_delete=OnDelete.SET_NULL, orphan_action=OrphanAction.SET_NULL)


CUSTOMERS = """
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) AS n;
"""

SCENARIOS = (
    Scenario(
        name="set null keeps the rows",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id serial PRIMARY KEY, customer_id integer, total numeric(10, 2) NOT NULL);
        INSERT INTO orders (customer_id, total) SELECT 1 + n % 60, n FROM generate_series(1, 600) AS n;
        """,
        overrides=(nullify("public.orders(customer_id)->public.customers(id)"),),
        backed_up=100,
    ),
    Scenario(
        name="exotic values come back to the letter",
        sql=CUSTOMERS
        + """
        CREATE TYPE mood AS ENUM ('glad', 'sad');
        CREATE TYPE point3 AS (x integer, y text, z double precision[]);
        CREATE TABLE orders (
          id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          customer_id integer NOT NULL,
          amount double precision, ratio real, exact numeric, document json, facts jsonb, raw bytea, tags text[], mood mood,
          spot point3, period int4range, at timestamptz, span interval, address inet, bits bit varying(9), odd "char",
          doubled integer GENERATED ALWAYS AS (customer_id * 2) STORED);
        INSERT INTO orders (customer_id, amount, ratio, exact, document, facts, raw, tags, mood, spot, period, at, span, address, bits, odd)
        SELECT customer_id, amount, 1.0::real / 3, 12345678901234567890.000100, '{"b": 1,  "a": 1, "a": 2}', '{"a": null}', '\\x00ff27',
          ARRAY['a,b', NULL, '"q"', '\\', ''], 'sad', ROW(1, 'x"y,(z)', ARRAY[0.1, 'NaN', '-Infinity']::double precision[])::point3,
          '[1,5)', '2026-03-29 01:30:00.123456+00', '1 mon -3 days 04:05:06.7', '10.0.0.1/8', B'101', '\\'
        FROM (VALUES (1, 0.1), (999, 'NaN'), (998, 5e-324), (997, '-0')) AS rows (customer_id, amount);
        """,
        overrides=(delete("public.orders(customer_id)->public.customers(id)"),),
        backed_up=3,
    ),
    Scenario(
        name="cascades three levels deep are in the backup",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
        CREATE TABLE order_items (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE);
        CREATE TABLE refunds (id integer PRIMARY KEY, order_item_id integer NOT NULL REFERENCES order_items ON DELETE CASCADE);
        CREATE TABLE letters (id integer PRIMARY KEY, order_id integer REFERENCES orders ON DELETE SET NULL, body text);
        INSERT INTO orders SELECT n, n FROM generate_series(45, 60) AS n;
        INSERT INTO order_items SELECT n, 45 + n % 16 FROM generate_series(1, 64) AS n;
        INSERT INTO refunds SELECT n, n FROM generate_series(1, 64, 2) AS n;
        INSERT INTO letters SELECT n, 45 + n % 16, 'letter' FROM generate_series(1, 32) AS n;
        """,
        overrides=(delete("public.orders(customer_id)->public.customers(id)"),),
        backed_up=10 + 40 + 20 + 20,
    ),
    Scenario(
        name="keys in a circle",
        sql=CUSTOMERS
        + """
        CREATE TABLE teams (id integer PRIMARY KEY, customer_id integer NOT NULL, leader integer);
        CREATE TABLE players (id integer PRIMARY KEY, team integer NOT NULL REFERENCES teams ON DELETE CASCADE);
        INSERT INTO teams SELECT n, 40 + n, NULL FROM generate_series(1, 20) AS n;
        INSERT INTO players SELECT n, 1 + n % 20 FROM generate_series(1, 60) AS n;
        UPDATE teams SET leader = 20 + id - 1;
        ALTER TABLE teams ADD FOREIGN KEY (leader) REFERENCES players ON DELETE CASCADE;
        """,
        overrides=(delete("public.teams(customer_id)->public.customers(id)"),),
        backed_up=10 + 30,
    ),
    Scenario(
        name="a tree loses its branches to the fixpoint",
        sql="""
        CREATE TABLE categories (id integer PRIMARY KEY, parent_id integer, name text);
        INSERT INTO categories SELECT n, nullif(n / 2, 0), 'category ' || n FROM generate_series(1, 63) AS n;
        DELETE FROM categories WHERE id = 2;
        """,
        overrides=(delete("public.categories(parent_id)->public.categories(id)"),),
        backed_up=30,
    ),
    Scenario(
        name="hostile names",
        sql="""
        CREATE SCHEMA "We""ird; DROP SCHEMA public; --";
        CREATE TABLE "We""ird; DROP SCHEMA public; --"."user'\\ $q0$ %s" ("id'); --" integer PRIMARY KEY);
        CREATE TABLE "We""ird; DROP SCHEMA public; --"."referencing" (
          "referencing" boolean, id integer PRIMARY KEY, "user'\\ $q0$ %s_id" integer);
        ALTER TABLE "We""ird; DROP SCHEMA public; --"."user'\\ $q0$ %s" RENAME "id'); --" TO "id";
        INSERT INTO "We""ird; DROP SCHEMA public; --"."user'\\ $q0$ %s" VALUES (1), (2);
        INSERT INTO "We""ird; DROP SCHEMA public; --"."referencing" VALUES (true, 1, 1), (false, 2, 3), (NULL, 3, NULL);
        """,
        overrides=(
            delete(
                '"We""ird; DROP SCHEMA public; --".referencing("user\'\\ $q0$ %s_id")'
                '->"We""ird; DROP SCHEMA public; --"."user\'\\ $q0$ %s"(id)'
            ),
        ),
        backed_up=1,
    ),
    Scenario(
        name="a row that is orphan twice is saved once",
        sql=CUSTOMERS
        + """
        CREATE TABLE shops (id integer PRIMARY KEY);
        INSERT INTO shops SELECT generate_series(1, 5);
        CREATE TABLE visits (id integer PRIMARY KEY, customer_id integer NOT NULL, shop_id integer NOT NULL);
        INSERT INTO visits VALUES (1, 1, 1), (2, 99, 1), (3, 1, 99), (4, 99, 99);
        """,
        overrides=(delete("public.visits(customer_id)->public.customers(id)"), delete("public.visits(shop_id)->public.shops(id)")),
        backed_up=3,
    ),
    Scenario(
        name="no primary key, duplicate rows",
        sql=CUSTOMERS
        + """
        CREATE TABLE visits (customer_id integer NOT NULL, note text);
        INSERT INTO visits SELECT 48 + n % 5, 'same' FROM generate_series(1, 50) AS n;
        """,
        overrides=(delete("public.visits(customer_id)->public.customers(id)"),),
        backed_up=20,
    ),
    Scenario(
        name="repointed to another row",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
        INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
        """,
        overrides=(
            Override(
                relationship_id="public.orders(customer_id)->public.customers(id)",
                include=True,
                on_delete=OnDelete.RESTRICT,
                orphan_action=OrphanAction.REPOINT,
                repoint_to=("1",),
            ),
        ),
        backed_up=10,
    ),
    Scenario(
        name="left as they are, the key not validated",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
        INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
        """,
        overrides=(
            Override(relationship_id="public.orders(customer_id)->public.customers(id)", include=True, orphan_action=OrphanAction.LEAVE),
        ),
        backed_up=0,
    ),
    Scenario(
        name="a declared key that is not validated",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
        INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
        ALTER TABLE orders ADD CONSTRAINT their_key FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;
        """,
        backed_up=10,
    ),
    Scenario(
        name="padded keys compare as the key compares them",
        sql="""
        CREATE TABLE countries (code char(4) PRIMARY KEY, name text);
        INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France');
        CREATE TABLE cities (id integer PRIMARY KEY, country_code text NOT NULL);
        INSERT INTO cities VALUES (1, 'DE'), (2, 'DE  '), (3, 'FR'), (4, 'XX');
        """,
        overrides=(delete("public.cities(country_code)->public.countries(code)"),),
        backed_up=1,
    ),
    Scenario(
        name="set null spares the column that two keys share",
        sql="""
        CREATE TABLE companies (id integer PRIMARY KEY);
        CREATE TABLE sites (company_id integer NOT NULL REFERENCES companies, site_id text NOT NULL, PRIMARY KEY (company_id, site_id));
        CREATE TABLE machines (id integer PRIMARY KEY, company_id integer NOT NULL REFERENCES companies, site_id text);
        INSERT INTO companies VALUES (1), (2);
        INSERT INTO sites VALUES (1, 'a'), (2, 'a');
        INSERT INTO machines VALUES (1, 1, 'a'), (2, 1, 'gone'), (3, 2, 'lost'), (4, 2, NULL), (5, 2, 'a');
        """,
        overrides=(nullify("public.machines(company_id, site_id)->public.sites(company_id, site_id)"),),
        backed_up=2,
    ),
    Scenario(
        name="declared keys with options, not validated",
        sql="""
        CREATE TABLE companies (id integer PRIMARY KEY);
        CREATE TABLE sites (company_id integer, number text, name text, PRIMARY KEY (company_id, number));
        CREATE TABLE machines (id integer PRIMARY KEY, company_id integer NOT NULL, site_number text, spare_company integer, spare text);
        CREATE TABLE tools (id integer PRIMARY KEY, company_id integer);
        INSERT INTO companies VALUES (1), (2);
        INSERT INTO sites VALUES (1, 'a'), (2, 'a');
        INSERT INTO machines VALUES (1, 1, 'a', 1, 'a'), (2, 1, 'gone', NULL, NULL), (3, 2, 'a', 2, 'lost'), (4, 2, 'lost', 1, 'a');
        INSERT INTO tools VALUES (1, 1), (2, 3), (3, 4);
        ALTER TABLE machines ADD CONSTRAINT "the site's key" FOREIGN KEY (company_id, site_number) REFERENCES sites
          ON UPDATE CASCADE ON DELETE SET NULL (site_number) DEFERRABLE NOT VALID;
        COMMENT ON CONSTRAINT "the site's key" ON machines IS 'ask the owner''s team before touching it';
        ALTER TABLE machines ADD CONSTRAINT spare FOREIGN KEY (spare_company, spare) REFERENCES sites MATCH FULL
          ON UPDATE SET NULL ON DELETE SET NULL NOT VALID;
        ALTER TABLE tools ADD FOREIGN KEY (company_id) REFERENCES companies ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;
        """,
        backed_up=2 + 1 + 2,
    ),
    Scenario(
        name="inherited rows are not the key's",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
        CREATE TABLE old_orders (archived date) INHERITS (orders);
        CREATE TABLE old_customers () INHERITS (customers);
        INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
        INSERT INTO old_orders SELECT n, n, '2020-01-01' FROM generate_series(141, 160) AS n;
        INSERT INTO old_customers SELECT n, 'old' FROM generate_series(51, 55) AS n;
        """,
        overrides=(delete("public.orders(customer_id)->public.customers(id)"),),
        backed_up=10,
    ),
    Scenario(
        name="unlogged rows reference logged ones",
        sql=CUSTOMERS
        + """
        CREATE UNLOGGED TABLE visits (id integer PRIMARY KEY, customer_id integer);
        INSERT INTO visits SELECT n, n FROM generate_series(41, 60) AS n;
        """,
        overrides=(nullify("public.visits(customer_id)->public.customers(id)"),),
        backed_up=10,
    ),
    Scenario(
        name="names with line breaks and of 63 bytes",
        sql="""
        CREATE TABLE "line\nbreak" ("id" integer PRIMARY KEY);
        CREATE TABLE "rows of\tsixty-three bytes in all, as long as a name can ever be" (
          id integer PRIMARY KEY, "line\nbreak_id" integer);
        INSERT INTO "line\nbreak" VALUES (1), (2);
        INSERT INTO "rows of\tsixty-three bytes in all, as long as a name can ever be" VALUES (1, 1), (2, 3), (3, NULL);
        """,
        overrides=(
            delete('public."rows of\tsixty-three bytes in all, as long as a name can ever be"("line\nbreak_id")->public."line\nbreak"(id)'),
        ),
        backed_up=1,
    ),
    Scenario(
        name="published with a replica identity, guarded by policies",
        sql=CUSTOMERS
        + """
        CREATE TABLE orders (number integer NOT NULL, customer_id integer NOT NULL, total numeric GENERATED ALWAYS AS (number * 2) STORED);
        CREATE UNIQUE INDEX orders_number ON orders (number);
        ALTER TABLE orders REPLICA IDENTITY USING INDEX orders_number;
        CREATE PUBLICATION news FOR TABLE orders;
        ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
        CREATE POLICY small ON orders USING (number < 50);
        INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
        """,
        overrides=(delete("public.orders(customer_id)->public.customers(id)"),),
        backed_up=10,
    ),
    Scenario(
        name="deferred checks hold rows together",
        sql=CUSTOMERS
        + """
        CREATE TABLE folders (id integer PRIMARY KEY, customer_id integer NOT NULL, inside integer
          REFERENCES folders DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO folders SELECT n, 99, nullif((n + 7) % 21, 0) FROM generate_series(1, 20) AS n;
        """,
        overrides=(delete("public.folders(customer_id)->public.customers(id)"),),
        backed_up=20,
    ),
)
