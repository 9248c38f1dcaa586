"""Which indexes another one makes superfluous: only what the two definitions prove.

PostgreSQL prints a definition with every collation, operator class, order and option that is not the default, so equal text on one
table means equal searches. In comes a table, out go pairs of indexes.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from holdfastd.catalog.model import Index, Table

_BTREE = "btree"
#: Quoted names and strings, brackets and commas, and what is between them.
_TOKEN = re.compile(r""""(?:[^"]|"")*"|'(?:[^']|'')*'|[(),]|[^"'(),]+""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """An index as its definition prints it."""

    index: Index
    #: Key columns and expressions, each with collation, operator class and order.
    elements: tuple[str, ...]
    #: Everything from the first bracket on.
    rest: str
    #: The index does more than serve searches: it is unique, or a constraint rests on it.
    is_needed: bool

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Of equal indexes the lowest stays."""
        return not self.is_needed, len(self.elements), self.index.oid


def redundant_indexes(table: Table) -> Iterator[tuple[Index, Index]]:
    """Yield each usable index that can be dropped with the one that serves all that it serves, and stays."""
    by_start: dict[tuple[str, str | None, str], list[_Shape]] = defaultdict(list)
    for shape in (_shape(table, index) for index in table.indexes):
        if shape is not None:
            by_start[shape.index.method, shape.index.predicate, shape.elements[0]].append(shape)
    for group in by_start.values():
        covers = {shape.index.oid: [other for other in group if _covers(other, shape)] for shape in group}
        for shape in group:
            staying = [other for other in covers[shape.index.oid] if not covers[other.index.oid]]
            if staying:
                yield shape.index, min(staying, key=lambda other: other.rank).index


def _covers(cover: _Shape, shape: _Shape) -> bool:
    """Tell whether an index serves all that another does, and is not the one to go of two equals."""
    if cover is shape or shape.is_needed:
        return False
    if cover.rest == shape.rest:
        return cover.rank < shape.rank
    index = shape.index
    if index.method != _BTREE or index.predicate is not None or None in index.columns:
        return False
    held = {*cover.index.columns, *cover.index.included_columns}
    is_beginning = cover.elements[: len(shape.elements)] == shape.elements and held.issuperset(index.included_columns)
    same = is_beginning and len(cover.elements) == len(shape.elements) and set(index.included_columns) == set(cover.index.included_columns)
    return cover.rank < shape.rank if same else is_beginning


def _shape(table: Table, index: Index) -> _Shape | None:
    """Return what the definition says; None for an index that is not usable or whose definition is not known."""
    depth, elements, start = 0, [""], 0
    for token in _TOKEN.finditer(index.definition if index.is_usable else ""):
        text = token[0]
        if text == ")":
            depth -= 1
            if depth == 0:
                # An exclusion constraint has an index of its own name.
                needed = index.is_unique or bool(index.constraint_name) or index.name in table.constraint_names
                parts = tuple(element.strip() for element in elements)
                return _Shape(index=index, elements=parts, rest=index.definition[start:], is_needed=needed)
        if depth == 1 and text == ",":
            elements.append("")
        elif depth:
            elements[-1] += text
        if text == "(":
            start = start if depth else token.start()
            depth += 1
    return None
