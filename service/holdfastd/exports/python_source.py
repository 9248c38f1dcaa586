"""Python source that holds SQL: literals that say exactly the text, whatever is in it. Pure."""

from collections.abc import Iterable, Iterator

from holdfastd.exports.inert import is_printable
from holdfastd.exports.plain import Plain
from holdfastd.exports.words import one_line


def docstring(lines: Iterable[str]) -> str:
    """Return lines as the docstring of a module."""
    first, *others = [one_line(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return "\n".join(('"""' + first, *([""] if others else []), *others, '"""'))


def statement_list(name: str, statements: Iterable[Plain]) -> Iterator[str]:
    """Yield the lines that define a list of statements, with what is to be said about each."""
    yield f"{name} = ["
    for statement in statements:
        yield from (f"    # {one_line(remark)}" for remark in statement.remarks)
        yield f"    {literal(statement.sql)},"
    yield "]"


def literal(text: str) -> str:
    """Return text as a string literal: as people read it where the source can hold it, else with escapes."""
    if "\n" in text and is_printable(text) and '"""' not in text and not text.endswith(('"', "\\")):
        return f'r"""{text}"""'
    return repr(text)
