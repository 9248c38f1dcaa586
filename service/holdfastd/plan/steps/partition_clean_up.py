"""CLEAN_UP where the referencing table is partitioned: one step per leaf, because that is where rows are, saved and put back."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.model import Edge
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.edges import KeyName
from holdfastd.plan.locks import with_partitions
from holdfastd.plan.model import Decision, Step
from holdfastd.plan.recipe import build_recipe
from holdfastd.plan.steps.clean_up import clean_up

#: With more leaves, only those get a step that had orphan rows when the plan was made; should others have some, validating tells.
_ALL_LEAVES = 64


def clean_up_leaves(
    catalog: Catalog,
    relationship: Relationship,
    decision: Decision,
    edges: Sequence[Edge],
    dropped: frozenset[KeyName],
    closure: Mapping[TableName, int],
) -> Iterator[Step]:
    """Yield the steps that clean up a relationship, not numbered yet: one, or one per leaf partition. `closure`: rows taken, by table."""
    leaves = catalog.leaves(relationship.referencing.table)
    onwards: dict[TableName, list[Edge]] = defaultdict(list)
    for edge in edges:
        onwards[edge.referenced.table].append(edge)
    for leaf in leaves:
        if leaf not in closure and len(leaves) > _ALL_LEAVES:
            continue
        columns = ColumnSet(leaf, relationship.referencing.columns)
        there, decided = replace(relationship, referencing=columns), replace(decision, referencing=columns)
        recipe = build_recipe(catalog, there, decided, _from(leaf, onwards), dropped=dropped)
        taken = {table: count for table, count in closure.items() if table == leaf or table not in leaves}
        if leaf not in closure:
            taken = {}
        decided = replace(decided, closure_rows=sum(taken.values()))
        step = clean_up(0, catalog, there, decided, recipe, taken)
        yield with_partitions(catalog, replace(step, relationship_id=relationship.id))


def _from(start: TableName, onwards: Mapping[TableName, Sequence[Edge]]) -> tuple[Edge, ...]:
    """Return the edges that can be met from a table on: few of the very many between tables of many partitions each."""
    tables, met = [start], {start}
    found: list[Edge] = []
    for table in tables:
        found += onwards.get(table, ())
        new = {edge.referencing.table for edge in onwards.get(table, ())} - met
        tables += sorted(new)
        met |= new
    return tuple(found)
