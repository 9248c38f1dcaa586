"""What a call carries, what is tried again, and how lists are read to their end."""

import functools
import uuid
from urllib.parse import unquote

import grpc
import pytest

import holdfast
from holdfast import Holdfast, HoldfastError, every_page
from holdfast.channel import SERVICE_FILES, is_repeatable, metadata
from holdfast.v1.audit_service_pb2 import Audit, StartAuditResponse
from holdfast.v1.core_pb2 import Job
from holdfast.v1.job_service_pb2 import ListJobsRequest, ListJobsResponse
from support.scripted import Failure, ScriptedServer

AWAY = Failure(code=grpc.StatusCode.UNAVAILABLE, message="not now", reason="STORE_UNAVAILABLE")


def test_every_rpc_has_a_method():
    """The contract grows here first."""
    renamed = {"apply_plan": "start_application", "roll_back": "start_rollback", "restore_rows": "start_restore"}
    rpcs = [method.name for file in SERVICE_FILES for service in file.services_by_name.values() for method in service.methods]
    names = ["".join("_" + letter.lower() if letter.isupper() else letter for letter in rpc).lstrip("_") for rpc in rpcs]

    assert [name for name in names if not hasattr(Holdfast, renamed.get(name, name))] == []
    assert len(names) >= 26


def test_only_repeatable_calls_are_tried_again():
    """Reads and starts with a request_id; never what would happen twice, and never streams."""
    methods = [method for file in SERVICE_FILES for service in file.services_by_name.values() for method in service.methods]
    changing = {method.name for method in methods if not is_repeatable(method)}

    assert {
        "AddDatabase",
        "UpdateDatabase",
        "RemoveDatabase",
        "CheckDatabase",
        "ApprovePlan",
        "RejectPlan",
        "CancelJob",
        "PauseJob",
        "ResumeJob",
        "WatchJob",
        "ExportEntries",
        "ExportFindings",
        "ExportPlan",
        "RenderReport",
    } == changing


async def test_start_is_tried_again_with_the_same_request_id():
    """Four attempts at most; whichever arrived, it is one audit."""
    with ScriptedServer() as server:

        def third_time(_: object) -> StartAuditResponse:
            return StartAuditResponse(audit=Audit(id="a1"))

        server.answers["StartAudit"] = AWAY
        async with Holdfast(server.address) as client:
            with pytest.raises(HoldfastError, match="not now"):
                await client.start_audit("shop")
            assert len(server.requests) == 4
            assert len({request.request_id for request in server.requests}) == 1
            server.answers["StartAudit"] = third_time
            await client.start_audit("shop")

    first, *_, last = (uuid.UUID(request.request_id) for request in server.requests)
    assert first != last


async def test_change_is_not_tried_again():
    """Nobody knows whether it happened."""
    with ScriptedServer() as server:
        server.answers["RemoveDatabase"] = AWAY
        async with Holdfast(server.address) as client:
            with pytest.raises(HoldfastError, match="not now"):
                await client.remove_database("shop")

    assert len(server.requests) == 1


@pytest.mark.parametrize("principal", ["me@host", "Zoë Ångström", "50 % sure", "名前"])
async def test_principal_travels_in_ascii(principal: str):
    """Whatever the name, unquoting gives it back."""
    pairs = dict(metadata(principal, "r1"))

    assert pairs["x-holdfast-principal"].isascii()
    assert principal == unquote(pairs["x-holdfast-principal"])


async def test_principal_and_request_id_are_sent():
    """Both arrive; without a principal none is claimed."""
    with ScriptedServer() as server:
        server.answers["ListJobs"] = ListJobsResponse()
        async with Holdfast(server.address, principal="Zoë") as client:
            await client.list_jobs()
        async with Holdfast(server.address) as client:
            await client.list_jobs()

    assert server.metadata[0]["x-holdfast-principal"] == "Zo%C3%AB"
    assert "x-holdfast-principal" not in server.metadata[1]
    assert server.metadata[0]["x-request-id"] != server.metadata[1]["x-request-id"]


async def test_every_page_is_one_response():
    """All items, no token left, filters kept."""
    pages = {
        "": ListJobsResponse(jobs=[Job(id="1"), Job(id="2")], next_page_token="a"),
        "a": ListJobsResponse(jobs=[Job(id="3")], next_page_token="b"),
        "b": ListJobsResponse(jobs=[Job(id="4")]),
    }

    def page(request: ListJobsRequest) -> ListJobsResponse:
        return pages[request.page_token]

    with ScriptedServer() as server:
        server.answers["ListJobs"] = page
        async with Holdfast(server.address) as client:
            whole = await every_page(functools.partial(client.list_jobs, database="shop"))

    assert [job.id for job in whole.jobs] == ["1", "2", "3", "4"]
    assert not whole.next_page_token
    assert {"shop"} == {request.database for request in server.requests}


def test_version_is_the_projects():
    """Client and server are released together."""
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]

    assert project["version"] == holdfast.__version__
