"""Hints from what people wrote elsewhere: joins in views and functions, and keys declared on partitions only.

In come hypotheses; out come the same, more certain where a hint agrees, and new ones where nothing but the hint speaks.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog, Table, TableKind
from holdfastd.catalog.operators import resolve_operators
from holdfastd.inference.hints.agreement import Hint, agree
from holdfastd.inference.hints.joins import Join
from holdfastd.inference.model import Evidence, Hypothesis
from holdfastd.inference.naming.pairs import type_columns
from holdfastd.inference.naming.words import STRONG_SUFFIXES, words
from holdfastd.names import ColumnSet

#: What one join adds to the logit of being a reference, each doubling of their number, and how many doublings count.
_JOIN, _MORE, _MOST_DOUBLINGS = 2.0, 0.4, 3.0
#: What a join adds to the logit of its target.
_TOWARDS = 3.0
#: The same for a key on every partition; on some it is less in proportion: on one of many it may be a slip.
_PARTITIONS, _TOWARDS_PARTITIONS = 5.0, 6.0
#: Belief from which a key counts as a reference itself.
_BELIEVED = 0.5
#: A column compared with two keys is a reference to one of them at best; with more, a number that means something else every time.
_TOO_MANY = 3


def weigh_joins(catalog: Catalog, hypotheses: Sequence[Hypothesis], joins: Mapping[str, Join]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses, those by which views and functions join more certain."""
    leads_to = {key.referencing: key.referenced for key in catalog.foreign_keys}
    leads_to |= {
        each.referencing: each.targets[0].referenced
        for each in hypotheses
        if each.reference_probability * each.targets[0].probability >= _BELIEVED
    }
    pairs = {(join.referencing, join.referenced) for join in joins.values()}
    hints: dict[ColumnSet, list[Hint]] = defaultdict(list)
    for join in joins.values():
        # Two tables that extend a third are joined by keys that both point there.
        referenced = _followed(join.referenced, leads_to)
        is_direct = referenced == join.referenced and (join.referenced, join.referencing) not in pairs
        if referenced != join.referencing:
            hints[join.referencing].append(_join_hint(join, referenced, may_add=is_direct and _may_reference(catalog, join)))
    return agree(hypotheses, (hint for group in hints.values() for hint in _consistent(group)))


def weigh_partitions(catalog: Catalog, hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses, with the keys that partitions have and their root lacks."""
    return agree(hypotheses, (hint for table in catalog.tables.values() for hint in _partition_hints(table)))


def _partition_hints(table: Table) -> Iterable[Hint]:
    declared = Counter(
        (ColumnSet(table.name, key.referencing.columns), key.referenced)
        for partition in table.partitions
        for key in {(key.referencing, key.referenced): key for key in partition.foreign_keys}.values()
    )
    for key in table.foreign_keys:
        declared.pop((key.referencing, key.referenced), None)
    for (referencing, referenced), count in declared.items():
        text, share = f"declared on {count} of {len(table.partitions)} partitions", count / len(table.partitions)
        yield Hint(
            referencing=referencing,
            referenced=referenced,
            weight=_PARTITIONS * share,
            towards=_TOWARDS_PARTITIONS * share,
            evidence=Evidence(rule="partitions", text=text),
            may_add=True,
        )


def _consistent(group: Sequence[Hint]) -> Iterable[Hint]:
    """Return the hints about some columns, as far as they do not contradict each other."""
    count = len({hint.referenced for hint in group})
    if count == 1:
        return group
    return () if count >= _TOO_MANY else (replace(hint, may_add=False) for hint in group)


def _join_hint(join: Join, referenced: ColumnSet, *, may_add: bool) -> Hint:
    count = len(join.used_by)
    others = "" if count == 1 else " and 1 other" if count == 2 else f" and {count - 1} others"  # noqa: PLR2004 (one, two, many)
    return Hint(
        referencing=join.referencing,
        referenced=referenced,
        weight=_JOIN + _MORE * min(math.log2(count), _MOST_DOUBLINGS),
        towards=_TOWARDS,
        evidence=Evidence(rule="joined", text=f"joined so in the {join.used_by[0]}{others}"),
        may_add=may_add,
    )


def _followed(key: ColumnSet, leads_to: Mapping[ColumnSet, ColumnSet]) -> ColumnSet:
    """Return where a key leads that is a reference itself; the key when it is none."""
    seen = {key}
    while (further := leads_to.get(key)) is not None and further not in seen:
        key = further
        seen.add(key)
    return key


def _may_reference(catalog: Catalog, join: Join) -> bool:
    """Tell whether a join alone makes a candidate: not where a key is declared or impossible, nor for the id of an (id, type) pair."""
    table = catalog.tables[join.referencing.table]
    names = join.referencing.columns
    return (
        table.kind is not TableKind.FOREIGN
        and not table.only_referenced
        and names not in {key.referencing.columns for key in table.foreign_keys}
        and names != table.primary_key
        and not any(table.column(name).generated or table.column(name).identity or _is_paired(table, name) for name in names)
        and resolve_operators(catalog, join.referencing, join.referenced) is not None
    )


def _is_paired(table: Table, name: str) -> bool:
    own = words(name)
    stem = own[:-1] if own[-1] in STRONG_SUFFIXES else own
    return stem in type_columns(table)
