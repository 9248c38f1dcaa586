"""What holdfastd was told: arguments and environment become one frozen value.

Pure: the environment comes in as a mapping. Errors are one sentence that names the option or variable.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from holdfastd.config import values
from holdfastd.config.model import Command, Config, ConfigError, Limits, LogFormat, NewToken, Retention, RotateKeys, Targets, Tls

DEFAULT_LISTEN = "127.0.0.1:7443"
DEFAULT_HTTP = "127.0.0.1:7480"
ROOT_DATA_DIR = Path("/var/lib/holdfast")

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LONGEST_DRAIN_SECONDS = 300

_EPILOG = """\
environment: HOLDFAST_LISTEN, HOLDFAST_HTTP, HOLDFAST_DATA_DIR, HOLDFAST_ACCESS, HOLDFAST_TLS_CERT, HOLDFAST_TLS_KEY,
HOLDFAST_TLS_CLIENT_CA, HOLDFAST_HTTP_TLS, HOLDFAST_ALLOW_PLAINTEXT and HOLDFAST_ALLOW_ANONYMOUS stand for the options;
HOLDFAST_STORE_URL (a PostgreSQL to use instead of the embedded one), HOLDFAST_SECRET_KEY (encrypts inline DSNs); all others:
docs/operations.md."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def parse(arguments: Sequence[str], environment: Mapping[str, str], *, is_root: bool = False, is_terminal: bool = False) -> Command:
    """Return what to do; ConfigError when it cannot be meant. An option wins over its variable; an empty one is unset."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "new-token":
            return NewToken()
        case "rotate-keys":
            return RotateKeys(
                data_dir=_data_dir(options.data_dir, environment, is_root=is_root),
                store_url=environment.get("HOLDFAST_STORE_URL") or None,
                secret_key=environment.get("HOLDFAST_SECRET_KEY") or None,
            )
        case _:
            return _serve(options, environment, is_root=is_root, is_terminal=is_terminal)


def _serve(options: argparse.Namespace, environment: Mapping[str, str], *, is_root: bool, is_terminal: bool) -> Config:
    config = Config(
        listen=values.address(options.listen, "--listen", environment, "HOLDFAST_LISTEN", DEFAULT_LISTEN),
        http=values.address(options.http, "--http", environment, "HOLDFAST_HTTP", DEFAULT_HTTP),
        data_dir=_data_dir(options.data_dir, environment, is_root=is_root),
        log_format=_log_format(environment, is_terminal=is_terminal),
        store_url=environment.get("HOLDFAST_STORE_URL") or None,
        secret_key=environment.get("HOLDFAST_SECRET_KEY") or None,
        tls=_tls(options, environment),
        http_tls=options.http_tls or values.flag(environment, "HOLDFAST_HTTP_TLS"),
        access=values.path(options.access, environment, "HOLDFAST_ACCESS"),
        allows_plaintext=options.allow_plaintext or values.flag(environment, "HOLDFAST_ALLOW_PLAINTEXT"),
        allows_anonymous=options.allow_anonymous or values.flag(environment, "HOLDFAST_ALLOW_ANONYMOUS"),
        targets=_targets(environment),
        limits=_limits(environment),
        retention=_retention(environment),
        drain_delay=values.seconds(environment, "HOLDFAST_DRAIN_SECONDS", most=_LONGEST_DRAIN_SECONDS),
        trace_endpoint=environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        failpoints=_only_for_tests(environment, "HOLDFAST_FAILPOINTS"),
        failpoints_trace=_only_for_tests(environment, "HOLDFAST_FAILPOINTS_TRACE"),
        tells_queries=values.flag(environment, "HOLDFAST_TELL_QUERIES"),
        environment=environment,
    )
    _refuse_exposed(config)
    return config


def _refuse_exposed(config: Config) -> None:
    """Refuse to serve other machines in plaintext, or without knowing who calls, unless each was asked for by its name.

    HTTP may listen anywhere, because probes and metrics are asked for from elsewhere; its calls are refused one by one.
    """
    if config.http_tls and config.tls is None:
        message = "--http-tls (HOLDFAST_HTTP_TLS) serves HTTP with the certificate of gRPC; give --tls-cert and --tls-key, too."
        raise ConfigError(message)
    if config.listen.is_loopback:
        return
    if config.tls is None and not config.allows_plaintext:
        message = (
            f"Without TLS, Holdfast listens on loopback addresses only, not on {config.listen}; give --tls-cert and --tls-key,"
            " or set HOLDFAST_ALLOW_PLAINTEXT=1 or --allow-plaintext where the network is trusted."
        )
        raise ConfigError(message)
    if config.access is None and not config.allows_anonymous:
        message = (
            f"Without authentication, Holdfast listens on loopback addresses only, not on {config.listen}; give --access,"
            " or set HOLDFAST_ALLOW_ANONYMOUS=1 or --allow-anonymous where everybody who can connect may do everything."
        )
        raise ConfigError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="holdfastd", description="Keeps the rows of PostgreSQL databases attached to what they reference.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    serve = commands.add_parser(
        "serve",
        help="serve the gRPC API",
        description="Serve the gRPC API until SIGTERM or SIGINT.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--listen", metavar="HOST:PORT", help=f"where gRPC listens (default {DEFAULT_LISTEN}; port 0: any)")
    serve.add_argument(
        "--http", metavar="HOST:PORT", help=f"where the console, /metrics, /healthz and /readyz are (default {DEFAULT_HTTP}; port 0: any)"
    )
    _add_data_dir(serve)
    serve.add_argument("--access", metavar="FILE", help="who may call what (YAML); without it everybody may do everything")
    serve.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM) to serve gRPC with; read again when it changes")
    serve.add_argument("--tls-key", metavar="FILE", help="its private key (PEM)")
    serve.add_argument("--http-tls", action="store_true", help="serve --http with this certificate, too")
    serve.add_argument("--tls-client-ca", metavar="FILE", help="certificates (PEM) that sign those of callers")
    serve.add_argument("--allow-plaintext", action="store_true", help="listen on other than loopback addresses without TLS")
    serve.add_argument("--allow-anonymous", action="store_true", help="listen on other than loopback addresses without --access")
    rotate = commands.add_parser("rotate-keys", help="encrypt all stored DSNs with the first key of HOLDFAST_SECRET_KEY")
    _add_data_dir(rotate)
    commands.add_parser("new-token", help="print a new bearer token and the hash of it for the access file")
    return parser


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    text = f"where the embedded store lives (default ~/.local/share/holdfast, for root {ROOT_DATA_DIR})"
    parser.add_argument("--data-dir", metavar="DIR", help=text)


def _tls(options: argparse.Namespace, environment: Mapping[str, str]) -> Tls | None:
    certificate = values.path(options.tls_cert, environment, "HOLDFAST_TLS_CERT")
    key = values.path(options.tls_key, environment, "HOLDFAST_TLS_KEY")
    client_ca = values.path(options.tls_client_ca, environment, "HOLDFAST_TLS_CLIENT_CA")
    if certificate is not None and key is not None:
        return Tls(certificate=certificate, key=key, client_ca=client_ca)
    if certificate is not None or key is not None or client_ca is not None:
        message = "TLS needs both --tls-cert and --tls-key (HOLDFAST_TLS_CERT, HOLDFAST_TLS_KEY)."
        raise ConfigError(message)
    return None


def _targets(environment: Mapping[str, str]) -> Targets:
    mode = environment.get("HOLDFAST_TARGET_SSLMODE", "")
    if mode and mode not in _SSL_MODES:
        message = f"HOLDFAST_TARGET_SSLMODE: {mode!r} is none of {', '.join(_SSL_MODES)}."
        raise ConfigError(message)
    return Targets(
        allowed_hosts=values.words(environment, "HOLDFAST_ALLOWED_HOSTS"),
        least_ssl_mode=mode,
        ca=values.path(None, environment, "HOLDFAST_TARGET_CA"),
    )


def _limits(environment: Mapping[str, str]) -> Limits:
    default = Limits()
    return Limits(
        jobs=values.count(environment, "HOLDFAST_JOBS", default.jobs),
        jobs_of_all=values.count(environment, "HOLDFAST_MAX_JOBS", default.jobs_of_all, least=0),
        calls=values.count(environment, "HOLDFAST_MAX_CALLS", default.calls),
        watches=values.count(environment, "HOLDFAST_MAX_WATCHES", default.watches),
        series=values.count(environment, "HOLDFAST_MAX_SERIES", default.series, least=0),
    )


def _retention(environment: Mapping[str, str]) -> Retention:
    default = Retention()
    return Retention(
        orphan_counts=values.days(environment, "HOLDFAST_KEEP_ORPHAN_COUNTS_DAYS", default.orphan_counts),
        jobs=values.days(environment, "HOLDFAST_KEEP_JOBS_DAYS", default.jobs),
    )


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
    if stated and not values.flag(environment, "HOLDFAST_ALLOW_FAILPOINTS"):
        message = f"{variable} stops the server on purpose, for tests of crashes; unset it, or set HOLDFAST_ALLOW_FAILPOINTS=1 beside it."
        raise ConfigError(message)
    return stated
