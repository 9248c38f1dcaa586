"""Values as JSON documents, the way the store keeps what it never looks into."""

from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")


def encode(value: Any) -> str:
    """Return a value as JSON text."""
    return msgspec.json.encode(value).decode()


def decode(text: str, kind: type[_T]) -> _T:
    """Return the value of a kind that JSON text holds."""
    return msgspec.json.decode(text, type=kind)


def storable(text: str) -> str:
    """Return text as it came, but for NUL, which PostgreSQL's text cannot hold."""
    return text.replace("\0", "\ufffd")


def searchable(text: str) -> str:
    """Return text that a caller typed so that PostgreSQL can look for it: its text holds no NUL, so nothing has such an id."""
    return "" if "\0" in text else text
