"""CheckPlan says the same as ApplyPlan: a plan is ready exactly when it would be accepted, and a target out of reach is told, not raised."""

import asyncio
import re
import shutil
import socket
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from holdfastd.errors import HoldfastError, Reason
from holdfastd.flows import migrations, plans, preflight
from holdfastd.store.model import PlanRecord
from holdfastd.target.preflight.check import Check, Outcome
from support.harness import CALLER, Harness
from support.postgres import Server, database_name
from support.shop import OVERRIDES, Shop


@pytest.fixture
async def planned(replica: Harness, shop: Shop) -> PlanRecord:
    """A plan for a shop of one's own, approved; registered as a role that may all that it needs."""
    for check in (await shop.checks(shop.role_dsn)).values():
        if check.is_in_the_way:
            await shop.execute(check.cure)
    return await plan_for(replica, shop.role_dsn)


async def plan_for(replica: Harness, dsn: str) -> PlanRecord:
    name = database_name(dsn).replace("_", "-")
    await replica.register(dsn, name)
    await replica.audit(name)
    return await replica.plan(name, *OVERRIDES)


async def in_the_way(replica: Harness, plan: PlanRecord) -> list[Check]:
    return [check for check in await preflight.check(replica.services, plan.id) if check.is_in_the_way]


async def refused(replica: Harness, plan: PlanRecord) -> HoldfastError:
    with pytest.raises(HoldfastError) as caught:
        await migrations.apply(replica.services, CALLER, plan.id)
    return caught.value


#: What happens to the shop, what undoes it, and the check that is in the way meanwhile.
CHANGES = [
    ("REVOKE SELECT ON people.customers FROM {role}", "GRANT SELECT ON people.customers TO {role}", "select", Reason.MISSING_PRIVILEGE),
    ("REVOKE {seller} FROM {role}", "GRANT {seller} TO {role}", "ownership", Reason.MISSING_PRIVILEGE),
    (
        "REVOKE USAGE ON SCHEMA people FROM {keeper}",
        "GRANT USAGE ON SCHEMA people TO {keeper}",
        "owners_rights",
        Reason.MISSING_PRIVILEGE,
    ),
    (
        "ALTER ROLE {role} SET default_transaction_read_only = on",
        "ALTER ROLE {role} RESET default_transaction_read_only",
        "writable",
        Reason.TARGET_READ_ONLY,
    ),
    (
        "ALTER TABLE sales.orders ALTER customer_id SET NOT NULL",
        "ALTER TABLE sales.orders ALTER customer_id DROP NOT NULL",
        "drift",
        Reason.PLAN_DRIFTED,
    ),
    ("DROP TABLE sales.notes", "SELECT", "drift", Reason.PLAN_DRIFTED),
]


async def test_what_is_in_the_way_is_what_apply_refuses(replica: Harness, shop: Shop, planned: PlanRecord) -> None:
    """By the same check, in the same words, with the same reason; and what is undone is in nobody's way."""
    for change, undo, name, reason in CHANGES:
        assert await in_the_way(replica, planned) == []
        await shop.execute(change)

        found = (await in_the_way(replica, planned))[0]
        error = await refused(replica, planned)

        assert (found.id, found.reason) == (name, reason)
        assert (error.message, error.reason, error.facts) == (f"{found.message} {found.cure}", reason, found.facts)
        await shop.execute(undo)


async def test_warnings_are_in_nobodys_way(replica: Harness, shop: Shop, planned: PlanRecord) -> None:
    """An event trigger, a missing archive: worth a look, and the application runs; applied, the plan is done with."""
    await shop.execute(
        "CREATE FUNCTION public.look() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.look()"
    )
    checks = await preflight.check(replica.services, planned.id)
    assert {check.id for check in checks if check.outcome is Outcome.WARNING} >= {"archive", "event_triggers"}
    assert not any(check.is_in_the_way for check in checks)

    await replica.apply(planned)

    assert [(check.id, check.reason) for check in await in_the_way(replica, planned)] == [("plan_state", Reason.PLAN_STATE)]
    assert (await refused(replica, planned)).reason is Reason.PLAN_STATE


