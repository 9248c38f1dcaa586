"""Names of a database as names of a program: camelCase and PascalCase, unique where they stand. Pure."""

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_BASIC_PLANE = 0xFFFF


def camel(name: str, *, fallback: str, only_ascii: bool = False) -> str:
    """Return a name as `camelCase`; words that are capitals throughout are taken for acronyms. The fallback where no letter is left."""
    first, *others = _words(name, only_ascii=only_ascii) or [fallback]
    return _begun("".join(((first.lower() if first.isupper() else first[0].lower() + first[1:]), *map(_capital, others))), fallback)


def pascal(name: str, *, fallback: str, only_ascii: bool = False) -> str:
    """Return a name as `PascalCase`."""
    return _begun("".join(map(_capital, _words(name, only_ascii=only_ascii) or [fallback])), _capital(fallback))


class Namespace:
    """Names that are taken already."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return the name, with a number where it is taken, and take it."""
        chosen = name
        while chosen in self._taken:
            number = self._next[name] = self._next.get(name, 1) + 1
            chosen = f"{name}{number}"
        self._taken.add(chosen)
        return chosen


def _words(name: str, *, only_ascii: bool) -> list[str]:
    if not only_ascii:
        return _WORD.findall("".join(letter if _may_stand(letter) else " " for letter in unicodedata.normalize("NFC", name)))
    # Accents go and leave their letter; a letter that has no plain form goes as a whole, and parts no words.
    plain = unicodedata.normalize("NFKD", name)
    return _WORD.findall(
        "".join(letter if letter.isascii() else "" if letter.isalnum() or unicodedata.combining(letter) else " " for letter in plain)
    )


def _may_stand(letter: str) -> bool:
    # Letters outside the basic plane are names in JavaScript only since 2015: older tools stumble.
    return letter.isascii() or (ord(letter) <= _BASIC_PLANE and f"a{letter}".isidentifier())


def _capital(word: str) -> str:
    return word.capitalize() if word.isupper() else word[0].upper() + word[1:]


def _begun(name: str, fallback: str) -> str:
    return name if name[0].isalpha() else f"{fallback}{name}"
