"""Reading a DSN. Pure: in comes a URL, out goes where it leads, or an error that repeats nothing of it.

Only what is written in the URL counts. Options that would make the service read its own files, or try several hosts, are refused,
because a DSN is typed by a caller.
"""

import re
import urllib.parse
from dataclasses import dataclass, field
from enum import StrEnum

from holdfastd.errors import InvalidField

DEFAULT_PORT = 5432
_MAX_PORT = 65_535
_MAX_LENGTH = 4_096

_SCHEMES = frozenset({"postgresql", "postgres"})
_LOCATION = frozenset({"host", "port", "user", "password", "dbname"})
#: Harmless and without effect here: Holdfast sets its own.
_IGNORED = frozenset({"application_name", "connect_timeout", "channel_binding", "keepalives", "gssencmode"})
_KNOWN = _LOCATION | _IGNORED | {"sslmode", "sslrootcert", "pgbouncer"}


class SslMode(StrEnum):
    """How much TLS is asked for; libpq's words, from none to all."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a DSN leads and as whom. Printing it shows no password."""

    #: Host name, address, or directory of a unix socket.
    host: str
    port: int
    database: str
    user: str
    #: Empty when there is none.
    password: str = field(default="", repr=False)
    ssl_mode: SslMode = SslMode.PREFER
    #: The DSN says `pgbouncer=true`, as some frameworks want it.
    says_pgbouncer: bool = False

    @property
    def is_socket(self) -> bool:
        """Tell whether the host is the directory of a unix socket."""
        return self.host.startswith("/")


def parse(dsn: str, *, path: str = "dsn") -> Endpoint:
    """Return where a DSN leads; `path` is the request field that errors name."""
    url = _split(dsn, path)
    options = _options(url.query, path)
    host, port = _address(url.netloc.rpartition("@")[2], options, path)
    login, _, password = url.netloc.rpartition("@")[0].partition(":")
    user = _once(login, options, "user", path)
    if not user:
        raise InvalidField(path, "The DSN names no user; write postgresql://user@host/database.")
    return Endpoint(
        host=host,
        port=port,
        database=_once(url.path.removeprefix("/"), options, "dbname", path) or user,
        user=user,
        password=_once(password, options, "password", path),
        ssl_mode=_ssl_mode(options, path),
        says_pgbouncer=options.get("pgbouncer") == "true",
    )


def _split(dsn: str, path: str) -> urllib.parse.SplitResult:
    if not dsn:
        raise InvalidField(path, "The DSN is empty; write postgresql://user@host/database.")
    if len(dsn) > _MAX_LENGTH:
        raise InvalidField(path, f"The DSN is longer than {_MAX_LENGTH} characters.")
    # urlsplit drops tabs and line breaks silently, so they are looked for first.
    if re.search(r"[\x00-\x20\x7f]", dsn):
        raise InvalidField(path, "The DSN holds white space or control characters; write them as %XX.")
    try:
        url = urllib.parse.urlsplit(dsn)
    except ValueError:
        raise InvalidField(path, "The DSN is not a URL; write postgresql://user@host/database.") from None
    if url.scheme not in _SCHEMES:
        raise InvalidField(path, "The DSN does not start with postgresql://.")
    if url.fragment:
        raise InvalidField(path, "The DSN holds a #; in a password, write it as %23.")
    return url


def _options(query: str, path: str) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True, errors="strict")
    except (ValueError, UnicodeError):
        raise InvalidField(path, "The options after ? in the DSN are malformed; write name=value&name=value.") from None
    options = dict(pairs)
    if len(options) != len(pairs):
        raise InvalidField(path, "The DSN gives an option twice.")
    if any("\0" in value for value in options.values()):
        raise InvalidField(path, "The DSN holds a NUL character.")
    if not _KNOWN.issuperset(options):
        allowed = ", ".join(sorted(_KNOWN - _IGNORED))
        raise InvalidField(path, f"The DSN has an option that is not supported; supported are {allowed}.")
    return options


def _address(hostspec: str, options: dict[str, str], path: str) -> tuple[str, int]:
    if "," in hostspec or "," in options.get("host", "") + options.get("port", ""):
        raise InvalidField(path, "The DSN names several hosts; name the one that accepts writes.")
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d*))?", hostspec)
    if hostspec.startswith("[") and not bracketed:
        raise InvalidField(path, "The host in the DSN stands in brackets and is no IPv6 address; write [2001:db8::1]:5432.")
    host, port = bracketed.groups() if bracketed else hostspec.partition(":")[::2]
    host = _once(host, options, "host", path)
    if not host:
        raise InvalidField(path, "The DSN names no host; write postgresql://user@host/database.")
    if "/" in host and not host.startswith("/"):
        raise InvalidField(path, "The host in the DSN is neither a name nor an absolute directory.")
    return host, _port(_once(port or "", options, "port", path) or str(DEFAULT_PORT), path)


def _port(text: str, path: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) <= _MAX_PORT:
        raise InvalidField(path, f"The port in the DSN is not a number from 1 to {_MAX_PORT}.")
    return int(text)


def _ssl_mode(options: dict[str, str], path: str) -> SslMode:
    if options.get("sslrootcert", "system") != "system":
        message = "The DSN's sslrootcert is not `system`; the operator names certificate authorities in HOLDFAST_TARGET_CA."
        raise InvalidField(path, message)
    try:
        return SslMode(options.get("sslmode", SslMode.PREFER))
    except ValueError:
        raise InvalidField(path, f"The DSN's sslmode is not one of {', '.join(SslMode)}.") from None


def _once(written: str, options: dict[str, str], name: str, path: str) -> str:
    """Return a part that may stand in its place or among the options: libpq and asyncpg disagree on which of two would win."""
    if written and options.get(name):
        raise InvalidField(path, f"The DSN gives its {name} twice, in its place and as an option.")
    return _text(written, path) or options.get(name, "")


def _text(quoted: str, path: str) -> str:
    """Undo %XX; bytes that are no text, or NUL, cannot be meant."""
    try:
        text = urllib.parse.unquote(quoted, errors="strict")
    except UnicodeError:
        raise InvalidField(path, "The DSN holds %XX sequences that are not UTF-8.") from None
    if "\0" in text:
        raise InvalidField(path, "The DSN holds a NUL character.")
    return text
