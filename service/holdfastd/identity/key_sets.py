"""The public keys of an issuer, kept so that checking a token asks nobody.

They are fetched again every few minutes, and at once when a token names a key that is not among them, but not more often than every
ten seconds: tokens can be made up by anybody.
"""

import asyncio
import json
import time
import urllib.error
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import jwt
import structlog

from holdfastd.access.providers import Provider, is_trustworthy
from holdfastd.identity.fetching import fetch

log = structlog.get_logger()

_REFRESH_SECONDS = 300.0
_PAUSE_SECONDS = 10.0
#: Keys of an issuer that does not answer are trusted for so long.
_STALE_SECONDS = 24 * 3600.0


class KeySet:
    """The keys of one issuer."""

    def __init__(self, provider: Provider, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
        """Take the issuer; nothing is fetched yet."""
        self._provider = provider
        self._pause_seconds = pause_seconds
        self._keys: tuple[Mapping[str, Any], ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()
        #: Changes with the keys: what was checked with older ones is checked again.
        self.generation = 0

    async def key(self, header: Mapping[str, Any]) -> jwt.PyJWK | None:
        """Return the key that a token's header asks for, bound to the algorithm it names; None when there is none."""
        found = self._find(header)
        if found is None and await self._fetch_again():
            found = self._find(header)
        return found

    async def refresh_if_old(self) -> None:
        """Fetch the keys when it is time to."""
        if time.monotonic() - max(self._fetched, self._tried) >= _REFRESH_SECONDS or not self._keys:
            await self._fetch_again()

    def are_known(self) -> bool:
        """Tell whether the issuer told its keys lately enough."""
        return time.monotonic() - self._fetched <= _STALE_SECONDS

    def _find(self, header: Mapping[str, Any]) -> jwt.PyJWK | None:
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._provider.algorithms or not self.are_known():
            return None
        for key in self._keys:
            # A token that names no key is fine where there is only one.
            is_meant = key.get("kid") == key_id if key_id is not None else len(self._keys) == 1
            if is_meant and key.get("alg", algorithm) == algorithm and key.get("use", "sig") == "sig":
                try:
                    return jwt.PyJWK(dict(key), algorithm=algorithm)
                except (jwt.PyJWTError, ValueError, TypeError):
                    # Of another kind than the algorithm, such as a shared secret.
                    continue
        return None

    async def _fetch_again(self) -> bool:
        """Fetch unless that was tried a moment ago; callers that come meanwhile wait for the same answer."""
        asked = time.monotonic()
        async with self._fetching:
            if self._tried >= asked:
                return self._fetched >= asked
            if time.monotonic() - self._tried < self._pause_seconds:
                return False
            self._tried = time.monotonic()
            try:
                keys = await asyncio.to_thread(_fetch_keys, self._provider)
            except (OSError, HTTPException, ValueError, RecursionError) as error:
                log.error("issuer_keys_not_read", issuer=self._provider.issuer, problem=_problem(error))  # noqa: TRY400 (expected)
                return False
            self._fetched = time.monotonic()
            if keys != self._keys:
                self._keys, self.generation = keys, self.generation + 1
                log.info("issuer_keys_read", issuer=self._provider.issuer, keys=len(keys))
            return True


def _fetch_keys(provider: Provider) -> tuple[Mapping[str, Any], ...]:
    url = provider.jwks_url or _discover(provider.issuer)
    keys = _fetch(url).get("keys")
    if not isinstance(keys, list):
        raise ValueError("the answer holds no keys")  # noqa: TRY004 (what came in is wrong, not who called)
    return tuple(key for key in keys if isinstance(key, dict) and key.get("kty") != "oct")


def _discover(issuer: str) -> str:
    document = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    url = document.get("jwks_uri")
    if document.get("issuer") != issuer:
        raise ValueError("its configuration speaks of another issuer")
    if not isinstance(url, str) or not is_trustworthy(url):
        raise ValueError("its configuration names no jwks_uri with https")
    return url


def _fetch(url: str) -> dict[str, Any]:
    content = json.loads(fetch(url))
    if not isinstance(content, dict):
        raise ValueError("the answer is no JSON object")  # noqa: TRY004 (what came in is wrong, not who called)
    return content


def _problem(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "the answer is no JSON"
    return str(error)
