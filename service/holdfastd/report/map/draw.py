"""The relationship map as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.model import Relationship


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A map, and how many tables had no room on it."""

    svg: str
    omitted_tables: int = 0


def draw_map(tables: Sequence[TableOutline], relationships: Sequence[Relationship], *, include_review: bool = False) -> Drawing:
    """Return the map as an SVG document. Without tables, those that the relationships name are drawn."""
    raise NotImplementedError(len(tables), len(relationships), include_review)
