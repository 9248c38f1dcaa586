"""What a caller states beside the request: its request id and its principal. In comes metadata, out go checked strings."""

import re
import uuid
from collections.abc import Iterable
from urllib.parse import unquote

from holdfastd.errors import InvalidField
from holdfastd.rpc.status import REQUEST_ID

PRINCIPAL = "x-holdfast-principal"
ANONYMOUS = "anonymous"

_MAX_PRINCIPAL = 200
_USABLE_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,64}\Z")

#: gRPC gives text for ordinary keys and bytes for keys that end in `-bin`.
Metadata = Iterable[tuple[str, str | bytes]]


def request_id(metadata: Metadata) -> str:
    """Return the caller's request id when it can be used in logs and headers, else a new one."""
    stated = _value(metadata, REQUEST_ID)
    return stated if _USABLE_REQUEST_ID.match(stated) else str(uuid.uuid4())


def principal(metadata: Metadata) -> str:
    """Return who the caller says it is. Percent-encoded, because headers hold ASCII only."""
    stated = _value(metadata, PRINCIPAL)
    try:
        name = unquote(stated, errors="strict")
    except UnicodeDecodeError:
        raise InvalidField(PRINCIPAL, "The principal is not percent-encoded UTF-8.") from None
    # Cutting or cleaning a name would write somebody else into the audit log.
    if len(name) > _MAX_PRINCIPAL or not name.isprintable():
        raise InvalidField(PRINCIPAL, f"A principal has at most {_MAX_PRINCIPAL} printable characters.")
    return name or ANONYMOUS


def _value(metadata: Metadata, wanted: str) -> str:
    for key, value in metadata:
        if key == wanted and isinstance(value, str):
            return value
    return ""
