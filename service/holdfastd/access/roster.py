"""Who may call what: the access file as one frozen value.

In comes the text of the file, out goes a Roster, or AccessError with line and path. What it may hold is in docs/security.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfastd.access.document import AccessError, Value, read
from holdfastd.access.model import Grant, Principal, Role, may_name_a_caller
from holdfastd.access.providers import Provider, read_provider
from holdfastd.access.tokens import is_digest

_DATABASE = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+\Z")
_DNS = re.compile(r"dns:[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody who is known, and by what."""

    principals: Mapping[str, Principal] = field(default_factory=dict)
    #: Hash of a token -> name of its principal; several hashes may lead to one.
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Identity in a client certificate, `spiffe://…` or `dns:…` -> name of its principal.
    certificates: Mapping[str, str] = field(default_factory=dict)
    #: Issuer -> provider.
    providers: Mapping[str, Provider] = field(default_factory=dict)


def read_roster(text: str) -> Roster:
    """Return what the access file says."""
    fields = read(text).fields((), ("principals", "oidc"))
    principals: dict[str, Principal] = {}
    tokens: dict[str, str] = {}
    certificates: dict[str, str] = {}
    for name, value in fields["principals"].entries().items() if "principals" in fields else ():
        principals[name] = _read_principal(name, value, tokens, certificates)
    providers: dict[str, Provider] = {}
    for value in fields["oidc"].items() if "oidc" in fields else ():
        provider = read_provider(value, read_grants)
        if provider.issuer in providers:
            raise value.refused("this issuer stands here twice.")
        if any(provider.name_prefix == other.name_prefix for other in providers.values()):
            raise value.refused("two issuers need different texts as name_prefix, or a name of one could pass for that of another.")
        providers[provider.issuer] = provider
    if not principals and not providers:
        raise AccessError("it names nobody; fill in principals or oidc.")
    return Roster(principals=principals, tokens=tokens, certificates=certificates, providers=_told_apart(providers))


def _told_apart(providers: Mapping[str, Provider]) -> dict[str, Provider]:
    """Return issuers that give no name which another one may give: with `` and `corp:`, `corp:ada` is the second one's."""
    prefixes = {provider.name_prefix for provider in providers.values()}

    def told_apart(provider: Provider) -> Provider:
        own = provider.name_prefix
        return replace(provider, prefixes_of_others=tuple(sorted(other for other in prefixes - {own} if other.startswith(own))))

    return {issuer: told_apart(provider) for issuer, provider in providers.items()}


def read_grants(value: Value) -> frozenset[Grant]:
    """Return roles, such as `viewer` and `operator@shop`."""
    return frozenset(_read_grant(item) for item in value.items())


def _read_grant(value: Value) -> Grant:
    role, at, database = value.text().partition("@")
    if role not in set(Role):
        raise value.refused(f"{role!r} is no role; roles are {', '.join(Role)}, each on one database if followed by @ and its name.")
    if at and not _DATABASE.match(database):
        raise value.refused(f"{database!r} is not the name of a database: lower-case letters, digits, `_` and `-`.")
    return Grant(role=Role(role), database=database)


def _read_principal(name: str, value: Value, tokens: dict[str, str], certificates: dict[str, str]) -> Principal:
    if not may_name_a_caller(name):
        raise value.refused(
            "a name has at most 200 printable characters, no space around it, and is not `anonymous`, `schedule:…` or `local:…`."
        )
    fields = value.fields(("roles",), ("tokens", "certificates"))
    for item in fields["tokens"].items() if "tokens" in fields else ():
        if not is_digest(item.text()):
            raise item.refused("is not the hash of a token, `sha256:` and 64 hexadecimal digits; make one with `holdfastd new-token`.")
        _note(tokens, item, name)
    for item in fields["certificates"].items() if "certificates" in fields else ():
        if not _SPIFFE.match(item.text()) and not _DNS.match(item.text()):
            raise item.refused("is neither `spiffe://domain/path` nor `dns:host.example.org` in lower case.")
        _note(certificates, item, name)
    return Principal(name=name, grants=read_grants(fields["roles"]))


def _note(known: dict[str, str], item: Value, name: str) -> None:
    """Two principals with the same credentials would be one."""
    if item.text() in known:
        raise item.refused(f"stands here twice, the first time for {known[item.text()]}.")
    known[item.text()] = name
