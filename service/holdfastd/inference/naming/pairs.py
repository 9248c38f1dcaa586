"""Columns that say of what kind a neighbour is: `owner_type` beside `owner_id`. Such ids point into several tables. Pure."""

from collections.abc import Mapping

from holdfastd.catalog.model import Column, Table
from holdfastd.inference.naming.vocabulary import TYPE_WORDS
from holdfastd.inference.naming.words import words


def type_columns(table: Table) -> Mapping[tuple[str, ...], Column]:
    """Return the text and enum columns whose last word means a type, by the words before it: (`owner`,) for `owner_type`."""
    named = ((words(column.name), column) for column in table.columns if column.type.category in {"S", "E"})
    typed = sorted(((name[-1], name[:-1], column) for name, column in named if name and name[-1] in TYPE_WORDS), key=lambda each: each[:2])
    # The first word of the list wins where there are two.
    return {stem: column for _, stem, column in reversed(typed)}
