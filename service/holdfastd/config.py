"""What holdfastd was told: arguments and environment become one frozen value.

Pure: the environment comes in as a mapping. Errors are one sentence that names the option or variable.
"""

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

DEFAULT_LISTEN = "127.0.0.1:7443"
DEFAULT_HTTP = "127.0.0.1:7480"
ROOT_DATA_DIR = Path("/var/lib/holdfast")

_MAX_PORT = 65535
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})

_EPILOG = """\
environment: HOLDFAST_LISTEN, HOLDFAST_HTTP, HOLDFAST_DATA_DIR and HOLDFAST_ALLOW_PLAINTEXT stand for the options;
HOLDFAST_STORE_URL (a PostgreSQL to use instead of the embedded one), HOLDFAST_SECRET_KEY (encrypts inline DSNs),
HOLDFAST_LOG_FORMAT (json or console), HOLDFAST_TELL_QUERIES (1: events tell what sessions in the way run; it may hold values)."""


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
class Config:
    """Everything that can be configured."""

    listen: Address
    http: Address
    data_dir: Path
    log_format: LogFormat
    #: None: the embedded store.
    store_url: str | None = field(default=None, repr=False)
    #: None: a key in the data directory.
    secret_key: str | None = field(default=None, repr=False)
    #: Places where tests stop the process, and the file that tells which were passed; refused unless HOLDFAST_ALLOW_FAILPOINTS=1.
    failpoints: str = ""
    failpoints_trace: str = ""
    #: Tell what a session runs that holds a lock we wait for; the text may hold values.
    tells_queries: bool = False
    #: Where DSN references of kind `env` are looked up.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def parse(arguments: Sequence[str], environment: Mapping[str, str], *, is_root: bool = False, is_terminal: bool = False) -> Config:
    """Return the configuration; ConfigError when it cannot be meant. An option wins over its variable; an empty one is unset."""
    options = _parser().parse_args(arguments)
    listen = _address(options.listen, "--listen", environment, "HOLDFAST_LISTEN", DEFAULT_LISTEN)
    is_allowed = _flag(environment, "HOLDFAST_ALLOW_PLAINTEXT") or options.allow_plaintext
    if not (listen.is_loopback or is_allowed):
        message = (
            f"Holdfast has no TLS and no authentication yet, so it listens on loopback addresses only, not on {listen}; "
            "set HOLDFAST_ALLOW_PLAINTEXT=1 or --allow-plaintext where the network is trusted."
        )
        raise ConfigError(message)
    return Config(
        listen=listen,
        http=_address(options.http, "--http", environment, "HOLDFAST_HTTP", DEFAULT_HTTP),
        data_dir=_data_dir(options.data_dir, environment, is_root=is_root),
        log_format=_log_format(environment, is_terminal=is_terminal),
        store_url=environment.get("HOLDFAST_STORE_URL") or None,
        secret_key=environment.get("HOLDFAST_SECRET_KEY") or None,
        failpoints=_only_for_tests(environment, "HOLDFAST_FAILPOINTS"),
        failpoints_trace=_only_for_tests(environment, "HOLDFAST_FAILPOINTS_TRACE"),
        tells_queries=_flag(environment, "HOLDFAST_TELL_QUERIES"),
        environment=environment,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="holdfastd", description="Keeps the rows of PostgreSQL databases attached to what they reference.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve the gRPC API",
        description="Serve the gRPC API until SIGTERM or SIGINT.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--listen", metavar="HOST:PORT", help=f"where gRPC listens (default {DEFAULT_LISTEN}; port 0: any)")
    serve.add_argument(
        "--http", metavar="HOST:PORT", help=f"where /metrics, /healthz and /readyz are (default {DEFAULT_HTTP}; port 0: any)"
    )
    serve.add_argument(
        "--data-dir",
        metavar="DIR",
        help=f"where the embedded store lives (default ~/.local/share/holdfast, for root {ROOT_DATA_DIR})",
    )
    serve.add_argument("--allow-plaintext", action="store_true", help="listen on other than loopback addresses without TLS")
    return parser


def _address(option: str | None, name: str, environment: Mapping[str, str], variable: str, default: str) -> Address:
    stated = environment.get(variable)
    text, origin = (option, name) if option is not None else (stated or default, variable)
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_bracketed = host.startswith("[") and host.endswith("]")
    # Digits only: int() would also take `+1`, ` 1` and `1_0`.
    if not bare or (":" in bare) != is_bracketed or not (port.isascii() and port.isdecimal()) or int(port) > _MAX_PORT:
        message = f"{origin}: {text!r} is not HOST:PORT, such as {default}."
        raise ConfigError(message)
    return Address(bare, int(port))


def _data_dir(option: str | None, environment: Mapping[str, str], *, is_root: bool) -> Path:
    stated = option or environment.get("HOLDFAST_DATA_DIR")
    home = environment.get("HOME")
    if stated:
        return Path(stated).absolute()
    if is_root:
        return ROOT_DATA_DIR
    if not home:
        message = "There is no HOME to keep data in; set HOLDFAST_DATA_DIR or --data-dir."
        raise ConfigError(message)
    return Path(home, ".local/share/holdfast")


def _log_format(environment: Mapping[str, str], *, is_terminal: bool) -> LogFormat:
    stated = environment.get("HOLDFAST_LOG_FORMAT")
    if not stated:
        return LogFormat.CONSOLE if is_terminal else LogFormat.JSON
    try:
        return LogFormat(stated)
    except ValueError:
        message = f"HOLDFAST_LOG_FORMAT: {stated!r} is neither json nor console."
        raise ConfigError(message) from None


def _only_for_tests(environment: Mapping[str, str], variable: str) -> str:
    stated = environment.get(variable, "")
    if stated and not _flag(environment, "HOLDFAST_ALLOW_FAILPOINTS"):
        message = f"{variable} stops the server on purpose, for tests of crashes; unset it, or set HOLDFAST_ALLOW_FAILPOINTS=1 beside it."
        raise ConfigError(message)
    return stated


def _flag(environment: Mapping[str, str], variable: str) -> bool:
    stated = environment.get(variable, "").lower()
    if stated not in _YES | _NO:
        message = f"{variable}: {stated!r} is neither 1 nor 0."
        raise ConfigError(message)
    return stated in _YES
