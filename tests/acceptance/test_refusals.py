"""Bad input and bad targets: a stable reason, a sentence that says what to do, and nothing of the DSN."""

import uuid

import asyncpg
import grpc
import pytest

from holdfast import Holdfast, HoldfastError
from holdfast.v1.core_pb2 import ON_DELETE_SET_NULL
from holdfast.v1.database_service_pb2 import CHECK_STATE_BLOCKS_APPLICATION, DsnSource
from holdfast.v1.plan_service_pb2 import Override, Policy
from samples.load import load_sample
from support.postgres import Server, database_name
from support.service import final, register


async def refusal(call) -> HoldfastError:
    with pytest.raises(HoldfastError) as caught:
        await call
    return caught.value


@pytest.fixture
async def ev(client: Holdfast, database: str) -> str:
    """DSN of the EV sample, registered as `ev` and audited."""
    await load_sample(database, "ev_charging")
    await register(client, "ev", database)
    await final(client.audit("ev"))
    yield database
    await client.remove_database("ev")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda client: client.get_database("nowhere"), "DATABASE_NOT_FOUND"),
        (lambda client: client.start_audit("nowhere"), "DATABASE_NOT_FOUND"),
        (lambda client: client.get_audit("audit-00000000000000000000"), "AUDIT_NOT_FOUND"),
        (lambda client: client.get_plan(str(uuid.uuid4())), "PLAN_NOT_FOUND"),
        (lambda client: client.start_application("plan-00000000000000000000"), "PLAN_NOT_FOUND"),
        (lambda client: client.get_job("job-00000000000000000000"), "JOB_NOT_FOUND"),
        (lambda client: client.start_rollback("job-00000000000000000000"), "JOB_NOT_FOUND"),
        (lambda client: client.cancel_job(str(uuid.uuid4())), "JOB_NOT_FOUND"),
    ],
)
async def test_what_does_not_exist_is_not_found(client: Holdfast, call, reason: str) -> None:
    """Unknown database, audit, plan, job: NOT_FOUND with a reason of its own."""
    error = await refusal(call(client))

    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, reason)


@pytest.mark.parametrize("name", ["", "x" * 10_000, "Upper", "1st", "a b", "é"])
async def test_names_that_cannot_be_are_invalid(client: Holdfast, name: str, database: str) -> None:
    """Empty, huge or odd names: INVALID_ARGUMENT with the field's path."""
    error = await refusal(client.add_database(name, DsnSource(inline=database)))

    assert (error.code, error.reason, error.field) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "name")


CANARY = "c4n4ry-p4ssw0rd"


@pytest.mark.parametrize(
    ("dsn", "code", "reason"),
    [
        (f"nonsense://{CANARY}", "INVALID_ARGUMENT", "INVALID_FIELD"),
        (f"postgresql://u:{CANARY}@[::bad/x", "INVALID_ARGUMENT", "INVALID_FIELD"),
        (f"postgresql://u:{CANARY}@127.0.0.1:1/x", "UNAVAILABLE", "TARGET_UNREACHABLE"),
        (f"postgresql://u:{CANARY}@{{address}}/none", "FAILED_PRECONDITION", "TARGET_LOGIN_REFUSED"),
        (f"postgresql://locked:{CANARY}@{{address}}/postgres", "FAILED_PRECONDITION", "TARGET_LOGIN_REFUSED"),
    ],
)
async def test_bad_dsns_are_told_without_the_dsn(client: Holdfast, postgres: Server, dsn: str, code: str, reason: str) -> None:
    """Malformed, unreachable, refused: the right code and reason, and nothing of the DSN in any part of the answer."""
    await postgres.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'locked') THEN"
        " CREATE ROLE locked LOGIN PASSWORD 'other' IN ROLE needs_password; END IF; END $$"
    )
    error = await refusal(client.add_database("bad", DsnSource(inline=dsn.format(address=f"127.0.0.1:{postgres.port}"))))

    assert (error.code.name, error.reason) == (code, reason)
    assert CANARY not in repr((error, error.message, error.metadata, error.args))


async def test_a_missing_privilege_is_named_with_its_cure(client: Holdfast, ev: str, postgres: Server) -> None:
    """A role that may read but not alter: audits work, applying is refused with the GRANT."""
    await postgres.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader")
    await client.update_database("ev", DsnSource(inline=postgres.dsn(database_name(ev), role="reader")))
    await final(client.audit("ev"))
    plan = await client.plan("ev")
    await client.approve_plan(plan.id)
    error = await refusal(client.start_application(plan.id))

    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MISSING_PRIVILEGE")
    assert "GRANT" in error.message


