"""The syntax of a Prisma schema: in comes text, out come its blocks with fields and attributes, as they are written.

Tolerant: what is not understood is left out, so that newer syntax elsewhere in a file does no harm.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Value = str | list["str | list[str]"]

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\f\v\ufeff]+|//[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<newline>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*"?)
    |(?P<attribute>@@?[\w.]+)
    |(?P<word>[^\W\d]\w*|[\w.+-]+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


class Token(NamedTuple):
    """A word, a string (without its quotes), an attribute's name, or a mark."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`@relation(name: "x", fields: [a])`: arguments without a name are under ""."""

    name: str
    arguments: dict[str, Value]

    def text(self, *names: str) -> str:
        """Return the first of these arguments that is one word; empty when none is."""
        return next((value for name in names if isinstance(value := self.arguments.get(name), str)), "")

    def words(self, name: str) -> tuple[str, ...]:
        """Return the argument that is a list of words; empty when it is none."""
        value = self.arguments.get(name)
        return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`author User? @relation(…)`."""

    name: str
    type: str
    is_list: bool
    attributes: tuple[Attribute, ...]
    line: int

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute by name."""
        return next((each for each in self.attributes if each.name == name), None)


@dataclass(slots=True, kw_only=True)
class Block:
    """`model User { … }`."""

    kind: str
    name: str
    line: int
    fields: dict[str, Field] = field(default_factory=dict)
    attributes: list[Attribute] = field(default_factory=list)

    def attribute(self, name: str) -> Attribute | None:
        """Return an attribute of the block by name."""
        return next((each for each in self.attributes if each.name == name), None)


def parse(text: str) -> list[Block]:
    """Return the blocks of a schema, in order."""
    blocks: list[Block] = []
    tokens = list(_tokens(text))
    place = 0
    while place < len(tokens):
        head = tokens[place : place + 3]
        if [token.kind for token in head] == ["word", "word", "mark"] and head[2].text == "{":
            end = _end(tokens, place + 2)
            blocks.append(_block(head[0].text, head[1], tokens[place + 3 : end]))
            place = end
        place += 1
    return blocks


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup or "mark", match.group()
        if kind == "string":
            yield Token(kind, _ESCAPE.sub(lambda each: _ESCAPED.get(each[1], each[1]), found[1:].removesuffix('"')), line)
        elif kind != "skip":
            yield Token(kind, found, line)
        line += found.count("\n")


def _end(tokens: Sequence[Token], start: int) -> int:
    """Return the place of the mark that closes the one at `start`, or the end."""
    depth = 0
    for place in range(start, len(tokens)):
        kind, text, _ = tokens[place]
        if kind == "mark":
            depth += (text in _OPENING) - (text in _CLOSING)
            if depth <= 0:
                return place
    return len(tokens)


def _block(kind: str, name: Token, tokens: Sequence[Token]) -> Block:
    block = Block(kind=kind, name=name.text, line=name.line)
    for statement in _statements(tokens):
        first = statement[0]
        if first.kind == "attribute" and first.text.startswith("@@"):
            block.attributes += _attributes(statement)
        elif first.kind == "word" and len(statement) > 1 and statement[1].kind == "word":
            found = _field(statement)
            block.fields[found.name] = found
        elif first.kind == "word" and len(statement) > 2 and statement[1].text == "=":  # noqa: PLR2004 (name, =, value)
            block.attributes.append(Attribute(name=first.text, arguments={"": statement[2].text}))
    return block


def _statements(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the tokens of each line; brackets may go on over lines."""
    statement: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if token.kind != "newline":
            statement.append(token)
        elif depth <= 0 and statement:
            yield statement
            statement, depth = [], 0
    if statement:
        yield statement


def _field(statement: Sequence[Token]) -> Field:
    name, kind, *rest = statement
    is_list = [token.text for token in rest[:2] if token.kind == "mark"] == ["[", "]"]
    return Field(name=name.text, type=kind.text, is_list=is_list, attributes=tuple(_attributes(rest)), line=name.line)


def _attributes(tokens: Sequence[Token]) -> Iterator[Attribute]:
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token.kind == "attribute":
            inside: Sequence[Token] = ()
            if place < len(tokens) and tokens[place].kind == "mark" and tokens[place].text == "(":
                end = _end(tokens, place)
                inside, place = tokens[place + 1 : end], end
            yield Attribute(name=token.text.lstrip("@"), arguments=dict(_arguments(inside)))


def _arguments(tokens: Sequence[Token]) -> Iterator[tuple[str, Value]]:
    for part in _parts([token for token in tokens if token.kind != "newline"]):
        named = len(part) > 1 and part[1] == ("mark", ":", part[1].line)
        name, values = (part[0].text, part[2:]) if named else ("", part)
        if not values:
            continue
        if values[0].kind == "mark" and values[0].text == "[":
            inside = values[1 : _end(values, 0)]
            yield name, [each[0].text for each in _parts(inside) if each[0].kind != "mark"]
        else:
            yield name, values[0].text


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield what stands between commas, those in brackets aside."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if token.text == "," and depth == 0:
                if part:
                    yield part
                part = []
                continue
        part.append(token)
    if part:
        yield part
