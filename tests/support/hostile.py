"""Requests that nobody should send, made from the descriptors of the API: the same for the same seed."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

Metadata = tuple[tuple[str, str | bytes], ...]

_TEXTS: tuple[str, ...] = (
    *("", " ", "\0", "a\0b", "shop", "shop'; DROP TABLE holdfastd.jobs; --", "%s%n%x", "${jndi:ldap://x}", "../../etc/passwd"),
    *("/dev/zero", "/proc/self/environ", "\ud7ff\ue000", "\U0010ffff" * 50, "é" * 3000, "x" * 100_000, "A" * 64, "-" * 64, "null"),
    *("job-0650a1b2c3d4e5f60718", "plan-0650a1b2c3d4e5f60718", "\r\nx-evil: 1", "\x1b[2J", "postgresql://a:b@127.0.0.1:1/x", "{}", "[]"),
    *("0oUKJnureyJ2IjoxfQ", "AAAA", "=" * 20, "eyJ2IjoxfQ==", "😀", "﷽" * 100, "00000000-0000-0000-0000-000000000000", "* * * * *"),
)
#: What gets past the first look, so that the second is tried, too.
_PLAUSIBLE = {
    **dict.fromkeys(("database", "name"), "shop"),
    **dict.fromkeys(("id", "job_id", "audit_id", "plan_id", "base", "head"), "job-0650a1b2c3d4e5f60718"),
    "request_id": "123e4567-e89b-12d3-a456-426614174000",
    **dict.fromkeys(("page_token", "resume_token", "etag"), ""),
}
_INTEGERS = (0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 315_576_000_001, 999_999_999, 1_000_000_000, 10**6)
_FLOATS = (0.0, -0.0, -1.0, 1e308, -1e308, float("inf"), float("-inf"), float("nan"), 5e-324)
_KEYS = ("x-request-id", "x-holdfast-principal", "authorization", "x-evil", "grpc-tags-bin")
_VALUES = ("", "%", "%ff%fe", "%00", "x" * 3000, "Bearer ", "Bearer " + "A" * 500, "Basic Og==", "~" * 250)


class Attacker:
    """Makes hostile requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._plausible = False

    def requests(self, methods: list[MethodDescriptor], count: int) -> Iterator[tuple[MethodDescriptor, bytes, Metadata]]:
        """Yield so many requests, every method in turn."""
        for number in range(count):
            method = methods[number % len(methods)]
            yield method, self._body(method), self._metadata()

    def _body(self, method: MethodDescriptor) -> bytes:
        kind = self._random.randrange(10)
        if kind == 0:
            return self._random.randbytes(self._random.choice((1, 7, 60, 5_000)))
        message = GetMessageClass(method.input_type)()
        self._plausible = self._random.random() < 0.6
        self._fill(message, depth=0)
        body = bytes(message.SerializePartialToString())
        if kind == 1 and body:
            # One byte of a good message is another one, or the end is missing.
            place = self._random.randrange(len(body))
            return body[:place] + (self._random.randbytes(1) + body[place + 1 :]) * self._random.randrange(2)
        if kind == 2:
            # Fields that nobody knows, groups among them, and the same message again.
            return body + b"\xf8\xff\xff\xff\x0f\x01" + b"\xa3\x06" * 200 + body
        return body

    def _fill(self, message: Message, depth: int) -> None:
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < 0.25 or depth > 5:
                continue
            if field.is_repeated:
                self._fill_repeated(message, field, depth)
            elif field.message_type is not None:
                self._fill(getattr(message, field.name), depth + 1)
                getattr(message, field.name).SetInParent()
            else:
                setattr(message, field.name, self._value(field))

    def _fill_repeated(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        items: Any = getattr(message, field.name)
        count = self._random.choice((1, 3, 200 if depth < 2 else 2))
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return
        for _ in range(count):
            if field.message_type is not None:
                self._fill(items.add(), depth + 2)
            else:
                items.append(self._value(field, largest=1_000 if count == 200 else 100_000))

    def _value(self, field: FieldDescriptor, largest: int = 100_000) -> Any:
        if field.enum_type is not None:
            return self._random.choice((0, 1, 2) if self._plausible else (0, 1, 2, 77, -1, 2**31 - 1, -(2**31)))
        made: dict[int, Callable[[], Any]] = {
            FieldDescriptor.CPPTYPE_STRING: lambda: self._text(field, largest),
            FieldDescriptor.CPPTYPE_BOOL: lambda: bool(self._random.randrange(2)),
            FieldDescriptor.CPPTYPE_INT32: lambda: self._integer(-(2**31), 2**31 - 1),
            FieldDescriptor.CPPTYPE_UINT32: lambda: self._integer(0, 2**32 - 1),
            FieldDescriptor.CPPTYPE_INT64: lambda: self._integer(-(2**63), 2**63 - 1),
            FieldDescriptor.CPPTYPE_UINT64: lambda: self._integer(0, 2**64 - 1),
            FieldDescriptor.CPPTYPE_DOUBLE: lambda: self._random.choice(_FLOATS),
            FieldDescriptor.CPPTYPE_FLOAT: lambda: self._random.choice(_FLOATS),
        }
        return made[field.cpp_type]()

    def _text(self, field: FieldDescriptor, largest: int) -> Any:
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._random.randbytes(self._random.choice((0, 1, 1_000)))
        if self._plausible and field.name in _PLAUSIBLE and self._random.random() < 0.9:
            return _PLAUSIBLE[field.name]
        return self._random.choice(_TEXTS)[:largest]

    def _integer(self, least: int, most: int) -> int:
        if self._plausible and self._random.random() < 0.7:
            return self._random.choice((0, 1, 10))
        return max(least, min(most, self._random.choice(_INTEGERS)))

    def _metadata(self) -> Metadata:
        if self._random.randrange(4):
            return ()
        key = self._random.choice(_KEYS)
        if key.endswith("-bin"):
            return ((key, self._random.randbytes(100)),)
        return ((key, self._random.choice(_VALUES)),)
