"""A failed call is one exception with the service's reason and facts."""

import time

import grpc
import pytest

from holdfast import Holdfast, HoldfastError, Job
from holdfast.v1 import core_pb2 as core
from holdfast.v1.job_service_pb2 import GetJobResponse
from support.scripted import Failure, ScriptedServer


async def failure_of(answer: Failure) -> HoldfastError:
    with ScriptedServer() as server:
        server.answers["ApprovePlan"] = answer
        async with Holdfast(server.address) as client:
            with pytest.raises(HoldfastError) as raised:
                await client.approve_plan("p1")
    assert raised.value.request_id == server.metadata[0]["x-request-id"]
    return raised.value


async def test_reason_and_facts_come_from_error_info():
    """The message is for people, reason and metadata are for programs."""
    error = await failure_of(
        Failure(code=grpc.StatusCode.FAILED_PRECONDITION, message="It changed.", reason="PLAN_DRIFTED", metadata={"changes": "x"})
    )

    assert error.reason == "PLAN_DRIFTED"
    assert "It changed." == str(error) == error.message
    assert error.metadata == {"changes": "x"}
    assert grpc.StatusCode.FAILED_PRECONDITION is error.code
    assert not error.field


async def test_field_comes_from_bad_request():
    """A malformed field is named by its path."""
    error = await failure_of(
        Failure(code=grpc.StatusCode.INVALID_ARGUMENT, message="Too long.", reason="INVALID_FIELD", field="policy.overrides[2]")
    )

    assert error.field == "policy.overrides[2]"


async def test_what_the_transport_says_is_said_in_our_words():
    """Without an ErrorInfo the code is the reason."""
    error = await failure_of(Failure(code=grpc.StatusCode.UNIMPLEMENTED, message="Method not found!"))

    assert error.reason == "UNIMPLEMENTED"
    assert "does not know this call" in error.message


async def test_no_server_is_a_sentence_with_the_address(unused_tcp_port: int):
    """Nobody has to read `failed to connect to all addresses`."""
    async with Holdfast(f"127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(HoldfastError, match=f"127.0.0.1:{unused_tcp_port}; check the address") as raised:
            await client.get_job("j1")

    assert raised.value.reason == "UNAVAILABLE"


async def test_deadline_is_an_error_of_ours():
    """A service that does not answer in time."""

    def hang(_: object) -> GetJobResponse:
        time.sleep(0.5)
        return GetJobResponse()

    with ScriptedServer() as server:
        server.answers["GetJob"] = hang
        async with Holdfast(server.address, timeout=0.1) as client:
            with pytest.raises(HoldfastError, match="did not answer in time") as raised:
                await client.get_job("j1")

    assert raised.value.reason == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    ("job", "reason", "words"),
    [
        (Job(id="j1", state=core.JOB_STATE_FAILED, error_reason="LOCK_TIMEOUT", error_message="Busy."), "LOCK_TIMEOUT", "Busy."),
        (Job(id="j1", state=core.JOB_STATE_CANCELLED), "CANCELLED", "Job j1 was cancelled"),
    ],
)
def test_failed_job_is_the_same_exception(job: Job, reason: str, words: str):
    """Programs handle refused calls and failed jobs alike."""
    error = HoldfastError.from_job(job)

    assert reason == error.reason
    assert words in error.message
    assert error.metadata == {"job_id": "j1"}
