"""What every call shares: who calls, until when, how a failure is told, and what an answer says about the audit log."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterable
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

from holdfast.channel import AUDIT_HEAD, metadata
from holdfast.errors import HoldfastError
from holdfast.log_file import Anchor
from holdfast.security import Token, bearer

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Caller:
    """Makes calls on an open channel."""

    def __init__(self, channel: grpc.aio.Channel, *, server: str, principal: str, token: Token = "", timeout: float) -> None:
        """Take an open channel, the words and the token that say who is calling, and the deadline of every call in seconds."""
        #: The newest entry of the audit log that an answer told of; kept elsewhere, it proves later that nobody changed the log.
        self.audit_head: Anchor | None = None
        self._channel = channel
        self._server = server
        self._principal = principal
        self._token = token
        self._timeout = timeout

    async def _call(self, method: UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        request_id = new_id()
        try:
            call = method(request, metadata=self._metadata(request_id), timeout=self._timeout)
            response = await call
            self._note_head(await call.trailing_metadata())
        except AioRpcError as error:
            self._note_head(error.trailing_metadata())
            raise HoldfastError.from_rpc(error, server=self._server, request_id=request_id) from error
        return response

    async def _stream(
        self, method: UnaryStreamMultiCallable[Request, Response], request: Request, *, late: str
    ) -> AsyncGenerator[Response, None]:
        """Yield the responses of a stream that ends by itself. One later than the timeout is an error; `late` says what to do then."""
        request_id = new_id()
        call = method(request, metadata=self._metadata(request_id))
        try:
            while True:
                async with asyncio.timeout(self._timeout):
                    response = await call.read()
                if not isinstance(response, Message):
                    break
                yield response  # type: ignore[misc]  # all but the end of the stream are responses
            self._note_head(await call.trailing_metadata())
        except AioRpcError as error:
            self._note_head(error.trailing_metadata())
            raise HoldfastError.from_rpc(error, server=self._server, request_id=request_id) from error
        except TimeoutError as error:
            words = f"Holdfast at {self._server} did not go on in time; {late}."
            code = grpc.StatusCode.DEADLINE_EXCEEDED
            raise HoldfastError(words, reason=code.name, code=code, request_id=request_id) from error
        finally:
            call.cancel()

    def _metadata(self, request_id: str) -> tuple[tuple[str, str], ...]:
        return metadata(self._principal, request_id, bearer(self._token))

    def _note_head(self, trailing: Iterable[tuple[str, str | bytes]] | None) -> None:
        for key, value in trailing or ():
            seen = Anchor.parse(str(value)) if key == AUDIT_HEAD else None
            # Replicas learn of each other's entries a moment later.
            if seen and (self.audit_head is None or seen.sequence > self.audit_head.sequence):
                self.audit_head = seen


def new_id() -> str:
    """Return a fresh id for a request."""
    return str(uuid.uuid4())
