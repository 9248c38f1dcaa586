"""What comes beside a request: its request id, and who calls, stated or shown. In come metadata, out go checked strings."""

import random
import re
import uuid
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from holdfastd.errors import InvalidField
from holdfastd.rpc.status import REQUEST_ID

PRINCIPAL = "x-holdfast-principal"
ANONYMOUS = "anonymous"
AUTHORIZATION = "authorization"

_MAX_PRINCIPAL = 200
_USABLE_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,64}\Z")

#: gRPC gives text for ordinary keys and bytes for keys that end in `-bin`.
Metadata = Iterable[tuple[str, str | bytes]]


def request_id(metadata: Metadata) -> str:
    """Return the caller's request id when it can be used in logs and headers, else a new one."""
    stated = _value(metadata, REQUEST_ID)
    return stated if _USABLE_REQUEST_ID.match(stated) else _new_id()


def _new_id() -> str:
    # It need not be hard to guess, and uuid4 asks the kernel.
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


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


def bearer(metadata: Metadata) -> str | None:
    """Return the token of `authorization: Bearer TOKEN`; None without that header, empty for one of another kind, or for several."""
    values = [value for key, value in metadata if key == AUTHORIZATION]
    if not values:
        return None
    scheme, _, token = str(values[0]).partition(" ")
    return token.strip() if len(values) == 1 and scheme.lower() == "bearer" else ""


def certificate_identities(shown: Mapping[str, Iterable[bytes]]) -> frozenset[str]:
    """Return whom a verified client certificate speaks for: its URIs, and its DNS names as `dns:…`.

    Its common name says nothing: it has no kind, and authorities put what they like there.
    """
    # By kind: the list of all alternative names holds a DNS name `spiffe://…` just as it holds such a URI.
    uris = (value.decode(errors="replace") for value in shown.get("peer_uri", ()))
    names = (f"dns:{value.decode(errors='replace').lower()}" for value in shown.get("peer_dns", ()))
    return frozenset((*uris, *names))


def _value(metadata: Metadata, wanted: str) -> str:
    for key, value in metadata:
        if key == wanted and isinstance(value, str):
            return value
    return ""
