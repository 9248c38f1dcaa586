"""A gRPC server that answers what a test tells it to: for client and command line, whose subject is what they do with answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

import grpc
from google.protobuf import message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from holdfast.channel import SERVICE_FILES


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A status to answer with."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    field: str = ""

    def status(self) -> grpc.Status:
        """Return the status with its details."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        if self.reason:
            info = error_details_pb2.ErrorInfo(reason=self.reason, domain="holdfast", metadata=self.metadata)
            status.details.append(_pack(info))
        if self.field:
            violation = error_details_pb2.BadRequest.FieldViolation(field=self.field, description=self.message)
            status.details.append(_pack(error_details_pb2.BadRequest(field_violations=[violation])))
        return rpc_status.to_status(status)


Answer = Message | Failure | list[Message] | Callable[[Message], Message]


class ScriptedServer:
    """Answers by the name of the rpc; a list is a stream; a function is called with the request. With credentials it speaks TLS."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Message] = []
        self.metadata: list[dict[str, str]] = []
        self.trailing: tuple[tuple[str, str], ...] = ()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        for file in SERVICE_FILES:
            for service in file.services_by_name.values():
                handlers = {method.name: self._handler(method) for method in service.methods}
                self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        if credentials is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def _handler(self, method) -> grpc.RpcMethodHandler:
        decode = message_factory.GetMessageClass(method.input_type).FromString

        def answer(request: Message, context: grpc.ServicerContext) -> Message | list[Message]:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            context.set_trailing_metadata(self.trailing)
            found = self.answers.get(method.name) or Failure(code=grpc.StatusCode.UNIMPLEMENTED, message=f"no {method.name}")
            if isinstance(found, Failure):
                status = found.status()
                context.abort_with_status(status._replace(trailing_metadata=(*self.trailing, *status.trailing_metadata)))
            return found(request) if callable(found) else found

        def stream(request: Message, context: grpc.ServicerContext) -> Iterator[Message]:
            yield from answer(request, context)

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, decode, _encode)
        return grpc.unary_unary_rpc_method_handler(answer, decode, _encode)


def _encode(message: Message) -> bytes:
    return message.SerializeToString()


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
