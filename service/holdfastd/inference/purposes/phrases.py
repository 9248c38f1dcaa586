"""Names of tables and rows in the words of a purpose: singular, plural, of whom."""

from holdfastd.inference.naming.words import one_of
from holdfastd.inference.purposes.meanings import MASSES
from holdfastd.names import TableName, readable


def table_words(name: TableName) -> str:
    """Return a table's name as a sentence has it: quoted only when it is no word at all."""
    return name.name if name.name.isidentifier() else readable(name.name)


def plural(name: str) -> str:
    """Return the rows of a table in words: trust_events -> trust events, film_actor -> film actors."""
    parts = one_of(name).split(" ")
    if len(parts) > 1 and parts[1].startswith(parts[0]):
        # A module before the name of a thing that repeats it: order_orderline.
        parts = parts[1:]
    *firsts, last = parts
    keeps = last in MASSES or (last.endswith("s") and not last.endswith("ss") and name.lower().endswith(last))
    return " ".join((*firsts, last if keeps else _plural_of(last)))


def _plural_of(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return {"person": "people", "datum": "data"}.get(word, word + "s")


def begins(longer: tuple[str, ...], shorter: tuple[str, ...]) -> bool:
    """Tell whether a name begins with another one and goes on."""
    return len(longer) > len(shorter) and longer[: len(shorter)] == shorter
