"""What may be typed, what is refused, and which wins."""

from pathlib import Path

import pytest

from holdfastd.config.model import Address, Config, ConfigError, LogFormat
from holdfastd.config.parse import parse

HOME = {"HOME": "/home/ada"}


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
        parse(["serve", "--listen", address], HOME)

    assert address in str(refused.value)


@pytest.mark.parametrize("allowance", [["--allow-plaintext"], []])
def test_plaintext_beyond_loopback_can_be_allowed(allowance):
    """By option or by variable."""
    environment = HOME if allowance else HOME | {"HOLDFAST_ALLOW_PLAINTEXT": "1"}

    assert parse(["serve", "--listen", "0.0.0.0:1", *allowance], environment).listen.port == 1


def test_a_denied_allowance_is_no_allowance():
    """HOLDFAST_ALLOW_PLAINTEXT=0 means what it says."""
    with pytest.raises(ConfigError):
        parse(["serve", "--listen", "0.0.0.0:1"], HOME | {"HOLDFAST_ALLOW_PLAINTEXT": "0"})


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
