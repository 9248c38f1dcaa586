"""Small databases for the crash loops, each with another reason why a crash in the middle could hurt.

`keys` is what is true of a database, said once more for the checker, which must not ask the service. The first column of every table
tells its rows apart.
"""

from dataclasses import dataclass

from chaos.checker import Key
from holdfastd.catalog.model import OnDelete
from holdfastd.plan.model import OrphanAction, Override
from integration.execute.scenarios import delete, nullify


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One database, what the policy says about its orphan rows, and what is true of it."""

    name: str
    sql: str
    overrides: tuple[Override, ...]
    keys: tuple[Key, ...]
    #: Inserts what the orphan rows reference.
    bring_back: str = ""


def _key(columns: str, *, on_delete: str = "cascade", orphans: str = "") -> Key:
    """Read `orders.customer_id -> customers.id`."""
    left, right = columns.split(" -> ")
    (referencing, column), (referenced, key) = left.split("."), right.split(".")
    return Key(
        referencing=f"public.{referencing}",
        columns=(column,),
        referenced=f"public.{referenced}",
        referenced_columns=(key,),
        on_delete=on_delete,
        orphans=orphans,
    )


def _repoint(relationship: str, to: str) -> Override:
    action = OrphanAction.REPOINT
    return Override(relationship_id=relationship, include=True, on_delete=OnDelete.RESTRICT, orphan_action=action, repoint_to=(to,))


SIMPLE = Sample(
    name="simple",
    sql="""
    CREATE TABLE stations (id integer PRIMARY KEY);
    INSERT INTO stations SELECT generate_series(1, 20);
    CREATE TABLE reports (id serial PRIMARY KEY, station_id integer NOT NULL, note text);
    INSERT INTO reports (station_id, note) SELECT 10 + n, 'report ' || n FROM generate_series(1, 20) AS n;
    """,
    overrides=(delete("public.reports(station_id)->public.stations(id)"),),
    keys=(_key("reports.station_id -> stations.id", orphans="delete"),),
    bring_back="INSERT INTO stations SELECT generate_series(21, 30)",
)

#: Deleting an order takes two levels along and sets a third NULL; wide rows make several batches.
CASCADES = Sample(
    name="cascades",
    sql="""
    CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 700) AS n;
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id integer NOT NULL);
    CREATE TABLE order_items (id integer PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE, price numeric(9, 2));
    CREATE TABLE refunds (id integer PRIMARY KEY, order_item_id integer NOT NULL REFERENCES order_items ON DELETE CASCADE);
    CREATE TABLE letters (id integer PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE SET NULL, body text);
    INSERT INTO orders (customer_id) SELECT n FROM generate_series(1, 1300) AS n;
    INSERT INTO order_items SELECT n, 1 + n % 1300, n FROM generate_series(1, 900) AS n;
    INSERT INTO refunds SELECT n, n FROM generate_series(1, 900, 3) AS n;
    INSERT INTO letters SELECT n, 600 + n, 'letter' FROM generate_series(1, 200) AS n;
    CREATE INDEX ON order_items (order_id);
    CREATE INDEX ON refunds (order_item_id);
    CREATE INDEX ON letters (order_id);
    """,
    overrides=(delete("public.orders(customer_id)->public.customers(id)"),),
    keys=(
        _key("orders.customer_id -> customers.id", orphans="delete"),
        _key("order_items.order_id -> orders.id"),
        _key("refunds.order_item_id -> order_items.id"),
        _key("letters.order_id -> orders.id", on_delete="null"),
    ),
    bring_back="INSERT INTO customers SELECT n, 'again' FROM generate_series(701, 1300) AS n",
)

#: Rows are changed, not deleted: one relationship set NULL, one pointed elsewhere, in the same rows.
CHANGES = Sample(
    name="changes",
    sql="""
    CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
    CREATE TABLE shops (id integer PRIMARY KEY);
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) AS n;
    INSERT INTO shops SELECT generate_series(1, 5);
    CREATE TABLE orders (id serial PRIMARY KEY, customer_id integer, shop_id integer NOT NULL, total numeric(10, 2) NOT NULL);
    INSERT INTO orders (customer_id, shop_id, total) SELECT 1 + n % 60, 1 + n % 6, n FROM generate_series(1, 120) AS n;
    """,
    overrides=(
        nullify("public.orders(customer_id)->public.customers(id)"),
        _repoint("public.orders(shop_id)->public.shops(id)", "1"),
    ),
    keys=(
        _key("orders.customer_id -> customers.id", on_delete="null", orphans="null"),
        _key("orders.shop_id -> shops.id", on_delete="restrict", orphans="1"),
    ),
)

#: Nothing to add, only to validate; a rollback drops the key and adds it again as it was.
DECLARED = Sample(
    name="declared",
    sql="""
    CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) AS n;
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
    ALTER TABLE orders ADD CONSTRAINT their_key FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE NOT VALID;
    """,
    overrides=(),
    keys=(_key("orders.customer_id -> customers.id", orphans="delete"),),
)

#: Teams have leaders, leaders are players, players are in teams: whatever goes first, something still points at it.
CIRCLE = Sample(
    name="circle",
    sql="""
    CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) AS n;
    CREATE TABLE teams (id integer PRIMARY KEY, customer_id integer NOT NULL, leader integer);
    CREATE TABLE players (id integer PRIMARY KEY, team integer NOT NULL REFERENCES teams ON DELETE CASCADE);
    INSERT INTO teams SELECT n, 40 + n, NULL FROM generate_series(1, 20) AS n;
    INSERT INTO players SELECT n, 1 + n % 20 FROM generate_series(1, 60) AS n;
    UPDATE teams SET leader = 20 + id - 1;
    ALTER TABLE teams ADD FOREIGN KEY (leader) REFERENCES players ON DELETE CASCADE;
    """,
    overrides=(delete("public.teams(customer_id)->public.customers(id)"),),
    keys=(
        _key("teams.customer_id -> customers.id", orphans="delete"),
        _key("players.team -> teams.id"),
        _key("teams.leader -> players.id"),
    ),
)

#: A row that is an orphan twice is saved once.
SHARED = Sample(
    name="shared",
    sql="""
    CREATE TABLE customers (id integer PRIMARY KEY);
    CREATE TABLE shops (id integer PRIMARY KEY);
    INSERT INTO customers SELECT generate_series(1, 5);
    INSERT INTO shops SELECT generate_series(1, 5);
    CREATE TABLE visits (id integer PRIMARY KEY, customer_id integer NOT NULL, shop_id integer NOT NULL);
    INSERT INTO visits SELECT n, 1 + n % 7, 1 + n % 9 FROM generate_series(1, 63) AS n;
    """,
    overrides=(delete("public.visits(customer_id)->public.customers(id)"), delete("public.visits(shop_id)->public.shops(id)")),
    keys=(
        _key("visits.customer_id -> customers.id", orphans="delete"),
        _key("visits.shop_id -> shops.id", orphans="delete"),
    ),
)

#: One key on the parent is one on every partition; indexes are built partition by partition, and attached.
PARTITIONED = Sample(
    name="partitioned",
    sql="""
    CREATE TABLE stations (id integer PRIMARY KEY);
    INSERT INTO stations SELECT generate_series(1, 20);
    CREATE TABLE readings (id integer NOT NULL, taken date NOT NULL, station_id integer NOT NULL) PARTITION BY RANGE (taken);
    CREATE TABLE readings_old PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE readings_new PARTITION OF readings FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO readings SELECT n, date '2025-06-01' + 10 * n, 5 + n % 20 FROM generate_series(1, 40) AS n;
    """,
    overrides=(delete("public.readings(station_id)->public.stations(id)"),),
    keys=(
        _key("readings_old.station_id -> stations.id", orphans="delete"),
        _key("readings_new.station_id -> stations.id", orphans="delete"),
    ),
)

SAMPLES = (SIMPLE, CASCADES, CHANGES, DECLARED, CIRCLE, SHARED, PARTITIONED)
