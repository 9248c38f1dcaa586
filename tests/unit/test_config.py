"""What may be typed, what is refused, and which wins."""

from pathlib import Path

import pytest

from holdfastd.config.model import Address, Config, ConfigError, LogFormat, Tls
from holdfastd.config.parse import parse

HOME = {"HOME": "/home/ada"}
TLS = ["--tls-cert", "tls.crt", "--tls-key", "tls.key"]


def test_defaults_listen_on_loopback_only():
    """Nothing but this machine reaches a server that nobody configured."""
    config = parse(["serve"], HOME)

    assert config == Config(
        listen=Address("127.0.0.1", 7443),
        http=Address("127.0.0.1", 7480),
        data_dir=Path("/home/ada/.local/share/holdfast"),
        log_format=LogFormat.JSON,
        environment=HOME,
    )


def test_root_keeps_data_where_its_postgres_account_can_reach_it():
    """/root is closed to the account that runs the embedded store."""
    assert parse(["serve"], {"HOME": "/root"}, is_root=True).data_dir == Path("/var/lib/holdfast")


def test_variables_stand_for_options():
    """Containers are configured by variables."""
    environment = {
        "HOLDFAST_LISTEN": "[::1]:1",
        "HOLDFAST_HTTP": "0.0.0.0:2",
        "HOLDFAST_DATA_DIR": "/data",
        "HOLDFAST_STORE_URL": "postgresql://store",
        "HOLDFAST_SECRET_KEY": "k",
        "HOLDFAST_LOG_FORMAT": "console",
    }

    config = parse(["serve"], environment)

    assert (config.listen, config.http) == (Address("::1", 1), Address("0.0.0.0", 2))  # noqa: S104 (an example)
    assert (config.data_dir, config.log_format) == (Path("/data"), LogFormat.CONSOLE)
    assert (config.store_url, config.secret_key) == ("postgresql://store", "k")


def test_options_win_over_variables():
    """What is typed now is meant more than what was exported once."""
    arguments = ["serve", "--listen", "127.0.0.1:5", "--http", "127.0.0.1:6", "--data-dir", "/typed"]
    environment = {"HOLDFAST_LISTEN": "127.0.0.1:1", "HOLDFAST_HTTP": "127.0.0.1:2", "HOLDFAST_DATA_DIR": "/exported"}

    config = parse(arguments, environment)

    assert (config.listen.port, config.http.port, config.data_dir) == (5, 6, Path("/typed"))


def test_empty_variables_are_unset():
    """Compose files pass empty variables through."""
    environment = HOME | dict.fromkeys(
        ("HOLDFAST_LISTEN", "HOLDFAST_STORE_URL", "HOLDFAST_SECRET_KEY", "HOLDFAST_ALLOW_PLAINTEXT", "HOLDFAST_LOG_FORMAT"), ""
    )

    config = parse(["serve"], environment, is_terminal=True)

    assert (config.listen.port, config.store_url, config.secret_key) == (7443, None, None)
    assert config.log_format is LogFormat.CONSOLE


@pytest.mark.parametrize("address", ["0.0.0.0:7443", "[::]:7443", "10.0.0.5:7443", "db.example.org:7443"])
def test_plaintext_beyond_loopback_is_refused(address):
    """Without TLS and authentication, whoever reaches the port owns the databases."""
    with pytest.raises(ConfigError, match="HOLDFAST_ALLOW_PLAINTEXT=1") as refused:
        parse(["serve", "--listen", address, "--access", "access.yaml"], HOME)

    assert address in str(refused.value)


@pytest.mark.parametrize("address", ["0.0.0.0:7443", "[::]:7443", "10.0.0.5:7443", "db.example.org:7443"])
def test_strangers_from_beyond_loopback_are_refused(address):
    """TLS hides what is said, not who says it."""
    with pytest.raises(ConfigError, match="HOLDFAST_ALLOW_ANONYMOUS=1") as refused:
        parse(["serve", "--listen", address, *TLS], HOME)

    assert address in str(refused.value)


def test_other_machines_are_served_with_tls_and_authentication():
    """Nothing needs to be allowed then."""
    config = parse(["serve", "--listen", "0.0.0.0:1", *TLS, "--access", "access.yaml"], HOME)

    assert config.tls == Tls(certificate=Path("tls.crt").absolute(), key=Path("tls.key").absolute())
    assert config.access == Path("access.yaml").absolute()


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--allow-plaintext", "--allow-anonymous"], {}),
        ([], {"HOLDFAST_ALLOW_PLAINTEXT": "1", "HOLDFAST_ALLOW_ANONYMOUS": "yes"}),
        (["--allow-plaintext"], {"HOLDFAST_ACCESS": "access.yaml"}),
        (["--allow-anonymous"], {"HOLDFAST_TLS_CERT": "tls.crt", "HOLDFAST_TLS_KEY": "tls.key"}),
    ],
)
def test_what_is_missing_can_be_allowed_by_its_name(arguments, variables):
    """By option or by variable."""
    assert parse(["serve", "--listen", "0.0.0.0:1", *arguments], HOME | variables).listen.port == 1


