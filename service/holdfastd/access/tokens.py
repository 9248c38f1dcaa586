"""What bearer tokens of ours look like. They are random and long, so a plain hash of one tells nothing about it."""

import hashlib
import re

#: Tells leaked tokens apart from other texts, for people and for scanners of repositories.
PREFIX = "holdfast_"
#: 256 bits.
RANDOM_BYTES = 32

_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}\Z")
_HASH = re.compile(r"sha256:([0-9a-f]{64})\Z")


def digest_of_token(token: str) -> str:
    """Return the hash of a token, as the access file holds it; empty when it does not have the form of one."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}" if _TOKEN.match(token) else ""


def is_digest(text: str) -> bool:
    """Tell whether a text is the hash of a token."""
    return _HASH.match(text) is not None
