"""Who calls, and over what: TLS files and bearer tokens become credentials. No message ever holds a token."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from holdfast.addresses import Addresses, CannotConnect

#: A bearer token, or what returns the present one: it is asked before every call, so a token that is renewed is used at once.
Token = str | Callable[[], str]

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS as the client speaks it; the files are PEM."""

    #: Who signed the service's certificate; None: the authorities that gRPC brings along.
    ca: Path | None = None
    #: What the client identifies itself with, if asked to; both or none.
    certificate: Path | None = None
    key: Path | None = None
    #: What the service's certificate is made out for, when that is not the host of the address.
    server_name: str = ""

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files; CannotConnect when one cannot be read."""
        if (self.certificate is None) != (self.key is None):
            raise CannotConnect("A client certificate and its key belong together; give both.")
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca, "CERTIFICATE"),
            private_key=_read(self.key, "PRIVATE KEY"),
            certificate_chain=_read(self.certificate, "CERTIFICATE"),
        )


def token_in(path: Path) -> Callable[[], str]:
    """Return a token that is read from a file before every call; white space around it is ignored."""

    def read() -> str:
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CannotConnect(f"The token file {path} cannot be read ({type(error).__name__}); correct --token-file.") from None

    return read


def bearer(token: Token) -> str:
    """Return the value of the authorization header, empty without a token; CannotConnect when it is none."""
    text = token if isinstance(token, str) else token()
    if not text and token == "":
        return ""
    if not _TOKEN.match(text):
        raise CannotConnect("The token is empty or holds characters that no token has; copy it again, without quotes.")
    return f"Bearer {text}"


def refuse_exposed_token(addresses: Addresses, *, has_token: bool, is_encrypted: bool, allow_plaintext_token: bool) -> None:
    """Refuse to send a token where others can read it, unless that was asked for by name."""
    if has_token and not is_encrypted and not addresses.is_loopback and not allow_plaintext_token:
        raise CannotConnect(
            "The token would travel in plaintext, where others can read it; use TLS (--tls or --ca FILE),"
            " or say --allow-plaintext-token where the network is trusted."
        )


def _read(path: Path | None, kind: str) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotConnect(f"The file {path} cannot be read ({error.strerror}); correct its path or its permissions.") from None
    # gRPC would only say later, and of another thing, that it cannot use it.
    if f"{kind}-----".encode() not in content:
        raise CannotConnect(f"The file {path} holds no {kind.lower()} in PEM; give one that does.")
    return content
