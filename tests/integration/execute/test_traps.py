"""What PostgreSQL cannot do, or would refuse half way, is refused when the plan is made: with the reason, without having tried it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.errors import Reason, Refused
from holdfastd.flows import migrations
from holdfastd.plan.model import Decision, HazardKind, OrphanAction, Override
from holdfastd.store.model import PlanRecord
from integration.execute.scenarios import CUSTOMERS, delete, nullify
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server, database_name

ORDERS = (
    CUSTOMERS
    + """
    CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, note text);
    INSERT INTO orders SELECT n, n FROM generate_series(41, 60) AS n;
    """
)
RELATIONSHIP = "public.orders(customer_id)->public.customers(id)"
DELETE, NULLIFY = delete(RELATIONSHIP), nullify(RELATIONSHIP)
REPOINT = Override(
    relationship_id=RELATIONSHIP,
    include=True,
    on_delete=OnDelete.RESTRICT,
    orphan_action=OrphanAction.REPOINT,
    repoint_to=("1",),
)
FORBIDDING = "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"


@pytest.fixture
async def connection(any_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application that owns the tables."""
    connection = await asyncpg.connect(any_database)
    yield connection
    await connection.close()


@pytest.fixture
async def replica(any_postgres: Server, any_database: str, connection: asyncpg.Connection) -> AsyncIterator[Harness]:
    async with harness(any_postgres) as running:
        await running.register(any_database)
        yield running


def decision_of(plan: PlanRecord, relationship: str) -> Decision:
    return next(decision for decision in plan.plan.decisions if decision.relationship_id == relationship)


def hazards_of(plan: PlanRecord, kind: HazardKind) -> str:
    return " ".join(hazard.message for step in plan.plan.steps for hazard in step.hazards if hazard.kind is kind)


