"""Checks of single request fields. In comes what the caller typed; out goes a value that can be meant, or InvalidField with its path.

A well-formed id that nobody has is not our business: the store answers NotFound.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from holdfastd.errors import InvalidField
from holdfastd.names import MAX_NAME_BYTES
from holdfastd.rpc import tokens

MAX_TEXT_BYTES = 4096
DEFAULT_PAGE = 100
MAX_PAGE = 1000
#: What a timedelta just holds.
_LONGEST_DURATION_SECONDS = 86_400 * 999_999
_NANOS = 1_000_000_000

_DATABASE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
#: Wider than the ids we give: what merely does not exist is NOT_FOUND, not malformed.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where a list goes on, and how far."""

    size: int
    scope: tuple[str, ...]
    #: Empty for the first page.
    cursor: tuple[str, ...]

    @property
    def limit(self) -> int:
        """What to ask the flow for: one more than fits tells whether there is a next page."""
        return self.size + 1

    @property
    def after(self) -> str:
        """The id of the last item of the previous page; empty for the first."""
        return self.cursor[-1] if self.cursor else ""

    @property
    def position(self) -> int:
        """The position of the last item of the previous page; 0 for the first."""
        return int(self.after or 0)

    def cut(self, items: Sequence[_Item], cursor_of: Callable[[_Item], tuple[str, ...]]) -> tuple[Sequence[_Item], str]:
        """Return the items of this page and the token of the next; an empty token on the last page."""
        if len(items) <= self.size:
            return items, ""
        kept = items[: self.size]
        return kept, tokens.page_token(self.scope, cursor_of(kept[-1]))


def page(size: int, token: str, *scope: object, parts: Iterable[str] = ("id",)) -> Page:
    """Return the page asked for. The scope is the method and its filters; `parts` are the kinds of the cursor's parts."""
    if size < 0:
        raise InvalidField("page_size", "page_size is negative; 0 means the default.")
    named = tuple(str(part) for part in scope)
    cursor = tokens.page_cursor(token, named) if token else ()
    if cursor:
        _check_cursor(cursor, tuple(parts))
    return Page(size=min(size or DEFAULT_PAGE, MAX_PAGE), scope=named, cursor=cursor)


def database_name(name: str, field: str = "database") -> str:
    """Return the name of a database."""
    if not _DATABASE_NAME.match(name):
        shape = "a lower-case letter, then up to 62 lower-case letters, digits, `_` or `-`"
        raise InvalidField(field, f"{field} is not the name of a database: {shape}.")
    return name


def is_database_name(name: object) -> bool:
    """Tell whether something is shaped like the name of a database."""
    return isinstance(name, str) and _DATABASE_NAME.match(name) is not None


def database_filter(name: str) -> str:
    """Return the name of a database, or nothing for all."""
    return database_name(name) if name else ""


def identifier(value: str, field: str) -> str:
    """Return the id of a resource."""
    if not _ID.match(value):
        raise InvalidField(field, f"{field} is not an id; ids look like job-0650a1b2c3d4e5f60718.")
    return value


def optional_identifier(value: str, field: str) -> str:
    """Return the id of a resource, or nothing."""
    return identifier(value, field) if value else ""


def request_id(value: str) -> str:
    """Return the id under which a request is done only once, or nothing. One spelling of a UUID only, or two would be one."""
    lowered = value.lower()
    if value and not _UUID.match(lowered):
        raise InvalidField("request_id", "request_id is not a UUID such as 123e4567-e89b-12d3-a456-426614174000.")
    return lowered


def text(value: str, field: str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return a text that may be empty. PostgreSQL stores no NUL."""
    if len(value.encode()) > max_bytes:
        raise InvalidField(field, f"{field} is longer than {max_bytes} bytes.")
    if "\0" in value:
        raise InvalidField(field, f"{field} holds a NUL.")
    return value


def required(value: str, field: str, *, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return a text that says something."""
    if not value.strip():
        raise InvalidField(field, f"{field} is empty.")
    return text(value, field, max_bytes=max_bytes)


def column_names(names: Sequence[str], field: str) -> tuple[str, ...]:
    """Return names of columns, each once."""
    for position, name in enumerate(names):
        required(name, f"{field}[{position}]", max_bytes=MAX_NAME_BYTES)
        if name in names[:position]:
            raise InvalidField(f"{field}[{position}]", f"{field} names a column twice.")
    return tuple(names)


def _check_cursor(cursor: tuple[str, ...], parts: tuple[str, ...]) -> None:
    checks: dict[str, Callable[[str], bool]] = {
        "id": lambda value: bool(_ID.match(value)),
        "name": lambda value: bool(_DATABASE_NAME.match(value)),
        "number": lambda value: value.isascii() and value.isdecimal() and len(value) < 19,  # noqa: PLR2004 (a bigint)
    }
    if len(cursor) != len(parts) or not all(checks[part](value) for part, value in zip(parts, cursor, strict=True)):
        raise InvalidField("page_token", "The page token is damaged; send it as it was received.")


def duration(message: Duration) -> timedelta | None:
    """Return how long a message means, in whole microseconds; None for what is negative, too long or malformed."""
    if not (0 <= message.seconds <= _LONGEST_DURATION_SECONDS and 0 <= message.nanos < _NANOS):
        return None
    return timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)
