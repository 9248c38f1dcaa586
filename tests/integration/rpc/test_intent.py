"""What applications declare, as requests bring it: checked, kept, told apart, and remembered by schedules."""

from datetime import timedelta

import grpc
import pytest

from holdfast.v1 import audit_service_pb2 as pb
from holdfast.v1 import core_pb2
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfastd.catalog.model import OnDelete
from holdfastd.flows import schedules as flow
from holdfastd.inference.model import Intended
from holdfastd.names import ColumnSet, TableName
from holdfastd.rpc.decode_intent import MAX_INTENT
from holdfastd.store import audit_log, audits
from integration.rpc.test_api import info, refused
from integration.rpc.test_schedules import OFTEN, age, put
from support.stored import add_database

UUID = "123e4567-e89b-12d3-a456-426614174000"


def columns(table="orders", *names, schema=""):
    return core_pb2.ColumnSet(schema=schema, table=table, columns=names)


def intent(**changes):
    stated = {"referencing": columns("orders", "pod"), "referenced": columns("pods"), "origin": "schema.ts:7"}
    return pb.IntendedRelationship(**stated | changes)


def request(*declared, **fields):
    return pb.StartAuditRequest(database="shop", options=pb.AuditOptions(intent=declared), **fields)


async def stored(api, audit_id):
    async with api.services.store.connection() as connection:
        return (await audits.options_of(connection, audit_id)).intent


async def test_intent_is_kept_with_its_audit(api):
    """The audit log has how much was declared, not what; lists of audits do not carry it."""
    await add_database(api.services.store)
    declared = intent(on_delete=core_pb2.ON_DELETE_SET_NULL)
    started = await AuditServiceStub(api.channel).StartAudit(request(declared))
    async with api.services.store.connection() as connection:
        (entry,) = await audit_log.list_page(connection, database="shop", before=0, limit=10)
        row = await connection.fetchrow("SELECT options - 'intent' AS listed, options FROM audits")

    expected = Intended(
        referencing=ColumnSet(TableName("", "orders"), ("pod",)),
        referenced=ColumnSet(TableName("", "pods"), ()),
        on_delete=OnDelete.SET_NULL,
        origin="schema.ts:7",
    )
    assert await stored(api, started.audit.id) == (expected,)
    assert entry.details["intent"].startswith("1 declared by applications, sha256 ")
    assert "orders" not in entry.details["intent"]
    assert "pods" in row["options"]
    assert "pods" not in row["listed"]


async def test_the_same_request_with_other_intent_is_another(api):
    """A repeated request_id returns the audit; with something else declared it is refused."""
    await add_database(api.services.store)
    stub = AuditServiceStub(api.channel)
    first = await stub.StartAudit(request(intent(), request_id=UUID))
    again = await stub.StartAudit(request(intent(), request_id=UUID))
    error = await refused(stub.StartAudit(request(intent(origin="schema.ts:8"), request_id=UUID)))

    assert first.audit.id == again.audit.id
    assert info(error).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        ([intent(), intent(referencing=columns("orders"))], "options.intent[1].referencing.columns"),
        ([intent(referencing=columns("", "pod"))], "options.intent[0].referencing.table"),
        ([intent(referencing=columns("orders", " "))], "options.intent[0].referencing.columns[0]"),
        ([intent(referencing=columns("orders", "a", "a"))], "options.intent[0].referencing.columns"),
        ([intent(referencing=columns("orders", "x\0"))], "options.intent[0].referencing.columns[0]"),
        ([intent(referencing=columns("orders", *map(str, range(33))))], "options.intent[0].referencing.columns"),
        ([intent(referencing=columns("o" * 256, "pod"))], "options.intent[0].referencing.table"),
        ([intent(referencing=columns("orders", "pod", schema="s" * 256))], "options.intent[0].referencing.schema"),
        ([pb.IntendedRelationship(referencing=columns("orders", "pod"))], "options.intent[0].referenced.table"),
        ([intent(referenced=columns("pods", "a", "b"))], "options.intent[0].referenced.columns"),
        ([intent(on_delete=99)], "options.intent[0].on_delete"),
        ([intent(origin="x" * 513)], "options.intent[0].origin"),
        ([intent(origin="a\nb")], "options.intent[0].origin"),
        ([intent(origin="a\u202eb")], "options.intent[0].origin"),
        ([pb.IntendedRelationship()] * (MAX_INTENT + 1), "options.intent"),
    ],
)
async def test_what_cannot_be_meant_is_refused(shared_api, declared, path):
    """With the path of the field, before anything is looked up."""
    error = await refused(AuditServiceStub(shared_api.channel).StartAudit(request(*declared)))

    assert (error.code(), info(error).metadata["field"]) == (grpc.StatusCode.INVALID_ARGUMENT, path)


async def test_scheduled_audits_go_on_with_the_latest_intent(api):
    """Of the latest audit that was told any: candidates that only the application knows of must not vanish overnight."""
    await add_database(api.services.store)
    stub = AuditServiceStub(api.channel)
    for declared in ([intent(origin="old:1")], [intent(origin="new:1")], []):
        await stub.StartAudit(request(*declared))
    async with api.services.store.transaction() as connection:
        await connection.execute("UPDATE jobs SET state = 'CANCELLED', end_time = now()")
    await put(api, **OFTEN)
    await age(api, timedelta(seconds=1))
    assert await flow.start_due(api.services)

    async with api.services.store.connection() as connection:
        newest = await connection.fetchval("SELECT id FROM audits ORDER BY id DESC LIMIT 1")

    assert [each.origin for each in await stored(api, newest)] == ["new:1"]
