"""The queries inside the body of a function: in comes SQL or PL/pgSQL, out go pieces that a parser of SQL may understand.

PL/pgSQL is not parsed: comments and literals are taken out, the rest is cut at semicolons and at the words that open a block, and what
then begins like a query is taken for one. A piece too much costs a failed parse, a piece too little one hint.
"""

import re
from collections.abc import Iterator

#: Where a comment, a literal or a quoted name begins, and what it ends with.
_OPENER = re.compile(r"""--|/\*|(?<!\w)[eE]'|'|"|(?P<tag>\$(?:[A-Za-z_]\w*)?\$)""")
_REST = {
    "--": re.compile(r"[^\n]*+"),
    "/*": re.compile(r".*?\*/", re.DOTALL),
    "'": re.compile(r"(?:[^']|'')*+'"),
    "e'": re.compile(r"(?:[^'\\]|''|\\.)*+'", re.DOTALL),
    '"': re.compile(r'(?:[^"]|"")*+"'),
}
_QUERY = re.compile(r"(?:SELECT|WITH|INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b", re.IGNORECASE)
#: What a statement begins after; THEN and ELSE also stand inside CASE, where what follows is no query.
_OPENS = re.compile(r"\b(?:ATOMIC|BEGIN|THEN|ELSE|LOOP|IN|QUERY|RETURN|FOR|AS|IS)\s+(?=[A-Z])|:=\s*", re.IGNORECASE)
_PERFORM = re.compile(r"\bPERFORM\b", re.IGNORECASE)
#: Where the query of a loop ends.
_LOOP = re.compile(r"\bLOOP\b", re.IGNORECASE)
#: `SELECT a, b INTO x, y FROM t`: the variables are none of the parser's business.
_INTO = re.compile(r"(?<!INSERT)\s+INTO\s+(?:STRICT\s+)?[\w.]+(?:\s*,\s*[\w.]+)*(?=\s+FROM\b|\s*$)", re.IGNORECASE)
_NESTED = re.compile(r"\(\s*(?=(?:SELECT|WITH)\b)", re.IGNORECASE)
#: Characters of one statement: beyond, it is generated, and its parsing takes seconds.
_LONGEST = 30_000


def queries_in(body: str) -> Iterator[str]:
    """Yield what looks like a query in the body of a function."""
    for statement in _without_noise(body).split(";"):
        if len(statement) > _LONGEST:
            continue
        # What follows the head of a loop is a statement of its own.
        for piece in _LOOP.split(_PERFORM.sub("SELECT", statement)):
            yield from (_INTO.sub("", query).strip() for query in _queries(piece.strip()))


def _without_noise(text: str) -> str:
    """Take out comments, and what literals say; quoted names stay. What is never closed ends the text."""
    kept: list[str] = []
    place = 0
    while opener := _OPENER.search(text, place):
        kept.append(text[place : opener.start()])
        end = _end(text, opener)
        if end < 0:
            return "".join(kept)
        is_comment, is_name = opener[0] in {"--", "/*"}, opener[0] == '"'
        kept.append(" " if is_comment else text[opener.start() : end] if is_name else "''")
        place = end
    return "".join((*kept, text[place:]))


def _end(text: str, opener: re.Match[str]) -> int:
    """Return where what begins here ends; -1 when it does not."""
    if tag := opener["tag"]:
        found = text.find(tag, opener.end())
        return found + len(tag) if found >= 0 else -1
    rest = _REST[opener[0].lower()].match(text, opener.end())
    return rest.end() if rest else -1


def _queries(text: str) -> Iterator[str]:
    """Yield the query that a piece is or ends with, else those in its parentheses."""
    for start in (0, *(match.end() for match in _OPENS.finditer(text))):
        if _QUERY.match(text, start) and _depth(text, start) == 0:
            yield text[start:]
            return
    for match in _NESTED.finditer(text):
        if _depth(text, match.start()) == 0:
            yield text[match.end() : _closing(text, match.start())]


def _depth(text: str, end: int) -> int:
    return text.count("(", 0, end) - text.count(")", 0, end)


def _closing(text: str, start: int) -> int:
    """Return where the parenthesis that opens at a place closes; the end of the text when it does not."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, start):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return len(text)
