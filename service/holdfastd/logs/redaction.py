"""Secrets in log lines: known by the names of their keys and by what they look like, cut out last, whoever wrote them."""

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

#: Keys under which nothing is shown, whatever may stand before them.
_SECRET_KEY = re.compile(
    r"(?:passw(?:or)?ds?|passphrase|(?:^|[_-])(?:dsn|tokens?|authorization|secrets?|secret_keys?|private_key|credentials?|api_key|store_url))$",
    re.IGNORECASE,
)
_QUOTED = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
_SECRET_TEXTS = (
    # Passwords in DSNs may hold anything, so everything up to the last @ goes.
    (re.compile(r"(postgres(?:ql)?://)[^\s\"']*@", re.IGNORECASE), rf"\1{REDACTED}@"),
    # From the beginning of a word only: from each of its letters would take seconds in a long one.
    (re.compile(r"(?<![a-z0-9+.-])([a-z0-9+.-]+://)[^\s\"'/@]+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"((?:passw(?:or)?d|token|secret|api_?key)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&\"']+)", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"([\"'](?:\w*password|passwd|dsn|\w*token|\w*secret)[\"']\s*:\s*b?)" + _QUOTED, re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"(authorization\W{1,4}(?:bearer\s+|basic\s+)?)[^\s\"',]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # JSON web tokens, tokens of ours, Fernet keys, private keys: known by their looks.
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), REDACTED),
    (re.compile(r"\b(?:holdfast|hf)_[A-Za-z0-9_-]{40,}"), REDACTED),
    (re.compile(r"(?<![\w/+=-])[A-Za-z0-9_-]{43}=(?![\w=])"), REDACTED),
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END|\Z)", re.DOTALL), rf"\1{REDACTED}"),
)

#: One of these is, in lower case, in every text that one of the patterns would change: most have none, and there is a line per call.
_MARKS = ("=", "@", "'", '"', "authorization", "bearer", "basic", "eyj", "holdfast_", "hf_", "-----begin")


def redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut secrets out of an event, by the names of its keys and by what its texts look like; the time, level and name come first."""
    ordered = {key: event[key] for key in ("timestamp", "level", "event") if key in event} | dict(event)
    return _clean_mapping(ordered)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _clean_mapping(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    # The renderer would print anything else by its repr, after this.
    return _clean_text(repr(value))


def _clean_text(text: str) -> str:
    if not any(map(text.lower().__contains__, _MARKS)):
        return text
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _clean_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    known = {key: _clean_key(str(key)) for key in value}
    return {name: REDACTED if is_secret else _clean(value[key]) for key, (name, is_secret) in known.items()}


@lru_cache(maxsize=256)
def _clean_key(key: str) -> tuple[str, bool]:
    """Return a key without secrets, and whether nothing under it may be shown."""
    return str(_clean(key)), bool(_SECRET_KEY.search(key))
