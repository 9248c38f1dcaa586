"""Opaque tokens: where a list goes on, and where a watch goes on.

Base64 of versioned JSON with a checksum. A token says what it belongs to, so that one list's token cannot steer another. It holds
ids and positions only, nothing secret: the checksum notices damage, it does not authenticate, and what comes out is checked again.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from holdfastd.errors import InvalidField

_CHECKSUM_BYTES = 6
_MAX_LENGTH = 4096
_MAX_SEQUENCE = 2**63 - 1

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _PageToken:
    v: Literal[1] = 1
    #: Digest of the method and its filters.
    page: str
    cursor: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResumeToken:
    v: Literal[1] = 1
    #: The job.
    watch: str
    sequence: Annotated[int, msgspec.Meta(ge=0, le=_MAX_SEQUENCE)]


def page_token(scope: tuple[str, ...], cursor: tuple[str, ...]) -> str:
    """Return the token of the page after the cursor; the scope is the method and its filters."""
    return _pack(_PageToken(page=_digest(scope), cursor=cursor))


def page_cursor(token: str, scope: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cursor in a token; InvalidField when it is damaged or belongs to another method or other filters."""
    content = _unpack(token, "page_token", _PageToken)
    if content.page != _digest(scope):
        raise InvalidField("page_token", "The page token belongs to another list; send the same filters for every page.")
    return content.cursor


def resume_token(job_id: str, sequence: int) -> str:
    """Return the token that goes on after an event of a job."""
    return _pack(_ResumeToken(watch=job_id, sequence=sequence))


def resume_sequence(token: str, job_id: str) -> int:
    """Return the sequence in a token, 0 for an empty one; InvalidField when it is damaged or belongs to another job."""
    if not token:
        return 0
    content = _unpack(token, "resume_token", _ResumeToken)
    if content.watch != job_id:
        raise InvalidField("resume_token", "The resume token belongs to another job.")
    return content.sequence


def _digest(scope: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:16]


def _pack(content: Any) -> str:
    body = msgspec.json.encode(content)
    return base64.urlsafe_b64encode(_checksum(body) + body).decode().rstrip("=")


def _unpack(token: str, field: str, kind: type[_T]) -> _T:
    damaged = InvalidField(field, f"The {field.replace('_', ' ')} is damaged; send it as it was received.")
    if len(token) > _MAX_LENGTH:
        raise damaged
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        body = packed[_CHECKSUM_BYTES:]
        if packed[:_CHECKSUM_BYTES] == _checksum(body):
            return msgspec.json.decode(body, type=kind)
    except (binascii.Error, ValueError, RecursionError):
        # msgspec.DecodeError is a ValueError.
        raise damaged from None
    raise damaged


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(b"holdfast" + body).digest()[:_CHECKSUM_BYTES]