@pytest.mark.parametrize("arguments", [["--allow-plaintext"], ["--allow-anonymous"], []])
def test_one_allowance_is_not_the_other(arguments):
    """And HOLDFAST_ALLOW_…=0 means what it says."""
    with pytest.raises(ConfigError):
        parse(["serve", "--listen", "0.0.0.0:1", *arguments], HOME | {"HOLDFAST_ALLOW_PLAINTEXT": "0", "HOLDFAST_ALLOW_ANONYMOUS": "0"})


def test_http_takes_the_certificate_of_grpc():
    """By option or by variable; without a certificate there is nothing to take."""
    assert parse(["serve", *TLS, "--http-tls"], HOME).http_tls
    assert parse(["serve", *TLS], HOME | {"HOLDFAST_HTTP_TLS": "1"}).http_tls
    assert not parse(["serve", *TLS], HOME).http_tls
    with pytest.raises(ConfigError, match="--tls-cert and --tls-key"):
        parse(["serve", "--http-tls"], HOME)


def test_http_may_listen_anywhere():
    """Probes and scrapes come from other machines; what calls may do is decided call by call, by what was allowed here."""
    config = parse(["serve", "--http", "0.0.0.0:1", "--allow-plaintext"], HOME | {"HOLDFAST_ALLOW_ANONYMOUS": "0"})

    assert (config.allows_plaintext, config.allows_anonymous) == (True, False)


@pytest.mark.parametrize("half", [TLS[:2], TLS[2:], ["--tls-client-ca", "ca.crt"]])
def test_half_a_certificate_is_refused(half):
    """Serving in plaintext instead would be the worst guess."""
    with pytest.raises(ConfigError, match="--tls-cert and --tls-key"):
        parse(["serve", *half], HOME)


@pytest.mark.parametrize("address", ["7443", "localhost", ":7443", "localhost:", "localhost:x", "h:65536", "::1:80", "h:+1", "[]:1"])
def test_malformed_addresses_are_refused_by_name(address):
    """The sentence says which option and what is expected."""
    with pytest.raises(ConfigError, match=r"--listen: .* is not HOST:PORT"):
        parse(["serve", "--listen", address], HOME)


def test_malformed_variables_are_refused_by_name():
    """An address that came from a variable is complained about under the variable's name."""
    with pytest.raises(ConfigError, match="HOLDFAST_HTTP"):
        parse(["serve"], HOME | {"HOLDFAST_HTTP": "nowhere"})


@pytest.mark.parametrize(("variable", "value"), [("HOLDFAST_LOG_FORMAT", "xml"), ("HOLDFAST_ALLOW_PLAINTEXT", "maybe")])
def test_unknown_values_are_refused(variable, value):
    """A typing error must not silently become a default."""
    with pytest.raises(ConfigError, match=variable):
        parse(["serve"], HOME | {variable: value})


def test_without_a_home_a_directory_must_be_named():
    """A data directory relative to nowhere would land in the working directory."""
    with pytest.raises(ConfigError, match="HOLDFAST_DATA_DIR"):
        parse(["serve"], {})


@pytest.mark.parametrize("arguments", [[], ["serv"], ["serve", "--lisen", "x"]])
def test_unknown_words_are_refused(arguments):
    """Nothing is guessed."""
    with pytest.raises(ConfigError):
        parse(arguments, HOME)


def test_secrets_are_not_shown():
    """A configuration may be logged."""
    canary = "c4n4ry"
    environment = HOME | {
        "HOLDFAST_STORE_URL": f"postgresql://u:{canary}@h/d",
        "HOLDFAST_SECRET_KEY": canary,
        "SHOP_DSN": canary,
    }

    assert canary not in repr(parse(["serve"], environment))


@pytest.mark.parametrize("variable", ["HOLDFAST_FAILPOINTS", "HOLDFAST_FAILPOINTS_TRACE"])
def test_failpoints_are_refused_in_production(variable):
    """A server that would stop on purpose must not start by accident."""
    with pytest.raises(ConfigError, match=f"^{variable} .*HOLDFAST_ALLOW_FAILPOINTS=1"):
        parse(["serve"], HOME | {variable: "CLEAN_UP.begun=exit"})


def test_failpoints_are_taken_where_they_are_allowed():
    """Both variables together say that it is meant."""
    environment = HOME | {"HOLDFAST_ALLOW_FAILPOINTS": "1", "HOLDFAST_FAILPOINTS": "A.b=exit", "HOLDFAST_FAILPOINTS_TRACE": "passed.txt"}

    config = parse(["serve"], environment)

    assert (config.failpoints, config.failpoints_trace) == ("A.b=exit", "passed.txt")


def test_queries_of_others_are_told_only_when_asked_for():
    """The text of a query may hold values."""
    assert parse(["serve"], HOME).tells_queries is False
    assert parse(["serve"], HOME | {"HOLDFAST_TELL_QUERIES": "1"}).tells_queries is True
