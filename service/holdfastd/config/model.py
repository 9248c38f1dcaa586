"""Everything that can be configured, as frozen values."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path


class ConfigError(Exception):
    """The configuration cannot be meant; the message is the sentence to print."""


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """`host:port`, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can connect. A name other than localhost may lead anywhere."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The certificate that gRPC, and HTTP when asked to, is served with; the files are read again when they change."""

    certificate: Path
    key: Path
    #: Whose certificates identify callers; None: no certificate is asked for.
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Where the service may connect to, and how."""

    #: Hosts, `*.example.org`, addresses or networks, each with an optional `:port`; empty: anywhere but link-local addresses.
    allowed_hosts: tuple[str, ...] = ()
    #: The least sslmode of a DSN, in libpq's words; empty: whatever the DSN says.
    least_ssl_mode: str = ""
    #: Certificates to verify targets with; None: those of the system.
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once."""

    #: Jobs that this replica works on.
    jobs: int = 4
    #: Jobs that all replicas together work on; 0: no limit but their own.
    jobs_of_all: int = 0
    #: Unary calls, and watches, under way on this replica.
    calls: int = 200
    watches: int = 1000
    #: Series of relationships exported per database.
    series: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the store keeps what it no longer needs."""

    #: Orphan counts of every audit.
    orphan_counts: timedelta = timedelta(days=730)
    #: Ended jobs with their events, and audits that nothing refers to; the last audits of every database stay.
    jobs: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `holdfastd serve` is told."""

    listen: Address
    http: Address
    data_dir: Path
    log_format: LogFormat
    #: None: the embedded store.
    store_url: str | None = field(default=None, repr=False)
    #: None: a key in the data directory.
    secret_key: str | None = field(default=None, repr=False)
    #: None: gRPC in plaintext.
    tls: Tls | None = None
    #: HTTP is served with the same certificate.
    http_tls: bool = False
    #: Who may call what; None: everybody everything.
    access: Path | None = None
    #: Asked for by name: calls from other machines in plaintext, and by callers who are not recognised.
    allows_plaintext: bool = False
    allows_anonymous: bool = False
    targets: Targets = Targets()
    limits: Limits = Limits()
    retention: Retention = Retention()
    #: Between being unready and taking no more calls, so that load balancers notice first.
    drain_delay: timedelta = timedelta(0)
    #: Where traces are sent (OTLP over gRPC); empty: nowhere.
    trace_endpoint: str = ""
    #: Places where tests stop the process, and the file that tells which were passed; refused unless HOLDFAST_ALLOW_FAILPOINTS=1.
    failpoints: str = ""
    failpoints_trace: str = ""
    #: Tell what a session runs that holds a lock we wait for; the text may hold values.
    tells_queries: bool = False
    #: Where DSN references of kind `env` are looked up.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKeys:
    """What `holdfastd rotate-keys` is told: every inline DSN is encrypted anew with the first key."""

    data_dir: Path
    store_url: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What `holdfastd new-token` is told: nothing."""


Command = Config | RotateKeys | NewToken
