"""The client: in come the names of databases, plans and jobs; out come jobs, followed to their end through broken connections."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import timedelta
from types import TracebackType
from typing import Self

import grpc
from grpc.aio import AioRpcError

from holdfast.addresses import parse
from holdfast.calls import Calls
from holdfast.calls.caller import new_id
from holdfast.channel import metadata, open_channel
from holdfast.errors import HoldfastError, is_cut
from holdfast.security import Tls, Token, bearer, refuse_exposed_token
from holdfast.v1.audit_log_service_pb2 import ExportEntriesRequest, ExportEntriesResponse
from holdfast.v1.audit_service_pb2 import IntendedRelationship
from holdfast.v1.core_pb2 import Event, Job, Plan, Throttle
from holdfast.v1.job_service_pb2 import WatchJobRequest, WatchJobResponse
from holdfast.v1.plan_service_pb2 import Policy
from holdfast.watching import Patience, Stream, StreamCut, watch

DEFAULT_SERVER = "127.0.0.1:7443"


class Holdfast(Calls):
    """A connection to the Holdfast service; make it inside a running event loop.

        async with Holdfast("127.0.0.1:7443", principal="me@host") as holdfast:
            async for item in holdfast.audit("shop"):
                ...

    Every rpc is a method that returns the response message. `audit`, `apply`, `roll_back`, `restore` and `watch` are async iterators of the
    job as it stands, every event exactly once and, last, the job as it ended; they reconnect by themselves.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        principal: str = "",
        token: Token = "",
        tls: Tls | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        allow_plaintext_token: bool = False,
        timeout: float = 300.0,
        patience: Patience | None = None,
    ) -> None:
        """Take where Holdfast is and how to call it; CannotConnect (a ValueError) when that cannot be meant.

        `server` is an address, several with commas between, or one of gRPC's own such as `dns:///holdfast:7443`; with several, calls take
        turns and watches go on elsewhere when a replica stops. `principal` says who calls where the service asks for no credentials;
        `token` is a bearer token or what returns one; `tls` or ready-made `credentials` encrypt, without them the channel is plaintext, and
        a token is refused then unless the address is loopback or `allow_plaintext_token` is given. `timeout` is the deadline of a call in
        seconds, `patience` how long to reconnect.
        """
        addresses = parse(server)
        has_token = not isinstance(token, str) or bool(token)
        is_encrypted = tls is not None or credentials is not None
        refuse_exposed_token(addresses, has_token=has_token, is_encrypted=is_encrypted, allow_plaintext_token=allow_plaintext_token)
        ready = credentials or (tls.credentials() if tls else None)
        self._channel = open_channel(addresses, ready, server_name=tls.server_name if tls else "")
        self._patience = patience or Patience()
        super().__init__(self._channel, server=server, principal=principal, token=token, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        await self._channel.close()

    async def plan(self, database: str, policy: Policy | None = None) -> Plan:
        """Make a plan from the latest audit."""
        return (await self.create_plan(database, policy=policy)).plan

    async def audit(
        self, database: str, *, estimate_after: timedelta | None = None, intent: Iterable[IntendedRelationship] = ()
    ) -> AsyncGenerator[Job | Event, None]:
        """Audit a database and follow it; the last item is the job as it ended, whose audit_id leads to the results.

        `intent` is what applications declare: `read_intent("schema.prisma").relationships` of holdfast.intent.sources.
        """
        started = await self.start_audit(database, estimate_after=estimate_after, intent=intent)
        async with aclosing(self.watch(started.job.id)) as items:
            async for item in items:
                yield item

    async def apply(self, plan_id: str, *, throttle: Throttle | None = None) -> AsyncGenerator[Job | Event, None]:
        """Apply an approved plan and follow it; the last item is the job as it ended, with its verifications."""
        started = await self.start_application(plan_id, throttle=throttle)
        async with aclosing(self.watch(started.job.id)) as items:
            async for item in items:
                yield item

    async def roll_back(self, job_id: str, *, throttle: Throttle | None = None) -> AsyncGenerator[Job | Event, None]:
        """Undo an application and follow it; the last item is the job as it ended."""
        started = await self.start_rollback(job_id, throttle=throttle)
        async with aclosing(self.watch(started.job.id)) as items:
            async for item in items:
                yield item

    async def restore(
        self, job_id: str, *, relationship_ids: Sequence[str] = (), relink: bool = False, throttle: Throttle | None = None
    ) -> AsyncGenerator[Job | Event, None]:
        """Put rows of an application back while its keys stay, and follow it; the last item is the job as it ended."""
        started = await self.start_restore(job_id, relationship_ids=relationship_ids, relink=relink, throttle=throttle)
        async with aclosing(self.watch(started.job.id)) as items:
            async for item in items:
                yield item

    async def watch(self, job_id: str) -> AsyncGenerator[Job | Event, None]:
        """Follow a job from its first event; the last item is the job as it ended."""
        async with aclosing(self.watch_job(job_id)) as messages:
            async for message in messages:
                match message.WhichOneof("payload"):
                    case "snapshot":
                        yield message.snapshot
                    case "event":
                        yield message.event
                    case "final":
                        yield message.final
                    case _:
                        pass  # a heartbeat, or something newer than this client

    async def watch_job(self, job_id: str, *, resume_token: str = "") -> AsyncGenerator[WatchJobResponse, None]:
        """Yield the messages of WatchJob as they are: snapshot, events after the token, heartbeats, final state."""
        request_id, authorization = new_id(), ""

        def open_stream(token: str) -> Stream:
            nonlocal authorization
            authorization = bearer(self._token)
            request = WatchJobRequest(id=job_id, resume_token=token)
            return self._jobs.WatchJob(request, metadata=metadata(self._principal, request_id, authorization))

        def may_go_on(error: AioRpcError) -> bool:
            # A watch may outlive the token that it began with.
            is_renewed = error.code() is grpc.StatusCode.UNAUTHENTICATED and bearer(self._token) != authorization
            return is_cut(error) or is_renewed

        try:
            stream = watch(open_stream, resume_token=resume_token, patience=self._patience, may_go_on=may_go_on)
            async with aclosing(stream) as messages:
                async for message in messages:
                    yield message
        except AioRpcError as error:
            raise HoldfastError.from_rpc(error, server=self._server, request_id=request_id) from error
        except StreamCut as error:
            words = f"The stream from {self._server} keeps breaking; job {job_id} goes on, watch it again."
            raise HoldfastError(words, reason="UNAVAILABLE", code=grpc.StatusCode.UNAVAILABLE, request_id=request_id) from error

    async def export_entries(self, after_sequence: int = 0) -> AsyncGenerator[ExportEntriesResponse, None]:
        """Yield the audit log in batches, oldest first, after an entry; a batch that takes longer than the timeout is an error."""
        request = ExportEntriesRequest(after_sequence=after_sequence)
        batches = self._stream(self._log.ExportEntries, request, late="export again, what was written is kept")
        async with aclosing(batches):
            async for batch in batches:
                yield batch