#: What stands in the way of changing the orphan rows, the override that asks for it, and words of the reason.
IN_THE_WAY = {
    "check": ("ALTER TABLE orders ADD CONSTRAINT given CHECK (customer_id IS NOT NULL)", NULLIFY, "the CHECK given"),
    "not-null-domain": (
        "CREATE DOMAIN given AS integer NOT NULL; ALTER TABLE orders ALTER customer_id TYPE given",
        NULLIFY,
        "customer_id is NOT NULL",
    ),
    "domain-check": (
        "CREATE DOMAIN given AS integer CHECK (VALUE IS NOT NULL); ALTER TABLE orders ALTER customer_id TYPE given",
        NULLIFY,
        "of a domain that does not allow",
    ),
    "nulls-not-distinct": (
        "CREATE UNIQUE INDEX once ON orders (customer_id) NULLS NOT DISTINCT",
        NULLIFY,
        "once on public.orders would meet the same key twice",
    ),
    "nulls-not-distinct-with-others": (
        "CREATE UNIQUE INDEX once ON orders (customer_id, note) NULLS NOT DISTINCT",
        NULLIFY,
        "once on public.orders would meet the same key twice",
    ),
    "partial-unique": ("CREATE UNIQUE INDEX once ON orders ((1)) WHERE customer_id IS NULL", NULLIFY, "once on public.orders"),
    "expression-unique": (
        "CREATE UNIQUE INDEX once ON orders (coalesce(customer_id, -1))",
        NULLIFY,
        "once on public.orders would meet the same key twice",
    ),
    "exclusion": (
        "ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE USING gist (int4range(coalesce(customer_id, 0), coalesce(customer_id, 0) + 1) WITH &&)",
        NULLIFY,
        "apart on public.orders would meet the same key twice",
    ),
    "generated-not-null": (
        "ALTER TABLE orders ADD doubled integer NOT NULL GENERATED ALWAYS AS (customer_id * 2) STORED",
        NULLIFY,
        "doubled of public.orders accepts no NULL",
    ),
    "repointed-twice": ("CREATE UNIQUE INDEX once ON orders (customer_id)", REPOINT, "once on public.orders would meet the same key twice"),
    "followed": (
        "ALTER TABLE orders ADD UNIQUE (customer_id); CREATE TABLE letters (id integer PRIMARY KEY, to_customer integer"
        " REFERENCES orders (customer_id) ON UPDATE CASCADE); INSERT INTO letters VALUES (1, 60)",
        NULLIFY,
        "rows of public.letters reference the values",
    ),
    "dependents-not-null": (
        "CREATE TABLE letters (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders ON DELETE SET NULL);"
        " INSERT INTO letters VALUES (1, 60)",
        DELETE,
        "order_id of public.letters accepts no NULL",
    ),
    "published": (
        "ALTER TABLE orders REPLICA IDENTITY NOTHING; CREATE PUBLICATION news FOR TABLE orders",
        NULLIFY,
        "published without a replica identity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_THE_WAY)
async def test_what_would_fail_half_way_is_known_before(postgres: Server, database: str, case: str) -> None:
    """A CHECK, a domain, a unique key, a key on the old values: found by asking, and nothing is written by asking."""
    sql, override, words = IN_THE_WAY[case]
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS + sql)
    await connection.close()
    before = await state_of(postgres, database)
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        with pytest.raises(Refused) as refusal:
            await replica.plan("shop", override)

    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
    assert words in str(refusal.value)
    assert await state_of(postgres, database) == before


async def test_harmless_rules_are_in_nobodys_way(postgres: Server, database: str) -> None:
    """Unique indexes that let NULLs pass, and CHECKs that speak of other columns, do not keep a plan from being made and applied."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        ORDERS
        + """
        CREATE UNIQUE INDEX once ON orders (customer_id);
        CREATE UNIQUE INDEX pair ON orders (id, customer_id) NULLS NOT DISTINCT;
        CREATE DOMAIN amount AS integer CHECK (VALUE > 0);
        ALTER TABLE orders ALTER customer_id TYPE amount;
        ALTER TABLE orders ADD doubled integer GENERATED ALWAYS AS (customer_id * 2) STORED, ADD CHECK (doubled > 0), ADD CHECK (id > 0);
        """
    )
    await connection.close()
    before = await state_of(postgres, database)
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        application = await replica.apply(await replica.plan("shop", NULLIFY))
        assert application.verifications[0].backed_up_rows == 10
        await replica.roll_back(application)

    assert await state_of(postgres, database) == before


#: What PostgreSQL refuses, whatever the rows: schema, relationship, ON DELETE asked for, words of the reason.
IMPOSSIBLE = {
    "not-unique": ("{lists} {entries}", None, "a unique index on exactly these columns."),
    "partial": ("{lists} CREATE UNIQUE INDEX once ON lists (id) WHERE note IS NULL; {entries}", None, "and once is partial"),
    "expression": ("{lists} CREATE UNIQUE INDEX once ON lists (lower(id)); {entries}", None, "not on an expression as once is"),
    "deferrable": ("{lists} ALTER TABLE lists ADD CONSTRAINT once UNIQUE (id) DEFERRABLE; {entries}", None, "and once is DEFERRABLE"),
    "invalid": (
        "{lists} CREATE UNIQUE INDEX once ON lists (id);"
        " UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'once'::regclass; {entries}",
        None,
        "and once is not valid",
    ),
    "numeric": (
        "CREATE TABLE lists (id integer PRIMARY KEY); CREATE TABLE entries (id integer PRIMARY KEY, list_id numeric);"
        " INSERT INTO lists VALUES (1), (2); INSERT INTO entries VALUES (1, 1), (2, 2)",
        None,
        "is numeric, public.lists(id) is integer: no operator",
    ),
    "text": (
        "CREATE TABLE lists (id integer PRIMARY KEY); CREATE TABLE entries (id integer PRIMARY KEY, list_id text);"
        " INSERT INTO lists VALUES (1), (2); INSERT INTO entries VALUES (1, '1'), (2, '2')",
        None,
        "is text, public.lists(id) is integer: no operator",
    ),
    "uuid": (
        "CREATE TABLE lists (id uuid PRIMARY KEY); CREATE TABLE entries (id integer PRIMARY KEY, list_id varchar(40));"
        " INSERT INTO lists SELECT gen_random_uuid() FROM generate_series(1, 9); INSERT INTO entries SELECT row_number() OVER (), id FROM lists",
        None,
        "is character varying(40), public.lists(id) is uuid: no operator",
    ),
    "unlogged": ("{lists} ALTER TABLE lists ADD PRIMARY KEY (id); ALTER TABLE lists SET UNLOGGED; {entries}", None, "unlogged"),
    "set-null-on-not-null": (
        "{lists} ALTER TABLE lists ADD PRIMARY KEY (id); {entries} ALTER TABLE entries ALTER list_id SET NOT NULL",
        OnDelete.SET_NULL,
        "list_id is NOT NULL; choose CASCADE, RESTRICT or NO ACTION",
    ),
    "set-default": ("{lists} ALTER TABLE lists ADD PRIMARY KEY (id); {entries}", OnDelete.SET_DEFAULT, "not planned by Holdfast"),
}  # fmt: skip
LISTS = "CREATE TABLE lists (id text, note text); INSERT INTO lists VALUES ('a'), ('b'), ('c');"
ENTRIES = "CREATE TABLE entries (id integer PRIMARY KEY, list_id text); INSERT INTO entries VALUES (1, 'a'), (2, 'b'), (3, 'c');"


@pytest.mark.parametrize("case", IMPOSSIBLE)
async def test_what_postgresql_cannot_do_is_refused_with_the_reason(postgres: Server, database: str, case: str) -> None:
    """No key that can be pointed at, no operator, a table that is lost in a crash, columns that accept no NULL."""
    sql, on_delete, words = IMPOSSIBLE[case]
    connection = await asyncpg.connect(database)
    await connection.execute(sql.format(lists=LISTS, entries=ENTRIES))
    await connection.close()
    async with harness(postgres) as replica:
        await replica.register(database)
        found = await replica.audit()
        relationship = "public.entries(list_id)->public.lists(id)"
        assert relationship in found
        with pytest.raises(Refused) as refusal:
            await replica.plan("shop", Override(relationship_id=relationship, include=True, on_delete=on_delete))

    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
    assert words in str(refusal.value)


async def test_match_full_rows_that_are_partly_null_are_left(replica: Harness, connection: asyncpg.Connection) -> None:
    """They are no orphan rows, and VALIDATE would fail on them: the key stays as it is, and the plan says why."""
    await connection.execute("""
        CREATE TABLE sites (company integer, number integer, PRIMARY KEY (company, number));
        CREATE TABLE machines (id integer PRIMARY KEY, company integer, number integer);
        CREATE TABLE shops (id integer PRIMARY KEY);
        CREATE TABLE sales (id integer PRIMARY KEY, shop_id integer);
        INSERT INTO shops SELECT generate_series(1, 5);
        INSERT INTO sales SELECT n, n FROM generate_series(1, 5) AS n;
        INSERT INTO sites VALUES (1, 1);
        INSERT INTO machines VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL);
        ALTER TABLE machines ADD CONSTRAINT site FOREIGN KEY (company, number) REFERENCES sites MATCH FULL NOT VALID;
    """)
    await replica.audit()
    relationship = "public.machines(company, number)->public.sites(company, number)"
    plan = await replica.plan("shop", Override(relationship_id="public.sales(shop_id)->public.shops(id)", include=True))
    with pytest.raises(Refused, match="1 rows have some but not all of the columns NULL"):
        await replica.plan("shop", Override(relationship_id=relationship, include=True))

    decision = decision_of(plan, relationship)
    assert not decision.included
    assert decision.reason.startswith("1 rows have some but not all")


async def test_orphan_row_updated_twice_fails_while_the_key_is_not_valid(replica: Harness, connection: asyncpg.Connection) -> None:
    """The hazard is true, and names as many rows as there are; once is no harm, and neither is twice on a good row."""
    await connection.execute(ORDERS)
    await replica.audit()
    leave = Override(relationship_id=RELATIONSHIP, include=True, on_delete=OnDelete.CASCADE, orphan_action=OrphanAction.LEAVE)
    plan = await replica.plan("shop", leave)
    application = await replica.apply(plan)
    failed = []
    for number in range(41, 61):
        await connection.execute("UPDATE orders SET note = 'once' WHERE id = $1", number)
        try:
            async with connection.transaction():
                for note in ("once", "twice"):
                    await connection.execute("UPDATE orders SET note = $1 WHERE id = $2", note, number)
        except asyncpg.ForeignKeyViolationError:
            failed.append(number)
    await connection.execute("UPDATE orders SET note = NULL WHERE id <= 50")

    assert failed == list(range(51, 61))
    assert "updates one of the 10 orphan rows twice fails" in hazards_of(plan, HazardKind.DOUBLE_UPDATE_FAILS)
    await replica.roll_back(application)


@pytest.mark.parametrize(
    ("rule", "override", "named"),
    [
        (
            FORBIDDING.format(body="RAISE EXCEPTION 'no';") + "CREATE TRIGGER guard BEFORE DELETE ON orders"
            " FOR EACH ROW EXECUTE FUNCTION forbid()",
            DELETE,
            "guard on public.orders",
        ),
        (
            FORBIDDING.format(body="RETURN OLD;") + "CREATE TRIGGER guard BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION forbid()",
            NULLIFY,
            "guard on public.orders",
        ),
        (
            FORBIDDING.format(body="RETURN NULL;") + "CREATE TRIGGER guard BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION forbid()",
            DELETE,
            "guard on public.orders",
        ),
        ("CREATE RULE guard AS ON DELETE TO orders DO INSTEAD NOTHING", DELETE, "Rules may rewrite what is done to rows of public.orders"),
    ],
    ids=["raises", "returns-old", "returns-null", "rule"],
)
async def test_trigger_or_rule_in_the_way_does_no_harm(postgres: Server, database: str, rule: str, override: Override, named: str) -> None:
    """It is named before; the application fails and says why, nothing is lost, and rolling back leaves all as it was."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS + rule)
    await connection.close()
    before = await state_of(postgres, database)
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        plan = await replica.plan("shop", override)
        ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
        assert (await state_of(postgres, database)).rows == before.rows
        await replica.roll_back(ended)

    assert named in hazards_of(plan, HazardKind.USER_TRIGGERS)
    assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED")
    assert await state_of(postgres, database) == before