async def test_a_read_only_target_is_refused(client: Holdfast, ev: str) -> None:
    """Applying to a database that accepts no writes is refused before a job exists."""
    plan = await client.plan("ev")
    await client.approve_plan(plan.id)
    connection = await asyncpg.connect(ev)
    await connection.execute(f"ALTER DATABASE {database_name(ev)} SET default_transaction_read_only = on")
    error = await refusal(client.start_application(plan.id))
    await connection.execute("SET default_transaction_read_only = off")
    await connection.execute(f"ALTER DATABASE {database_name(ev)} RESET default_transaction_read_only")
    await connection.close()

    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TARGET_READ_ONLY")


async def test_drift_is_refused_and_named(client: Holdfast, ev: str) -> None:
    """A schema that changed since the plan: FAILED_PRECONDITION PLAN_DRIFTED, naming what changed."""
    plan = await client.plan("ev")
    await client.approve_plan(plan.id)
    connection = await asyncpg.connect(ev)
    ready_before = (await client.check_plan(plan.id)).ready
    await connection.execute("ALTER TABLE reports ADD COLUMN severity integer")
    await connection.close()
    checked = await client.check_plan(plan.id)
    error = await refusal(client.start_application(plan.id))

    assert (ready_before, checked.ready) == (True, False)
    assert {check.id for check in checked.checks if check.state == CHECK_STATE_BLOCKS_APPLICATION} == {"drift"}

    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PLAN_DRIFTED")
    assert "column public.reports.severity" in error.metadata["changes"]


async def test_plans_must_be_approved_and_are_applied_once(client: Holdfast, ev: str) -> None:
    """Unapproved and rejected plans are refused; approving twice succeeds."""
    plan = await client.plan("ev")
    unapproved = await refusal(client.start_application(plan.id))
    await client.approve_plan(plan.id)
    await client.approve_plan(plan.id)
    await client.reject_plan(plan.id)
    rejected = await refusal(client.approve_plan(plan.id))

    assert (unapproved.reason, unapproved.metadata["state"]) == ("PLAN_STATE", "PROPOSED")
    assert (rejected.reason, rejected.metadata["state"]) == ("PLAN_STATE", "REJECTED")


async def test_a_second_application_is_aborted_and_the_first_can_be_cancelled(client: Holdfast, ev: str) -> None:
    """While one job works on a database another is ABORTED; a cancelled application can be applied again."""
    blocker = await asyncpg.connect(ev)
    transaction = blocker.transaction()
    await transaction.start()
    # As a writer holds it: reading goes on, adding a key waits.
    await blocker.execute("LOCK TABLE stations IN ROW EXCLUSIVE MODE")
    plan = await client.plan("ev")
    await client.approve_plan(plan.id)
    first = (await client.start_application(plan.id, request_id=str(uuid.uuid4()))).job
    second = await refusal(client.start_application(plan.id, request_id=str(uuid.uuid4())))
    await client.cancel_job(first.id)
    await transaction.rollback()
    await blocker.close()
    ended = None
    async for item in client.watch(first.id):
        ended = item
    again = await final(client.apply(plan.id))
    rollback = await final(client.roll_back(again.id))

    assert (second.code, second.reason, second.metadata["job_id"]) == (grpc.StatusCode.ABORTED, "DATABASE_BUSY", first.id)
    assert ended.error_reason in ("", "CANCELLED")
    assert sum(item.orphan_rows_after for item in rollback.verifications) == 11


async def test_impossible_policies_are_refused(client: Holdfast, ev: str) -> None:
    """SET NULL on a NOT NULL column cannot be planned; an unknown relationship is not found."""
    impossible = Override(relationship_id="public.reports(station_id)->public.stations(id)", on_delete=ON_DELETE_SET_NULL)
    refused = await refusal(client.plan("ev", Policy(overrides=[impossible])))
    unknown = await refusal(client.plan("ev", Policy(overrides=[Override(relationship_id="public.a(b)->public.c(d)")])))

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PLAN_INFEASIBLE")
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "RELATIONSHIP_NOT_FOUND")


async def test_starting_is_idempotent_by_request_id(client: Holdfast, ev: str) -> None:
    """The same request_id returns the same audit; with another request it is refused."""
    request_id = str(uuid.uuid4())
    first = (await client.start_audit("ev", request_id=request_id)).audit.id
    second = (await client.start_audit("ev", request_id=request_id)).audit.id
    plan_request = str(uuid.uuid4())
    plan = (await client.create_plan("ev", request_id=plan_request)).plan.id
    same_plan = (await client.create_plan("ev", request_id=plan_request)).plan.id
    job_id = (await client.get_audit(first)).audit.job_id
    await final(client.watch(job_id))

    assert (first, plan) == (second, same_plan)
