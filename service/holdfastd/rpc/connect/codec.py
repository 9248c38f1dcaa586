"""Messages as bytes: proto3 JSON or the binary form. In comes what a caller sent, out goes a message, or what stands for none."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from holdfastd.rpc.reading import Unreadable

#: What takes longer to read or write than the loop should wait for is done in a thread.
_LARGE_BYTES = 32 * 1024

_UNKNOWN_FIELD = re.compile(r'has no field named "([\w.]{1,100})"')
_WRONG_VALUE = re.compile(r"Failed to parse (\w{1,100}) field")


@dataclass(frozen=True, slots=True)
class Codec:
    """One form of messages."""

    #: As the end of a content type.
    name: str
    is_json: bool

    async def read(self, data: bytes, kind: type[Message]) -> Any:
        """Return the message; Unreadable when the bytes are none of that kind."""
        return await _sized(len(data), _from_json if self.is_json else _from_binary, data, kind)

    async def write(self, message: Message) -> bytes:
        """Return the bytes of a message."""
        if not self.is_json:
            return message.SerializeToString()
        written: bytes = await _sized(message.ByteSize(), _to_json, message)
        return written


CODECS = {codec.name: codec for codec in (Codec("json", is_json=True), Codec("proto", is_json=False))}


async def _sized(size: int, work: Any, *arguments: Any) -> Any:
    return work(*arguments) if size < _LARGE_BYTES else await asyncio.to_thread(work, *arguments)


def _from_binary(data: bytes, kind: type[Message]) -> Any:
    try:
        return kind.FromString(data)
    except Exception:  # noqa: BLE001 (whatever the parser says, it is the caller's bytes)
        return Unreadable()


def _from_json(data: bytes, kind: type[Message]) -> Any:
    # The parser takes an empty list for an empty message.
    if data and not data.lstrip().startswith(b"{"):
        return _unreadable("")
    try:
        return json_format.Parse(data or b"{}", kind())
    except json_format.ParseError as error:
        return _unreadable(str(error))
    except (ValueError, RecursionError):
        return _unreadable("")


def _to_json(message: Message) -> bytes:
    return json.dumps(json_format.MessageToDict(message), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _unreadable(problem: str) -> Unreadable:
    # Never the parser's own words: they repeat values, and one of them may be a DSN.
    if found := _UNKNOWN_FIELD.search(problem):
        return Unreadable(found[1], f"The request has no field {found[1]}; the proto files name those that there are.")
    if found := _WRONG_VALUE.search(problem):
        return Unreadable(found[1], f"{found[1]} is not of the type that the proto files give it.")
    return Unreadable("", "The request is no JSON of this method's message; its fields are in the proto files.")
