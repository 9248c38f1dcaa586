"""Endpoints that say by their name that a pooler answers there. Pure: in comes where a DSN leads, out goes what gave it away.

Poolers that show in a session are refused by what the session does; those that happen not to, while little is going on, are told by name.
"""

from dataclasses import dataclass

from holdfastd.target.dsn import DEFAULT_PORT, Endpoint

_PGBOUNCER_PORT = 6432
#: Poolers that run beside the server: end of the host name, port, port of the server itself.
_BESIDE = (
    (".supabase.co", 6543, 5432),
    (".postgres.database.azure.com", 6432, 5432),
    (".ondigitalocean.com", 25061, 25060),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A pooler, as far as its endpoint tells."""

    #: What gave it away, in words.
    sign: str
    #: `host:port` of the server itself; empty when the name does not tell.
    direct: str = ""

    @property
    def cure(self) -> str:
        """Say what to register instead."""
        return f"Register the DSN of the server itself ({self.direct})." if self.direct else "Register the DSN of the server itself."

    def __str__(self) -> str:
        """Say both."""
        return f"A connection pooler answers at this endpoint: {self.sign}. {self.cure}"


def recognise(endpoint: Endpoint) -> Pooled | None:
    """Return what tells that a pooler answers at an endpoint; None when nothing does."""
    host = endpoint.host.lower().removesuffix(".")
    label, _, domain = host.partition(".")
    if label.endswith("-pooler"):
        return Pooled(sign="its host name ends in -pooler", direct=f"{label.removesuffix('-pooler')}.{domain}:{endpoint.port}")
    if host.endswith(".pooler.supabase.com"):
        project = endpoint.user.partition(".")[2]
        return Pooled(sign="it is Supabase's pooler", direct=f"db.{project}.supabase.co:{DEFAULT_PORT}" if project else "")
    if ".proxy-" in host and host.endswith(".rds.amazonaws.com"):
        return Pooled(sign="it is an RDS Proxy")
    for suffix, port, behind in _BESIDE:
        if host.endswith(suffix) and endpoint.port == port:
            return Pooled(sign=f"a pooler listens on its port {port}", direct=f"{host}:{behind}")
    if endpoint.port == _PGBOUNCER_PORT:
        return Pooled(sign=f"PgBouncer listens on port {_PGBOUNCER_PORT}")
    return Pooled(sign="its DSN says pgbouncer=true") if endpoint.says_pgbouncer else None