async def test_approval_is_told_and_in_nobodys_way(replica: Harness, planned: PlanRecord) -> None:
    """A plan can be checked before anybody signs it; a rejected one is not going to be applied."""
    proposed = await plans.create(replica.services, CALLER, planned.database, "", OVERRIDES)

    first = (await preflight.check(replica.services, proposed.id))[0]
    assert (first.id, first.outcome, first.cure) == ("plan_state", Outcome.WARNING, f"holdfast plans approve {proposed.id}")
    assert await in_the_way(replica, proposed) == []

    await plans.reject(replica.services, CALLER, proposed.id)
    assert [check.id for check in await in_the_way(replica, proposed)] == ["plan_state"]


async def test_another_database_behind_the_same_address(replica: Harness, shop: Shop, planned: PlanRecord) -> None:
    """Dropped and made again under its name: it is not the one that was planned for."""
    fine = {check.id: check for check in await preflight.check(replica.services, planned.id)}["target_identity"]
    assert fine.passed
    assert "system identifier " in fine.message

    await shop.server.drop_database(shop.name)
    gone = await in_the_way(replica, planned)
    assert [(check.id, check.reason) for check in gone] == [("connection", Reason.TARGET_LOGIN_REFUSED)]

    await shop.server.create_database(shop.name)
    found = await in_the_way(replica, planned)
    assert [(check.id, check.reason) for check in found] == [("target_identity", Reason.TARGET_CHANGED)]
    assert (await refused(replica, planned)).reason is Reason.TARGET_CHANGED


@pytest.mark.slow
async def test_a_standby(replica: Harness) -> None:
    """What was a primary when the plan was made follows another one now: nothing is written there."""
    server = await Server(18).start()
    try:
        dsn = await server.create_database("follower")
        await server.execute(
            "CREATE TABLE public.customers (id integer PRIMARY KEY); INSERT INTO customers VALUES (1)", database="follower"
        )
        await server.execute("CREATE TABLE public.orders (customer_id integer); INSERT INTO orders VALUES (1), (2)", database="follower")
        await replica.register(dsn, "follower")
        await replica.audit("follower")
        plan = await replica.plan("follower")
        await server.halt("fast")
        (server.home / "data" / "standby.signal").touch()
        await server.restart()

        found = await in_the_way(replica, plan)

        assert [(check.id, check.reason) for check in found] == [("writable", Reason.TARGET_READ_ONLY)]
        assert (await refused(replica, plan)).reason is Reason.TARGET_READ_ONLY
    finally:
        await server.stop()


@pytest.fixture
async def pooler(postgres: Server, tmp_path: Path) -> AsyncIterator[int]:
    """A pooler in transaction mode in front of the server: its port."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = postgres.home / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres.port} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        "pool_mode = transaction\nauth_type = any\nunix_socket_dir =\nlogfile = /dev/null\n"
        "ignore_startup_parameters = extra_float_digits\n[users]\n"
    )
    settings.chmod(0o644)
    process = await asyncio.create_subprocess_exec(program, *unprivileged(), str(settings), stdout=DEVNULL, stderr=DEVNULL)
    await until_it_listens(port)
    yield port
    process.terminate()
    await process.wait()


def unprivileged() -> Sequence[str]:
    """Return the option without which pgbouncer refuses to run as root."""
    return ("-u", "nobody") if Path("/").owner() == Path("/proc/self").owner() else ()


async def until_it_listens(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_a_pooler(replica: Harness, shop: Shop, pooler: int) -> None:
    """A real one: audits work through it, applications are refused before they begin."""
    plan = await plan_for(replica, f"postgresql://postgres@127.0.0.1:{pooler}/{shop.name}")

    found = await in_the_way(replica, plan)

    assert [(check.id, check.reason) for check in found] == [("direct_connection", Reason.TARGET_POOLED)]
    assert (await refused(replica, plan)).reason is Reason.TARGET_POOLED


async def test_every_check_is_documented(replica: Harness, planned: PlanRecord) -> None:
    """One line per check in docs/preflight.md; and no line without a check."""
    page = (Path(__file__).parents[3] / "docs/preflight.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)

    made = [check.id for check in await preflight.check(replica.services, planned.id)]

    # Only a failed connection is a check of its own.
    assert sorted(documented) == sorted([*made, "connection"])
    assert len(set(made)) == len(made)
