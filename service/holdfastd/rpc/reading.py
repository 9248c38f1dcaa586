"""Bytes that are no request: gRPC itself would answer UNKNOWN and name our classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from holdfastd.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a request that cannot be read."""

    #: The path of the field that is wrong; empty when it cannot be told. Then what is wrong and what to do.
    field: str = ""
    problem: str = "The request cannot be read as a message of this method; generate the client from the same proto files."


def lenient(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a deserializer that gives Unreadable instead of raising: where it raises, nobody can answer for it. None takes bytes."""
    if deserialize is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return Unreadable()

    return read


def check_readable(request: Any) -> None:
    """Raise InvalidField for what stands for an unreadable request."""
    if isinstance(request, Unreadable):
        raise InvalidField(request.field, request.problem)