async def test_owner_is_not_bound_by_policies(postgres: Server, database: str) -> None:
    """An owner without other rights cleans up rows that policies hide from others, and puts them back."""
    role = database_name(database).replace("test_", "owner_")
    await postgres.execute(f"CREATE ROLE {role} LOGIN; ALTER DATABASE {database_name(database)} OWNER TO {role}")
    dsn = postgres.dsn(database_name(database), role=role)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE SCHEMA shop; SET search_path = shop; " + ORDERS)
    for table in ("orders", "customers"):
        await connection.execute(f"ALTER TABLE shop.{table} ENABLE ROW LEVEL SECURITY; CREATE POLICY small ON shop.{table} USING (id < 5)")
    await connection.close()
    before = await state_of(postgres, database)
    async with harness(postgres) as replica:
        await replica.register(dsn)
        await replica.audit()
        application = await replica.apply(await replica.plan("shop", delete("shop.orders(customer_id)->shop.customers(id)")))
        assert application.verifications[0].backed_up_rows == 10
        await replica.roll_back(application)

    assert await state_of(postgres, database) == before
    await postgres.execute(f"ALTER DATABASE {database_name(database)} OWNER TO CURRENT_USER")
    await postgres.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}", database=database_name(database))
    await postgres.execute(f"DROP ROLE {role}")


