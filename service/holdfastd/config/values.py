"""Single values as people write them. In comes text, out goes a value, or a ConfigError that names the option or variable."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from holdfastd.config.model import Address, ConfigError

_MAX_PORT = 65535
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})
_LONGEST_DAYS = 36_500
_LARGEST = 1_000_000


def address(option: str | None, name: str, environment: Mapping[str, str], variable: str, default: str) -> Address:
    """Return HOST:PORT."""
    stated = environment.get(variable)
    text, origin = (option, name) if option is not None else (stated or default, variable)
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    is_bracketed = host.startswith("[") and host.endswith("]")
    # Digits only: int() would also take `+1`, ` 1` and `1_0`.
    if not bare or (":" in bare) != is_bracketed or not _is_number(port) or int(port) > _MAX_PORT:
        message = f"{origin}: {text!r} is not HOST:PORT, such as {default}."
        raise ConfigError(message)
    return Address(bare, int(port))


def flag(environment: Mapping[str, str], variable: str) -> bool:
    """Return yes or no; an unset variable is a no."""
    stated = environment.get(variable, "").lower()
    if stated not in _YES | _NO:
        message = f"{variable}: {stated!r} is neither 1 nor 0."
        raise ConfigError(message)
    return stated in _YES


def count(environment: Mapping[str, str], variable: str, default: int, *, least: int = 1) -> int:
    """Return a whole number."""
    stated = environment.get(variable, "")
    if not stated:
        return default
    if not _is_number(stated) or not least <= int(stated) <= _LARGEST:
        message = f"{variable}: {stated!r} is not a number from {least} to {_LARGEST}."
        raise ConfigError(message)
    return int(stated)


def days(environment: Mapping[str, str], variable: str, default: timedelta) -> timedelta:
    """Return a number of days."""
    stated = environment.get(variable, "")
    if not stated:
        return default
    if not _is_number(stated) or not 1 <= int(stated) <= _LONGEST_DAYS:
        message = f"{variable}: {stated!r} is not a number of days from 1 to {_LONGEST_DAYS}."
        raise ConfigError(message)
    return timedelta(days=int(stated))


def seconds(environment: Mapping[str, str], variable: str, *, most: int) -> timedelta:
    """Return a number of seconds; an unset variable is none."""
    stated = environment.get(variable, "")
    if stated and (not _is_number(stated) or int(stated) > most):
        message = f"{variable}: {stated!r} is not a number of seconds up to {most}."
        raise ConfigError(message)
    return timedelta(seconds=int(stated or 0))


def path(option: str | None, environment: Mapping[str, str], variable: str) -> Path | None:
    """Return an absolute path; None when none was stated."""
    stated = option or environment.get(variable)
    return Path(stated).absolute() if stated else None


def words(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(word for part in environment.get(variable, "").split(",") if (word := part.strip()))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
