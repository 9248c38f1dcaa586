"""TLS for HTTP: the certificate is looked at again at every handshake."""

import ssl

from holdfastd.config.model import Tls
from holdfastd.identity.certificates import Certificates


class Encryption:
    """What connections are encrypted with."""

    def __init__(self, tls: Tls) -> None:
        """Read the files; ConfigError when they cannot be used. Callers are asked for no certificate: browsers would ask their people."""
        self._tls = tls
        # Its own eyes: whoever looks first is told that the files changed, and gRPC looks, too.
        self._certificates = Certificates(tls)
        self._is_stale = False
        self._current = self._load()
        #: For the server; every handshake takes the newest certificate.
        self.context = self._load()
        self.context.sni_callback = self._renew

    def _renew(self, connection: ssl.SSLObject | ssl.SSLSocket, _: str | None, __: ssl.SSLContext) -> None:
        self._is_stale = self._is_stale or self._certificates.renewed() is not None
        if self._is_stale:
            try:
                self._current = self._load()
                self._is_stale = False
            except (ssl.SSLError, OSError):
                # Replaced at this moment: the next handshake reads it.
                pass
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._tls.certificate, self._tls.key, password="")
        context.set_alpn_protocols(["http/1.1"])
        return context
