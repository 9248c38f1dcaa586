"""The audit log leaves the service: in exports, and its head in every answer."""

from typing import Any

import grpc
import pytest

from holdfast.log_export import entry_of
from holdfast.log_file import Anchor, Chain
from holdfast.v1 import audit_log_service_pb2 as pb
from holdfast.v1.audit_log_service_pb2_grpc import AuditLogServiceStub
from holdfast.v1.database_service_pb2 import AddDatabaseRequest, DsnSource, GetDatabaseRequest
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from holdfastd.flows import audit_log as flow
from holdfastd.store import audit_log
from integration.rpc.conftest import Api

HEAD = "x-holdfast-audit-head"


async def append(api: Api, count: int) -> Anchor:
    for _ in range(count):
        async with api.services.store.transaction() as connection:
            entry = await audit_log.append(connection, principal="ann", action="plan.approve", details={"a": "ü"})
    return Anchor(entry.sequence, entry.hash)


async def head_of(call: Any) -> str:
    """The head that a call's answer told, whatever came of the call."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        trailing = error.trailing_metadata()
    else:
        trailing = await call.trailing_metadata()
    return dict(trailing or ()).get(HEAD, "")


async def exported(api: Api, after: int = 0) -> list[list[pb.AuditLogEntry]]:
    call = AuditLogServiceStub(api.channel).ExportEntries(pb.ExportEntriesRequest(after_sequence=after))
    return [list(batch.entries) async for batch in call]


async def test_export_is_the_whole_log_in_batches(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest first; what a client computes from the messages are the hashes that the service wrote."""
    monkeypatch.setattr(flow, "_BATCH", 2)
    head = await append(api, 5)
    batches = await exported(api)
    chain = Chain()
    for batch in batches:
        for entry in batch:
            chain.take(entry_of(entry))

    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert (chain.verdict().intact, chain.verdict().head) == (True, head)
    assert [entry.sequence for batch in await exported(api, after=3) for entry in batch] == [4, 5]


async def test_export_ends_at_the_head_of_its_start(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never end beside a service that is busy."""
    monkeypatch.setattr(flow, "_BATCH", 1)
    await append(api, 2)
    batches = flow.export(api.services, 0)
    found = [await anext(batches)]
    await append(api, 2)
    found += [batch async for batch in batches]

    assert [entry.sequence for (entry,) in found] == [1, 2]


async def test_slow_export_holds_no_connection(api: Api) -> None:
    """The store has ten; readers that stop reading must not take them."""
    await append(api, 1)
    batches = [flow.export(api.services, 0) for _ in range(12)]
    for begun in batches:
        await anext(begun)

    async with api.services.store.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    for begun in batches:
        await begun.aclose()


async def test_anchors_are_compared(api: Api) -> None:
    """With a sentence that says what is wrong."""
    head = await append(api, 2)
    stub = AuditLogServiceStub(api.channel)
    right = await stub.VerifyEntries(pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=2, hash=head.hash)]))
    wrong = await stub.VerifyEntries(pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=2, hash="0" * 64)]))

    assert (right.intact, right.message) == (True, "")
    assert (wrong.intact, wrong.first_broken_sequence) == (False, 1)
    assert "One of the entries 1 to 2 was rewritten" in wrong.message


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("VerifyEntries", pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=1, hash="a" * 64), pb.Anchor(sequence=1)]), "anchors[1]"),
        ("VerifyEntries", pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=0, hash="a" * 64)]), "anchors[0]"),
        ("VerifyEntries", pb.VerifyEntriesRequest(anchors=[pb.Anchor(sequence=1, hash="A" * 64)]), "anchors[0]"),
        ("ExportEntries", pb.ExportEntriesRequest(after_sequence=-1), "after_sequence"),
    ],
)
async def test_bad_places_are_named(shared_api: Api, method: str, request_: Any, field: str) -> None:
    """By the path of the field."""
    call = getattr(AuditLogServiceStub(shared_api.channel), method)(request_)
    with pytest.raises(grpc.aio.AioRpcError, match="INVALID_ARGUMENT") as raised:
        await (call.read() if method == "ExportEntries" else call)

    assert field in str(raised.value.details())


async def test_every_answer_tells_the_head(api: Api) -> None:
    """A call that changed something tells at least its own entry; errors and streams tell it, too."""
    databases, log = DatabaseServiceStub(api.channel), AuditLogServiceStub(api.channel)
    empty = await head_of(log.ListEntries(pb.ListEntriesRequest()))
    adding = await head_of(databases.AddDatabase(AddDatabaseRequest(name="shop", dsn=DsnSource(env="TARGET"))))
    failing = await head_of(databases.AddDatabase(AddDatabaseRequest(name="other", dsn=DsnSource(env="NOT_SET"))))
    absent = await head_of(databases.GetDatabase(GetDatabaseRequest(name="nobody")))
    stream = log.ExportEntries(pb.ExportEntriesRequest())
    entries = [entry async for batch in stream for entry in batch.entries]
    streamed = dict(await stream.trailing_metadata() or ())[HEAD]

    first, second = (f"{entry.sequence}:{entry.hash}" for entry in entries)
    assert [empty, adding, failing, absent, streamed] == ["", first, second, second, second]
