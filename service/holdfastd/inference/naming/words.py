"""Names as people mean them: words in the singular, and the suffix that says "this is a key".

In come names of tables and columns; out go words. Nothing here knows a schema: what a schema teaches is in `naming`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from holdfastd.inference.naming.vocabulary import IRREGULAR_PLURALS, NEVER_PLURAL

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")

_SHORTEST_PLURAL = 4  # `ids` is handled as a suffix, `has` is no plural
_IES = 4  # shortest word in -ies that is a plural of -y: `spies` is rarer in schemas than `ties`

#: Words that end the name of a column holding a key.
STRONG_SUFFIXES = frozenset({"id", "uid", "uuid", "guid", "fk", "fkey", "pk", "key", "oid", "ids"})
#: Words that may: natural keys.
WEAK_SUFFIXES = frozenset({"code", "no", "num", "number", "nr", "name", "sid", "ref", "slug", "abbr", "iso", "handle", "identifier"})


@dataclass(frozen=True, slots=True)
class Stem:
    """The name of a column without what marks it as a key."""

    words: tuple[str, ...]
    #: What was cut off: `id`, `code`, … ; empty when nothing.
    suffix: str
    #: A trailing number, as in `entity1`; empty when none.
    number: str


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case and singular: `workOrderIDs` and `work_order_ids` are the same.

    There is always one: a name of signs only is a word.
    """
    return tuple(singular(word.lower()) for word in _WORD.findall(name.replace("IDs", "Ids"))) or (name,)


def one_of(name: str) -> str:
    """Return what people call one row of a table: a row of `sales_orders` is a sales order."""
    *firsts, last = _WORD.findall(name) or [name]
    return " ".join((*(word.lower() for word in firsts), singular(last.lower())))


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """Return the singular of an English word; a word that is none comes back as it is."""
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if len(word) < _SHORTEST_PLURAL or word in NEVER_PLURAL or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > _IES:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def is_plural(name: str) -> bool:
    """Tell whether the last word of a name is a plural: `comments` counts or lists them, it does not name one."""
    last = _WORD.findall(name)[-1:]
    return bool(last) and singular(last[0].lower()) != last[0].lower()


@lru_cache(maxsize=65_536)
def stem_of(parts: tuple[str, ...]) -> Stem:
    """Split the words of a column into stem, key suffix and trailing number."""
    number = ""
    if len(parts) > 1 and parts[-1].isdigit():
        parts, number = parts[:-1], parts[-1]
    if parts and parts[-1] in STRONG_SUFFIXES | WEAK_SUFFIXES:
        suffix, rest = parts[-1], parts[:-1]
        if len(rest) > 1 and rest[-1].isdigit():
            rest, number = rest[:-1], rest[-1]
        return Stem(words=rest, suffix=suffix, number=number)
    return Stem(words=parts, suffix="", number=number)
