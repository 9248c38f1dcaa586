"""Which tables are drawn when there are too many: those with orphan rows and their neighbours, then those with most relationships. Pure."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.report.map.states import ends, orphan_rows

#: Beyond these a map is a wall: nobody reads it, and no browser moves it smoothly.
MOST_TABLES = 2_000
MOST_RELATIONSHIPS = 6_000


def choose(names: Collection[TableName], relationships: Sequence[Relationship]) -> tuple[list[TableName], list[Relationship]]:
    """Return the tables to draw, by name, and the relationships among them."""
    if len(names) <= MOST_TABLES and len(relationships) <= MOST_RELATIONSHIPS:
        return sorted(names), list(relationships)
    kept = set(_ranked(names, relationships)[:MOST_TABLES])
    among = [each for each in relationships if kept.issuperset(ends(each))]
    if len(among) > MOST_RELATIONSHIPS:
        among.sort(key=lambda each: (-orphan_rows(each), each.id, each.constraint_name))
        del among[MOST_RELATIONSHIPS:]
    return sorted(kept), among


def _ranked(names: Collection[TableName], relationships: Sequence[Relationship]) -> list[TableName]:
    degree: dict[TableName, int] = defaultdict(int)
    for each in relationships:
        for name in ends(each):
            degree[name] += 1
    hot = {name for each in relationships if orphan_rows(each) for name in ends(each)}
    near = {name for each in relationships if not hot.isdisjoint(ends(each)) for name in ends(each)}
    return sorted(names, key=lambda name: (name not in hot, name not in near, -degree[name], name))
