"""The certificate that gRPC is served with, read again when its files change.

A new certificate that cannot be used leaves the old one in force and is told in the log, once.
"""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509

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
        try:
            self._refuse_expired(self.current)
        except ConfigError as error:
            # Nobody can call, but jobs and schedules go on, and the next certificate is taken as soon as it is there.
            log.error("certificate_expired", problem=str(error))  # noqa: TRY400 (the sentence says it)

    def renewed(self) -> Certificate | None:
        """Return the certificate if its files changed and can be used. Called at every handshake, so it mostly only looks."""
        stamp: Stamp = ()
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return None
            certificate = self._read()
            if self._stamp() != stamp:
                # Replaced while it was read, so its parts may not fit: the next handshake looks again.
                return None
            self._refuse_expired(certificate)
        except ConfigError as error:
            if stamp != self._seen:
                log.error("certificate_rejected", problem=str(error))  # noqa: TRY400 (the sentence says it)
            self._seen = stamp
            return None
        self._seen, self.current = stamp, certificate
        log.info("certificate_read", file=str(self._tls.certificate))
        return certificate

    def _refuse_expired(self, certificate: Certificate) -> None:
        try:
            end = x509.load_pem_x509_certificate(certificate.chain).not_valid_after_utc
        except ValueError:
            message = f"{self._tls.certificate} is no certificate in PEM."
            raise ConfigError(message) from None
        if end <= datetime.now(UTC):
            message = f"{self._tls.certificate} expired at {end:%Y-%m-%dT%H:%M:%SZ}; put one that is valid in its place."
            raise ConfigError(message)

    def _stamp(self) -> Stamp:
        tls = self._tls
        files = (tls.certificate, tls.key, *((tls.client_ca,) if tls.client_ca else ()))
        for path in files:
            _content(path)
        try:
            return stamp_of(*files)
        except OSError as error:
            raise _unreadable(tls.certificate, error) from None

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
        client_ca = _content(tls.client_ca) if tls.client_ca else None
        return Certificate(chain=_content(tls.certificate), key=_content(tls.key), client_ca=client_ca)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be read ({error.strerror}); name files that this account may read.")


def _why(error: Exception) -> str:
    return (getattr(error, "reason", None) or "unreadable").lower().replace("_", " ")
