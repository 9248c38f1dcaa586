"""The certificate that gRPC is served with, read again when its files change.

A new certificate that cannot be used leaves the old one in force and is told in the log, once.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from holdfastd.config.model import ConfigError, Tls
from holdfastd.identity.stamps import Stamp, stamp_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a handshake needs, as PEM."""

    chain: bytes
    key: bytes = field(repr=False)
    #: Who signs the certificates of callers; None: callers are asked for none.
    client_ca: bytes | None


class Certificates:
    """The files of a certificate and what they last held that could be used."""

    def __init__(self, tls: Tls) -> None:
        """Read the files; ConfigError, one sentence, when they cannot be used."""
        self._tls = tls
        self._seen = self._stamp()
        self.current = self._read()

    def renewed(self) -> Certificate | None:
        """Return the certificate if its files changed and can be used. Called at every handshake, so it mostly only looks."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return None
            # First, so that a bad file is read and told of once.
            self._seen = stamp
            self.current = self._read()
        except ConfigError as error:
            log.error("certificate_rejected", problem=str(error))  # noqa: TRY400 (the sentence says it)
            return None
        log.info("certificate_read", file=str(self._tls.certificate))
        return self.current

    def _stamp(self) -> Stamp:
        tls = self._tls
        for path in (tls.certificate, tls.key, tls.client_ca):
            _readable(path)
        return stamp_of(tls.certificate, tls.key, *((tls.client_ca,) if tls.client_ca else ()))

    def _read(self) -> Certificate:
        tls = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # An empty password: asking for one would wait for a terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            message = f"{tls.certificate} and {tls.key} are not a certificate and its unencrypted key in PEM ({_why(error)})."
            raise ConfigError(message) from None
        try:
            if tls.client_ca:
                context.load_verify_locations(tls.client_ca)
        except (ssl.SSLError, OSError) as error:
            message = f"{tls.client_ca} holds no certificates in PEM ({_why(error)})."
            raise ConfigError(message) from None
        client_ca = tls.client_ca.read_bytes() if tls.client_ca else None
        return Certificate(chain=tls.certificate.read_bytes(), key=tls.key.read_bytes(), client_ca=client_ca)


def _readable(path: Path | None) -> None:
    try:
        if path is not None:
            path.open("rb").close()
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}); name files that this account may read."
        raise ConfigError(message) from None


def _why(error: Exception) -> str:
    return (getattr(error, "reason", None) or "unreadable").lower().replace("_", " ")
