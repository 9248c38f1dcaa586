"""Tables that come in families: `artist_redirect`, `label_redirect`, `place_redirect`, each named after another table and one tail.

A column that all of them have, whose name says "a key" but no table, leads from each to the table that it is named after. In come a
catalog and hypotheses; out come the same, more certain where a family agrees.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Column, Table
from holdfastd.catalog.operators import resolve_operators
from holdfastd.inference.hints.agreement import Hint, agree
from holdfastd.inference.model import Evidence, Hypothesis
from holdfastd.inference.naming.vocabulary import EXTERNAL_WORDS, OPAQUE_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, Stem, stem_of, words
from holdfastd.names import ColumnSet, TableName, readable

Words = tuple[str, ...]

#: Tables that make a family.
_FEWEST = 4
#: Belief from which a column is taken to be understood already.
_BELIEVED = 0.5
#: What a family adds to the logit of being a reference, each doubling of its tables, how many doublings count; and to that of the key.
_FAMILY, _MORE, _MOST_DOUBLINGS, _TOWARDS = 2.0, 0.5, 2.0, 4.0


@dataclass(frozen=True, slots=True)
class _Member:
    """A table of a family, and the table that it is named after."""

    table: Table
    base: Table


def weigh_families(catalog: Catalog, hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses, those about columns that a family of tables shares more certain."""
    named = {_name_of(table): table for table in catalog.tables.values() if len(table.primary_key) == 1}
    stems = {name for _, name in named}
    families: dict[tuple[str, Words, str], list[_Member]] = defaultdict(list)
    for table in catalog.tables.values():
        base, tail = _named_after(table, named)
        for column in table.columns:
            if base is not None and _may_lead_back(table, column, stem_of(words(column.name)), stems):
                families[table.name.schema, tail, column.name].append(_Member(table, base))
    believed = {each.referencing: each.targets[0].referenced for each in hypotheses if _confidence(each) >= _BELIEVED}
    hints = (hint for (_, _, column), members in families.items() for hint in _hints(catalog, column, members, believed))
    return agree(hypotheses, hints)


def _confidence(hypothesis: Hypothesis) -> float:
    return hypothesis.reference_probability * hypothesis.targets[0].probability


def _name_of(table: Table) -> tuple[str, Words]:
    return table.name.schema, words(table.name.name)


def _named_after(table: Table, named: Mapping[tuple[str, Words], Table]) -> tuple[Table | None, Words]:
    """Return the table with the longest name that this one's begins with, and what follows."""
    schema, own = _name_of(table)
    for length in range(len(own) - 1, 0, -1):
        base = named.get((schema, own[:length]))
        if base is not None:
            return base, own[length:]
    return None, ()


def _may_lead_back(table: Table, column: Column, stem: Stem, stems: set[Words]) -> bool:
    """Tell whether a column is called a key of nothing in particular: `new_id`, not `id`, `album_id`, `external_id` or `session_id`."""
    return (
        stem.suffix in STRONG_SUFFIXES
        and bool(stem.words)
        and stem.words not in stems
        and not {*stem.words} & (EXTERNAL_WORDS | OPAQUE_WORDS)
        and table.primary_key != (column.name,)
        and not (column.identity or column.generated)
        and (column.name,) not in {key.referencing.columns for key in table.foreign_keys}
    )


def _hints(catalog: Catalog, column: str, members: Sequence[_Member], believed: Mapping[ColumnSet, ColumnSet]) -> Iterator[Hint]:
    """Yield a hint per member, unless there are few, or one is believed to lead elsewhere."""
    bases: set[TableName] = {member.base.name for member in members}
    elsewhere = any(
        (key := believed.get(ColumnSet(member.table.name, (column,)))) is not None and key.table != member.base.name for member in members
    )
    if len(bases) < _FEWEST or len(bases) < len(members) or elsewhere:
        return
    weight = _FAMILY + _MORE * min(math.log2(len(bases) / _FEWEST), _MOST_DOUBLINGS)
    for member in members:
        referencing, referenced = ColumnSet(member.table.name, (column,)), ColumnSet(member.base.name, member.base.primary_key)
        if resolve_operators(catalog, referencing, referenced) is not None:
            text = f"{len(bases)} tables called alike have {readable(column)}, each for the table that it is named after"
            evidence = Evidence(rule="family", text=text)
            yield Hint(referencing=referencing, referenced=referenced, weight=weight, towards=_TOWARDS, evidence=evidence, may_add=False)
