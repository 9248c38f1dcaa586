"""What others do that an application would wait for."""

import asyncio

import pytest

from holdfastd.target.preflight.check import Outcome
from support.shop import Shop

#: Not in any check: the text of a query may hold values of rows.
SECRET = "tell-nobody"


async def test_a_quiet_database(shop: Shop) -> None:
    """Nobody else is there."""
    checks = await shop.checks()

    names = ("old_transactions", "prepared_transactions", "locks", "vacuum")
    assert [checks[name].outcome for name in names] == [Outcome.PASSED] * len(names)


async def test_an_old_transaction_is_named_without_its_query(shop: Shop) -> None:
    """By process and application; what it runs stays its own."""
    async with shop.session("billing") as other:
        await other.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT '{SECRET}'")
        pid = other.get_server_pid()

        found = (await shop.checks(old_seconds=0))["old_transactions"]
        assert found.outcome is Outcome.WARNING
        assert f"pid {pid} (billing, idle for " in found.message
        assert "snapshot" in found.message
        assert f"pg_terminate_backend({pid})" in found.cure
        assert SECRET not in str(found)

        assert (await shop.checks(old_seconds=3600))["old_transactions"].passed


async def test_hidden_transactions_are_not_taken_for_fine(shop: Shop) -> None:
    """A role that does not see what others do is told how to; with it, the answer is the superuser's."""
    async with shop.session():
        found = (await shop.checks(shop.role_dsn))["old_transactions"]
        assert found.outcome is Outcome.WARNING
        assert found.message.startswith("Could not be told: ")

        await shop.execute(found.cure)
        assert (await shop.checks(shop.role_dsn))["old_transactions"].passed


async def test_a_prepared_transaction(odd_shop: Shop) -> None:
    """It survives its session, and its locks do."""
    async with odd_shop.session() as other:
        await other.execute("BEGIN; LOCK TABLE sales.orders IN SHARE MODE; PREPARE TRANSACTION 'two''phases'")
        try:
            checks = await odd_shop.checks()
            assert "'two''phases'" in checks["prepared_transactions"].message
            assert checks["prepared_transactions"].cure.startswith("COMMIT PREPARED 'two''phases'")
            assert "a prepared transaction holds SHARE on sales.orders" in checks["locks"].message
        finally:
            await other.execute("ROLLBACK PREPARED 'two''phases'")

    assert (await odd_shop.checks())["prepared_transactions"].passed


async def test_who_holds_a_strong_lock_is_named(shop: Shop) -> None:
    """DDL and vacuum by hand; writers come and go and are none of it, nor are locks on other tables."""
    async with shop.session("deploy") as other:
        await other.execute("BEGIN; UPDATE sales.orders SET note = ''; CREATE TABLE sales.unrelated (); LOCK TABLE sales.unrelated")
        assert (await shop.checks())["locks"].passed

        await other.execute("LOCK TABLE people.customers IN SHARE ROW EXCLUSIVE MODE")
        found = (await shop.checks())["locks"]
        assert found.outcome is Outcome.WARNING
        assert f"pid {other.get_server_pid()} (deploy) holds SHARE ROW EXCLUSIVE on people.customers" in found.message


@pytest.mark.slow
async def test_autovacuum_against_wraparound(odd_shop: Shop) -> None:
    """Before it starts there is time to run it; once it runs, there is only waiting."""
    await odd_shop.execute(
        "CREATE TABLE public.burner (n integer); ALTER TABLE sales.orders SET (autovacuum_freeze_max_age = 100000,"
        " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
    )
    await odd_shop.execute(burn(96_000))
    near = (await odd_shop.checks())["vacuum"]
    assert near.outcome is Outcome.WARNING
    assert near.cure.endswith('VACUUM (FREEZE) "sales"."orders"')

    await odd_shop.execute(burn(6_000))
    async with asyncio.timeout(30):
        while "is at work" not in (running := (await odd_shop.checks())["vacuum"]).message:
            await asyncio.sleep(0.2)
    assert "sales.orders (pid " in running.message
    hidden = (await odd_shop.checks(odd_shop.role_dsn))["vacuum"]
    assert hidden.message.startswith("Could not be told: ")


def burn(transactions: int) -> str:
    """Return SQL that uses up transaction ids: every subtransaction that writes takes one."""
    return f"""
        DO $$ BEGIN
          FOR n IN 1..{transactions} LOOP
            BEGIN INSERT INTO public.burner VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END;
          END LOOP;
        END $$"""
