"""Issuers of OIDC tokens: whom to believe, and what their claims mean."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from holdfastd.access.document import Value
from holdfastd.access.model import Grant, Principal, may_name_a_caller

#: Asymmetric ones only: with a shared secret, whoever can check a token can make one.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MAX_LEEWAY_SECONDS = 60

_USUAL_ALGORITHMS = ("RS256", "ES256")
_USUAL_LEEWAY_SECONDS = 30
_OPTIONAL = ("jwks_url", "algorithms", "leeway_seconds", "name_claim", "name_prefix", "roles_claim", "roles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One issuer."""

    issuer: str
    #: The token must be meant for one of them.
    audiences: tuple[str, ...]
    #: Where its keys are; empty: as its `.well-known/openid-configuration` says.
    jwks_url: str = ""
    algorithms: tuple[str, ...] = _USUAL_ALGORITHMS
    #: By how much clocks may differ.
    leeway_seconds: int = _USUAL_LEEWAY_SECONDS
    #: The claim that names the caller, and what is put before it.
    name_claim: str = "sub"
    name_prefix: str = ""
    #: Names that begin so are those of another issuer.
    prefixes_of_others: tuple[str, ...] = ()
    #: The claim that lists groups or roles; dots lead into claims that hold claims.
    roles_claim: str = "roles"
    #: What an entry of that claim grants.
    roles: Mapping[str, frozenset[Grant]]

    def principal(self, claims: Mapping[str, object]) -> Principal | None:
        """Return whom verified claims speak of; None when they name nobody."""
        name = claims.get(self.name_claim)
        if not isinstance(name, str) or not name:
            return None
        # Whoever may type in any address would be anybody. Some issuers tell it as a text, and some do not verify and tell nothing.
        if self.name_claim == "email" and claims.get("email_verified") not in (True, "true"):
            return None
        full = f"{self.name_prefix}{name}"
        if not may_name_a_caller(full) or full.startswith(self.prefixes_of_others):
            return None
        granted = (self.roles[entry] for entry in self._entries(claims) if entry in self.roles)
        return Principal(name=full, grants=frozenset().union(*granted))

    def _entries(self, claims: Mapping[str, object]) -> tuple[str, ...]:
        value: object = claims.get(self.roles_claim)
        if value is None:
            value = claims
            for part in self.roles_claim.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            return (value,)
        return tuple(entry for entry in value if isinstance(entry, str)) if isinstance(value, list) else ()


def read_provider(value: Value, read_grants: Callable[[Value], frozenset[Grant]]) -> Provider:
    """Return one entry of `oidc`."""
    fields = value.fields(("issuer", "audience"), _OPTIONAL)
    more: dict[str, Any] = {name: fields[name].text() for name in ("name_claim", "name_prefix", "roles_claim") if name in fields}
    audiences = tuple(item.text() for item in fields["audience"].items())
    if not audiences:
        raise fields["audience"].refused("names nobody; a token for anybody would be one for us.")
    algorithms = tuple(_algorithm(item) for item in fields["algorithms"].items()) if "algorithms" in fields else _USUAL_ALGORITHMS
    leeway = fields["leeway_seconds"].number(0, MAX_LEEWAY_SECONDS) if "leeway_seconds" in fields else _USUAL_LEEWAY_SECONDS
    roles = fields["roles"].entries() if "roles" in fields else {}
    return Provider(
        issuer=_url(fields["issuer"]),
        audiences=audiences,
        jwks_url=_url(fields["jwks_url"]) if "jwks_url" in fields else "",
        algorithms=algorithms,
        leeway_seconds=leeway,
        roles={name: read_grants(item) for name, item in roles.items()},
        **more,
    )


def _algorithm(value: Value) -> str:
    if value.text() not in ALGORITHMS:
        raise value.refused(f"must be one of {', '.join(ALGORITHMS)}.")
    return value.text()


def _url(value: Value) -> str:
    text = value.text()
    if not is_trustworthy(text):
        raise value.refused("must be a URL with https; http is for addresses of this machine only.")
    return text


def is_trustworthy(url: str) -> bool:
    """Tell whether nobody on the way can change what a URL answers."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https" and host and parts.username is None:
        return True
    try:
        return parts.scheme == "http" and parts.username is None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return parts.scheme == "http" and host == "localhost"
