"""Who may call over HTTP: the rules of gRPC, and what browsers make necessary beside them.

A browser runs pages of strangers on the machine that a loopback address trusts. So callers who are not recognised only read, see of
rows nothing but the shape of keys, and must have meant this service by an address; and a token is taken only where nobody between
could have read it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.v1.audit_service_pb2 import SampleOrphansRequest
from holdfastd.access.model import Permission
from holdfastd.errors import Forbidden, Reason
from holdfastd.flows.context import Services
from holdfastd.identity.recognition import Recognition
from holdfastd.rpc.connect.context import Way
from holdfastd.rpc.connect.request import Scope, read_way
from holdfastd.rpc.guard import Guard, Visitor
from holdfastd.rpc.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Openness:
    """What was allowed by its name."""

    #: Calls in plaintext from other machines: a proxy ends TLS, or the network is trusted.
    plaintext: bool = False
    #: Calls from other machines by callers that nobody recognises.
    anonymous: bool = False
    #: The name that HTTP listens on, if it is a name.
    host: str = "localhost"


class Doorway(Guard):
    """Recognises callers over HTTP and applies the rules."""

    def __init__(self, services: Services, rules: Mapping[str, Rule], recognition: Recognition | None, openness: Openness) -> None:
        """Take what the guard takes, and what was allowed."""
        super().__init__(services, rules, recognition)
        self._recognises = recognition is not None
        self._openness = openness

    async def recognise(self, context: Any) -> Visitor:
        """Return who calls; Forbidden for a call that came in a way it must not."""
        way: Way = context.way
        if self._recognises:
            self._refuse_overheard(way)
        else:
            self._refuse_strangers(way)
        return await super().recognise(context)

    async def admit(self, path: str, request: Any, visitor: Visitor) -> frozenset[str] | None:
        """Return the databases that the call may tell of, as the guard does; who is not recognised may only read."""
        visible = await super().admit(path, request, visitor)
        if visitor.recognised is None:
            _refuse_more_than_looks(self._rules[path], request)
        return visible

    def is_suspect(self, scope: Scope) -> bool:
        """Tell whether a request that shows nobody may be a foreign page's, in a browser of this machine."""
        way = read_way(scope)
        return not self._recognises and way.is_local and not _is_meant(way.host, self._openness)

    def _refuse_overheard(self, way: Way) -> None:
        if way.is_encrypted or way.is_local or self._openness.plaintext:
            return
        raise _forbidden(
            "A call from another machine came in plaintext, where a token can be overheard; set HOLDFAST_HTTP_TLS=1 to serve HTTPS,"
            " or HOLDFAST_ALLOW_PLAINTEXT=1 where a proxy ends TLS, and replace a token that was sent."
        )

    def _refuse_strangers(self, way: Way) -> None:
        if not way.is_local and not self._openness.anonymous:
            raise _forbidden(
                "Without an access file, calls over HTTP are answered on the service's own machine only; start it with --access,"
                " or set HOLDFAST_ALLOW_ANONYMOUS=1 where everybody who can connect may read everything."
            )
        if not _is_meant(way.host, self._openness):
            raise _forbidden(
                "Without an access file, Holdfast does not answer under this host name, because a foreign page could have made it up;"
                " open it as http://localhost or by its IP address, or start the service with --access."
            )


def _refuse_more_than_looks(rule: Rule, request: Any) -> None:
    """Let pass what shows what the service knows, and samples that show rows by the shape of their keys only."""
    if not rule.only_reads:
        raise _forbidden(
            "Over HTTP only callers who are recognised change anything, and there is no access file;"
            " start the service with --access, or use the command line or gRPC."
        )
    if isinstance(request, SampleOrphansRequest):
        _keep_private(request)
    elif rule.permission is not Permission.VIEW:
        raise _forbidden(
            "Over HTTP only callers who are recognised ask about single rows, and there is no access file;"
            " start the service with --access, or use the command line or gRPC."
        )


def _keep_private(request: SampleOrphansRequest) -> None:
    """Have rows shown by the shape of their keys only."""
    if request.columns:
        raise _forbidden(
            "Over HTTP only callers who are recognised see more than keys, and there is no access file;"
            " leave columns empty, or start the service with --access."
        )
    request.masked = True


def _is_meant(host: str, openness: Openness) -> bool:
    """Tell whether a host is no name that a stranger may have pointed at us (DNS rebinding): an address cannot be."""
    if host in {"localhost", openness.host.lower()} or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _forbidden(message: str) -> Forbidden:
    return Forbidden(message, reason=Reason.PERMISSION_DENIED)
