"""Names on the map: made harmless, cut to a width, and measured without a font.

In come names exactly as the catalog holds them; out go printable text, widths in pixels and XML.
"""

import unicodedata
from functools import lru_cache
from html import escape

#: Widths in em of a broad sans-serif typeface: text in any other typeface is narrower and stays inside its card.
_NARROW, _SLIM, _USUAL, _CAPITAL, _BROAD, _FULL = 0.36, 0.45, 0.64, 0.72, 0.95, 1.25
_WIDTHS = {
    **dict.fromkeys("iljI.,:;'|!` ", _NARROW),
    **dict.fromkeys('frt()[]{}-/\\"*', _SLIM),
    **dict.fromkeys("mwMW@%&", _BROAD),
}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ELLIPSIS = "…"


def harmless(text: str) -> str:
    """Return text with a visible sign for every character that cannot be seen, turns the text around, or is none in XML."""
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)


def xml(text: str) -> str:
    """Return text for an element or for an attribute in double quotes; what XML cannot hold is replaced."""
    return escape("".join(_in_xml(character) for character in text)).replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;")


def _in_xml(character: str) -> str:
    code = ord(character)
    if character in "\n\r\t" or (code >= 0x20 and not 0x7F <= code <= 0x9F and not 0xD800 <= code <= 0xDFFF and code & 0xFFFE != 0xFFFE):  # noqa: PLR2004 (XML's own limits)
        return character
    return _REPLACEMENT


@lru_cache(maxsize=4_096)
def _em(character: str) -> float:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if character.isascii():
        return _CAPITAL if character.isupper() else _USUAL
    if unicodedata.combining(character):
        return 0.0
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii():
        # An accent makes a letter no broader.
        return _em(base)
    return _FULL if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF else _BROAD  # noqa: PLR2004 (the basic plane)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return about how many pixels text takes at a font size, rather too many than too few."""
    return sum(map(_em, text)) * size * (1.08 if bold else 1.0)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return text made harmless, and cut with an ellipsis when it is wider than the room."""
    text = harmless(text)
    if width(text, size, bold=bold) <= room:
        return text
    room -= width(_ELLIPSIS, size, bold=bold)
    kept = 0
    for character in text:
        room -= width(character, size, bold=bold)
        if room < 0:
            break
        kept += 1
    return text[:kept].rstrip() + _ELLIPSIS


def short_number(number: float) -> str:
    """Return a number of rows in at most four characters or so: 950, 12.4k, 3M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            shown = f"{number / size:.1f}" if number < 99.95 * size else f"{number / size:.0f}"
            return shown.removesuffix(".0") + letter
    return f"{number:.0f}"
