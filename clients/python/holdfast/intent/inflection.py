"""Singular and plural of English nouns as Rails forms them: several guesses each, for a caller that can check which one exists."""

from collections.abc import Iterator

_IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "sex": "sexes",
    "move": "moves",
    "zombie": "zombies",
    "mouse": "mice",
    "louse": "lice",
    "ox": "oxen",
    "quiz": "quizzes",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "axis": "axes",
    "datum": "data",
    "medium": "media",
    "matrix": "matrices",
    "vertex": "vertices",
    "index": "indices",
    "criterion": "criteria",
}
_SINGULAR = {plural: singular for singular, plural in _IRREGULAR.items()}
_UNCOUNTABLE = frozenset({"equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "jeans", "police"})
#: Ends of plurals and the ends of their singulars, the longest first.
_ENDS = (
    ("sses", ("ss",)),
    ("ies", ("y", "ie")),
    ("ves", ("f", "fe", "ve")),
    ("xes", ("x",)),
    ("ches", ("ch", "che")),
    ("shes", ("sh", "she")),
    ("oes", ("o", "oe")),
    ("uses", ("us", "use")),
    ("yses", ("ysis", "yse")),
    ("ses", ("s", "se", "sis")),
    ("zes", ("z", "ze")),
    ("i", ("us",)),
    ("s", ("",)),
)


def singulars(name: str) -> tuple[str, ...]:
    """Return what may be the singular of a name's last word, the likeliest first."""
    before, last = _last_word(name)
    return tuple(dict.fromkeys(before + each for each in _singulars(last)))


def plurals(name: str) -> tuple[str, ...]:
    """Return what may be the plural of a name's last word, the likeliest first."""
    before, last = _last_word(name)
    return tuple(dict.fromkeys(before + each for each in _plurals(last)))


def _last_word(name: str) -> tuple[str, str]:
    before, underscore, last = name.rpartition("_")
    return before + underscore, last


def _singulars(word: str) -> Iterator[str]:
    if word in _UNCOUNTABLE:
        yield word
    if word in _SINGULAR:
        yield _SINGULAR[word]
    for end, singles in _ENDS:
        if word.endswith(end) and len(word) > len(end):
            yield from (word[: -len(end)] + single for single in singles)
    yield word


def _plurals(word: str) -> Iterator[str]:
    if word in _UNCOUNTABLE:
        yield word
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        yield word[:-1] + "ies"
    if word.endswith("sis"):
        yield word[:-2] + "es"
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield word + "es"
    if word.endswith("fe"):
        yield word[:-2] + "ves"
    if word.endswith("f"):
        yield word[:-1] + "ves"
    yield word + "s"
    yield word