#: What triggers of applications raise, by SQLSTATE: their own, more than one row, a row changed twice, SQL that is none.
RAISED = {
    "ZZ001": "RAISE EXCEPTION 'no' USING ERRCODE = 'ZZ001'",
    "21000": "PERFORM (SELECT id FROM public.customers)",
    "27000": "UPDATE public.orders SET note = 'x' WHERE id = OLD.id",
    "42601": "EXECUTE 'SELEC 1'",
}


async def test_whatever_a_trigger_raises_is_told_as_that(postgres: Server, database: str) -> None:
    """No error of the application's code is an internal one; neither is that of an event trigger, in a rollback."""
    connection = await asyncpg.connect(database)
    await connection.execute(ORDERS)
    before = await state_of(postgres, database)
    await connection.execute(FORBIDDING.format(body="RETURN OLD;"))
    await connection.execute("CREATE TRIGGER guard BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION forbid()")
    async with harness(postgres) as replica:
        await replica.register(database)
        await replica.audit()
        plan = await replica.plan("shop", DELETE)
        for state, body in RAISED.items():
            await connection.execute(FORBIDDING.format(body=f"{body}; RETURN OLD;").replace("CREATE", "CREATE OR REPLACE"))
            ended = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
            assert (ended.error_reason, f"trigger or rule raised an error (SQLSTATE {state})" in ended.error_message) == (
                "STEP_FAILED",
                True,
            )

        await postgres.execute(
            FORBIDDING.format(body="RAISE EXCEPTION 'not now';").replace("forbid() RETURNS trigger", "public.hold() RETURNS event_trigger")
            + "CREATE EVENT TRIGGER hold ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION public.hold()",
            database=database_name(database),
        )
        refused = await replica.end(await migrations.roll_back(replica.services, CALLER, ended.id))
        await postgres.execute("DROP EVENT TRIGGER hold; DROP FUNCTION public.hold()", database=database_name(database))
        await replica.roll_back(ended)

    await connection.execute("DROP TRIGGER guard ON orders; DROP FUNCTION forbid()")
    await connection.close()
    assert (refused.error_reason, "an event trigger" in refused.error_message) == ("STEP_FAILED", True)
    assert await state_of(postgres, database) == before
