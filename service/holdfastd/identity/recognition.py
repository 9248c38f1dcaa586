"""Who calls: from a bearer token or a client certificate to a principal. What is given wrong is refused, never passed over."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

import jwt

from holdfastd.access.model import Principal
from holdfastd.access.providers import Provider
from holdfastd.access.roster import Roster
from holdfastd.access.tokens import digest_of_token
from holdfastd.errors import Unauthenticated
from holdfastd.identity.access_file import AccessFile, Edition
from holdfastd.identity.key_sets import KeySet

_REMEMBERED = 4096
_REFRESH_SECONDS = 5.0
#: What comes of tokens that were made up.
_MALFORMED = (jwt.PyJWTError, ValueError, OverflowError, RecursionError)

#: How to state who one is; the same whatever was wrong.
HOW = "Holdfast does not know who calls; send `authorization: Bearer TOKEN` with a token that is valid now, or use a client certificate."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A caller, as long as it is one."""

    principal: Principal
    edition: Edition
    #: Seconds since 1970; None: as long as the access file says so.
    expires: float | None = None

    def is_current(self) -> bool:
        """Tell whether nothing changed that the recognition rests on."""
        return not self.edition.replaced.is_set() and (self.expires is None or time.time() < self.expires)

    async def outdated(self) -> None:
        """Wait until something changed that the recognition rests on."""
        seconds = None if self.expires is None else max(0.0, self.expires - time.time())
        try:
            async with asyncio.timeout(seconds):
                await self.edition.replaced.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """A token that was found good, so that it need not be checked at every call."""

    recognised: Recognised
    keys: KeySet
    generation: int


class Recognition:
    """Knows whoever the access file knows."""

    def __init__(self, access: AccessFile) -> None:
        """Take the access file."""
        self._access = access
        self._key_sets: dict[tuple[object, ...], KeySet] = {}
        self._checked: OrderedDict[bytes, _Checked] = OrderedDict()

    async def recognise(self, bearer: str | None, identities: frozenset[str]) -> Recognised:
        """Return who calls; Unauthenticated otherwise. A token that is given decides: the certificate may be that of a proxy.

        `identities` are those of a verified client certificate, as `spiffe://…` and `dns:…`.
        """
        edition = self._access.edition
        if bearer is not None:
            recognised = self._by_token(edition, bearer) or await self._by_issuer(edition, bearer)
        else:
            recognised = _by_certificate(edition, identities)
        if recognised is None:
            raise Unauthenticated(HOW)
        return recognised

    async def keep_fresh(self) -> None:
        """Read the access file and the keys of issuers again when it is time to, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._access.keep_fresh())
            group.create_task(self._keep_keys())

    async def _keep_keys(self) -> None:
        while True:
            edition = self._access.edition
            sets = {_place(provider): self._key_set(provider) for provider in edition.roster.providers.values()}
            # In place of the old ones: of issuers that are no longer named, nothing is kept.
            self._key_sets = sets
            await asyncio.gather(*(keys.refresh_if_old() for keys in self._key_sets.values()))
            await asyncio.sleep(_REFRESH_SECONDS)

    def _key_set(self, provider: Provider) -> KeySet:
        return self._key_sets.setdefault(_place(provider), KeySet(provider))

    def _by_token(self, edition: Edition, bearer: str) -> Recognised | None:
        # Looked up, not compared one by one: how long that takes tells of a hash that nobody can choose.
        name = edition.roster.tokens.get(digest_of_token(bearer))
        return Recognised(principal=edition.roster.principals[name], edition=edition) if name else None

    async def _by_issuer(self, edition: Edition, bearer: str) -> Recognised | None:
        digest = hashlib.sha256(bearer.encode()).digest()
        checked = self._checked.get(digest)
        if checked and checked.recognised.is_current() and checked.generation == checked.keys.generation and checked.keys.are_known():
            return checked.recognised
        provider = _issuer_of(edition.roster, bearer)
        if provider is None:
            return None
        keys = self._key_set(provider)
        try:
            key = await keys.key(jwt.get_unverified_header(bearer))
            claims = _verify(bearer, key, provider) if key else {}
            expires = float(str(claims["exp"])) + provider.leeway_seconds if claims else 0.0
        except _MALFORMED:
            return None
        principal = provider.principal(claims)
        # A name of the access file is its own: an issuer must not speak for it.
        if principal is None or principal.name in edition.roster.principals:
            return None
        recognised = Recognised(principal=principal, edition=edition, expires=expires)
        self._checked[digest] = _Checked(recognised=recognised, keys=keys, generation=keys.generation)
        if len(self._checked) > _REMEMBERED:
            self._checked.popitem(last=False)
        return recognised


def _place(provider: Provider) -> tuple[object, ...]:
    return provider.issuer, provider.jwks_url, provider.algorithms


def _by_certificate(edition: Edition, identities: frozenset[str]) -> Recognised | None:
    names = {edition.roster.certificates[identity] for identity in identities if identity in edition.roster.certificates}
    # A certificate that speaks for two principals speaks for none.
    if len(names) != 1:
        return None
    return Recognised(principal=edition.roster.principals[names.pop()], edition=edition)


def _issuer_of(roster: Roster, bearer: str) -> Provider | None:
    """Return whose token it claims to be: only that issuer's keys are tried."""
    if not roster.providers:
        return None
    try:
        issuer = jwt.decode(bearer, options={"verify_signature": False}).get("iss")
    except _MALFORMED:
        return None
    return roster.providers.get(issuer) if isinstance(issuer, str) else None


def _verify(bearer: str, key: jwt.PyJWK, provider: Provider) -> dict[str, object]:
    return jwt.decode(
        bearer,
        key,
        algorithms=list(provider.algorithms),
        audience=provider.audiences,
        issuer=provider.issuer,
        leeway=provider.leeway_seconds,
        options={"require": ["exp", "iss", "aud"]},
    )
