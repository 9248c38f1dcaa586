"""Where to connect to, and what the operator of this service allows of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from holdfastd.config.model import Targets
from holdfastd.errors import Reason, Refused
from holdfastd.target.dsn import Endpoint, SslMode
from holdfastd.target.hosts import AllowedHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """What the operator allows, for all targets."""

    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    least_ssl_mode: SslMode = SslMode.DISABLE
    #: Certificates to verify targets with; None: those of the system.
    authorities: Path | None = None

    @classmethod
    def of(cls, targets: Targets) -> Self:
        """Read the configuration. ValueError with a sentence that names the setting."""
        try:
            hosts = AllowedHosts.parse(targets.allowed_hosts)
        except ValueError as error:
            message = f"HOLDFAST_ALLOWED_HOSTS: {error}."
            raise ValueError(message) from None
        if targets.ca is not None and not targets.ca.is_file():
            message = f"HOLDFAST_TARGET_CA: there is no file {targets.ca}."
            raise ValueError(message)
        return cls(hosts=hosts, least_ssl_mode=SslMode(targets.least_ssl_mode or SslMode.DISABLE), authorities=targets.ca)

    def refuse_weak_tls(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint whose sslmode is weaker than the least; unix sockets know no TLS and need none."""
        order = list(SslMode)
        if endpoint.is_socket or order.index(endpoint.ssl_mode) >= order.index(self.least_ssl_mode):
            return
        message = f"This service connects with sslmode={self.least_ssl_mode} or better; add it to the DSN."
        raise Refused(message, reason=Reason.TARGET_TLS_REQUIRED, facts={"sslmode": self.least_ssl_mode})


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A DSN under a policy. Printing it shows no DSN."""

    dsn: str = field(repr=False)
    policy: TargetPolicy = TargetPolicy()


def not_allowed() -> Refused:
    """Return the refusal of a host. It says nothing of what the host is, or whether there is one: callers type hosts to find out."""
    message = "The service may not connect to the host in the DSN; ask its operator to add it to HOLDFAST_ALLOWED_HOSTS."
    return Refused(message, reason=Reason.HOST_NOT_ALLOWED)
