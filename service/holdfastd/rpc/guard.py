"""Who may do what: every call passes here before its handler, and what is not allowed by a rule is denied.

Whether a thing exists is told only to those who may see it: a caller with rights on some databases is answered PERMISSION_DENIED for
the others and for ids that nobody has, alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc

from holdfastd.access.model import Permission, Principal
from holdfastd.errors import Forbidden, InvalidField, Reason
from holdfastd.flows import access
from holdfastd.flows.context import Services
from holdfastd.identity.recognition import Recognised, Recognition
from holdfastd.rpc import metadata
from holdfastd.rpc.rules import Rule

Context = grpc.aio.ServicerContext[Any, Any]

#: Fields that hold the name of a database; all others hold ids.
_NAMES = frozenset({"name", "database"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who calls. Without an access file nobody is recognised, the name is what the caller stated, and everything is allowed."""

    name: str
    recognised: Recognised | None = None


class Guard:
    """Recognises callers and applies the rules."""

    def __init__(self, services: Services, rules: Mapping[str, Rule], recognition: Recognition | None) -> None:
        """Take the rules by path, and what recognises callers; None: everybody may do everything."""
        self._services = services
        self._rules = rules
        self._recognition = recognition

    async def recognise(self, context: Context) -> Visitor:
        """Return who calls; Unauthenticated when that cannot be told. Asks nothing of the store."""
        stated = context.invocation_metadata() or ()
        if self._recognition is None:
            return Visitor(name=metadata.principal(stated))
        bearer = metadata.bearer(stated)
        identities = metadata.certificate_identities(context.auth_context()) if bearer is None else frozenset[str]()
        recognised = await self._recognition.recognise(bearer, identities)
        return Visitor(name=recognised.principal.name, recognised=recognised)

    async def admit(self, path: str, request: Any, visitor: Visitor) -> frozenset[str] | None:
        """Return the databases that the call may tell of (None: all); Forbidden when the caller may not make it."""
        rule = self._rules.get(path)
        if rule is None:
            message = f"{path} states no permission, so nobody may call it."
            raise Forbidden(message, reason=Reason.PERMISSION_DENIED, facts={"permission": "none"})
        if visitor.recognised is None:
            return None
        principal = visitor.recognised.principal
        visible = principal.databases(rule.permission)
        if visible is None:
            return None
        databases = await self._databases(rule, request) if visible else frozenset({None})
        if databases <= visible and (databases or rule.lists):
            return visible
        if not databases and rule.subjects and not rule.lists:
            raise InvalidField(rule.subjects[0], f"{rule.subjects[0]} is empty.")
        if not rule.only_reads:
            await self._log_refusal(path, rule, request, principal)
        raise denied(rule.permission, principal)

    async def until_denied(self, path: str, request: Any, context: Context, visitor: Visitor) -> None:
        """Wait as long as the caller may go on with the call, then raise what admitting it now would."""
        while visitor.recognised is not None:
            await visitor.recognised.outdated()
            visitor = await self.recognise(context)
            await self.admit(path, request, visitor)

    async def _databases(self, rule: Rule, request: Any) -> frozenset[str | None]:
        """Return the names that the subjects lead to; None among them for an id that leads nowhere."""
        found: set[str | None] = set()
        for subject in rule.subjects:
            value: str = getattr(request, subject)
            if value:
                found.add(value if subject in _NAMES else await access.database_of(self._services, value))
        return frozenset(found)

    async def _log_refusal(self, path: str, rule: Rule, request: Any, principal: Principal) -> None:
        named = [getattr(request, subject) for subject in rule.subjects if subject in _NAMES]
        # Only names that the caller has something to do with: a log entry must not be a place to write into.
        database = next((name for name in named if principal.may(Permission.VIEW, name)), "")
        method = path.rpartition(".")[2]
        await access.log_refusal(self._services, principal=principal.name, method=method, permission=rule.permission, database=database)


def denied(permission: Permission, principal: Principal) -> Forbidden:
    """Return the refusal, the same whether the thing exists or not."""
    message = f"{principal.name} may not do this here; it takes a role that permits {permission}: ask who keeps the access file."
    return Forbidden(message, reason=Reason.PERMISSION_DENIED, facts={"permission": permission, "principal": principal.name})
