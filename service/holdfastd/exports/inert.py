"""SQL that a reader of lines and placeholders cannot misread, whatever names it holds. Pure.

Formats that look at lines (`--changeset`, `-- rollback`) or at placeholders (`${…}`) would find them in a name, too. Such statements
are written on one line, without what is special to them.
"""

import re

_LINE_OF_ITS_OWN = re.compile(r"^\s*(--|/\*|//|/\s*$)", re.MULTILINE)
_UNUSUAL = re.compile(r"[^ -~]|[$*'\\]")
_NAME = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)


def is_inert(text: str) -> bool:
    """Tell whether no part of a text can be taken for anything but SQL: printable, no odd line, no placeholder, no end of a comment."""
    return is_printable(text) and "${" not in text and "*/" not in text and not _LINE_OF_ITS_OWN.search(text)


def is_printable(text: str) -> bool:
    """Tell whether a text holds printable characters and line breaks alone."""
    return text.replace("\n", "").isprintable()


def as_escaped_block(body: str) -> str:
    """Return a DO block on one line: PostgreSQL takes any string literal as its body."""
    escaped = _UNUSUAL.sub(lambda found: _in_literal(found[0]), body)
    return f"DO E'{escaped}'"


def _in_literal(character: str) -> str:
    if character == "\n":
        return "\\n"
    if character in "'\\":
        return character * 2
    return character if _is_plain(character) else _code(character, "\\u{:04X}", "\\U{:08X}")


def with_escaped_names(sql: str) -> str:
    """Return a statement whose quoted parts are names, with those that need it in PostgreSQL's U&"" form."""
    return _NAME.sub(lambda found: _escaped_name(found[1]), sql)


def _escaped_name(inside: str) -> str:
    if all(_is_plain(character) or character == '"' for character in inside) and "\\" not in inside:
        return f'"{inside}"'
    return 'U&"' + "".join(_in_name(character) for character in inside) + '"'


def _in_name(character: str) -> str:
    if character == "\\":
        return "\\\\"
    # A doubled quote stays doubled.
    return character if _is_plain(character) or character == '"' else _code(character, "\\{:04X}", "\\+{:06X}")


def _is_plain(character: str) -> bool:
    # Of what tools replace or end something at, one character each is enough.
    return character.isprintable() and character not in "$*"


def _code(character: str, short: str, long: str) -> str:
    number = ord(character)
    return short.format(number) if number <= 0xFFFF else long.format(number)  # noqa: PLR2004 (the last that four digits hold)
