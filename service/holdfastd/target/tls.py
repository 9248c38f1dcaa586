"""TLS contexts for targets, made here: the driver's own would read ~/.postgresql and PGSSL* variables.

In come an sslmode, the name that the certificate must carry, and whom to trust; out goes a context for a connection to an address
that the name resolved to.
"""

import ssl
from pathlib import Path
from typing import Any

from holdfastd.errors import Reason, Unavailable
from holdfastd.target.dsn import SslMode

_VERIFYING = frozenset({SslMode.VERIFY_CA, SslMode.VERIFY_FULL})


class NamedContext(ssl.SSLContext):
    """Asks for, and checks, the host of the DSN, whatever address the driver connects to."""

    host: str

    def wrap_bio(self, *buffers: Any, **options: Any) -> ssl.SSLObject:
        """Replace the address by the name."""
        return super().wrap_bio(*buffers, **options | {"server_hostname": self.host})


def context_for(mode: SslMode, host: str, authorities: Path | None) -> ssl.SSLContext:
    """Return the context for an sslmode; authorities None: those of the system. Unavailable when they cannot be read."""
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.host = host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The other order is refused: a name cannot be checked in a certificate that is not.
    context.check_hostname = mode is SslMode.VERIFY_FULL
    context.verify_mode = ssl.CERT_REQUIRED if mode in _VERIFYING else ssl.CERT_NONE
    if mode in _VERIFYING:
        _trust(context, authorities)
    return context


def _trust(context: ssl.SSLContext, authorities: Path | None) -> None:
    if authorities is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cafile=authorities)
    except OSError:
        message = "The certificates to verify targets with cannot be read; correct HOLDFAST_TARGET_CA where holdfastd runs."
        raise Unavailable(message, reason=Reason.TARGET_UNREACHABLE) from None
