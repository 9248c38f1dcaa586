"""The handlers of all methods, once for all ways they are called: gRPC gets them, and who else asks finds them here by path."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import grpc

#: What a method does with its request.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Handlers:
    """Stands for the server where generated code adds a servicer, and hands on what it is given."""

    def __init__(self, server: grpc.aio.Server) -> None:
        """Take the server to hand on to."""
        self._server = server
        self.by_path: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Hand on."""
        self._server.add_generic_rpc_handlers(tuple(handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Keep them by `/service/method`, and hand on."""
        self.by_path |= {f"/{service}/{method}": handler for method, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, dict(handlers))
