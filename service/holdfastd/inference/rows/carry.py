"""What rows confirmed in one table is told to columns of the same name in tables with too few rows to tell themselves.

In come weighed hypotheses and overlaps; out come the same, some likelier, and a few new ones.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.model import Overlap
from holdfastd.inference.model import Evidence, Hypothesis, Target
from holdfastd.inference.rows.weights import LIMIT, PROPOSED, WEIGHT, shift
from holdfastd.names import ColumnSet, TableName, relationship_id

_SIBLINGS = 200  # new hypotheses, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirmed:
    """The key that rows confirmed for columns of one name."""

    key: ColumnSet
    tables: frozenset[TableName]
    #: By how much rows made it likelier, on average: what names told is known to the others already.
    gain: float

    @property
    def weight(self) -> float:
        """What it is worth to another column of that name."""
        worth = WEIGHT["sibling"] * self.gain * (1 + math.log(len(self.tables)))
        return min(max(worth, WEIGHT["least_for_siblings"]), WEIGHT["most_for_siblings"])

    @property
    def choice(self) -> float:
        """What it is worth when another column of that name is a reference, and only the key is in doubt."""
        return min(WEIGHT["choice_of_siblings"] * (1 + math.log(len(self.tables))), WEIGHT["most_for_choice"])

    @property
    def evidence(self) -> Evidence:
        """The same in words."""
        where = str(min(self.tables)) if len(self.tables) == 1 else f"{len(self.tables)} other tables"
        return Evidence(rule="values_found_elsewhere", text=f"values under the same name in {where} are found in {self.key}")


def carry(
    catalog: Catalog, before: Sequence[Hypothesis], after: Sequence[Hypothesis], overlaps: Mapping[str, Overlap]
) -> tuple[Hypothesis, ...]:
    """Return the weighed hypotheses, those that rows say little about nearer to what rows say about columns of the same name."""
    confirmed = _confirmed(before, after, overlaps)
    told = tuple(_told(each, confirmed, overlaps) for each in after)
    return (*told, *_new(catalog, told, confirmed))


def _confirmed(before: Sequence[Hypothesis], after: Sequence[Hypothesis], overlaps: Mapping[str, Overlap]) -> dict[str, _Confirmed]:
    """Names on which rows of several tables do not disagree. Not `parent_id`, nor `id`: those lead elsewhere from every table."""
    found: dict[str, dict[ColumnSet, dict[TableName, float]]] = defaultdict(lambda: defaultdict(dict))
    for thought, weighed in zip(before, after, strict=True):
        best = weighed.targets[0]
        chance = weighed.reference_probability * best.probability
        overlap = overlaps.get(relationship_id(weighed.referencing, best.referenced))
        if len(weighed.referencing.columns) == 1 and chance >= LIMIT["confirmed"] and overlap and overlap.found >= LIMIT["several"]:
            gain = max(0.0, chance - _chance_of(thought, best.referenced))
            found[weighed.referencing.columns[0]][best.referenced][weighed.referencing.table] = gain
    return {
        name: _Confirmed(key=key, tables=frozenset(gains), gain=sum(gains.values()) / len(gains))
        for name, keys in found.items()
        for key, gains in keys.items()
        if len(keys) == 1 and key.table not in gains
    }


def _chance_of(hypothesis: Hypothesis, referenced: ColumnSet) -> float:
    share = next((target.probability for target in hypothesis.targets if target.referenced == referenced), 0.0)
    return hypothesis.reference_probability * share


def _told(hypothesis: Hypothesis, confirmed: Mapping[str, _Confirmed], overlaps: Mapping[str, Overlap]) -> Hypothesis:
    """Shift a hypothesis towards the key of its siblings, unless rows speak for themselves."""
    name = confirmed.get(hypothesis.referencing.columns[0])
    if len(hypothesis.referencing.columns) > 1 or name is None or hypothesis.referencing.table in name.tables:
        return hypothesis
    if all(target.referenced != name.key for target in hypothesis.targets) or _object(hypothesis, name.key, overlaps):
        return hypothesis
    return _shifted(hypothesis, name)


def _object(hypothesis: Hypothesis, key: ColumnSet, overlaps: Mapping[str, Overlap]) -> bool:
    """Tell whether a column's own rows, being enough, lack what the key of its siblings holds."""
    seen = overlaps.get(relationship_id(hypothesis.referencing, key))
    return (
        seen is not None
        and seen.sampled >= LIMIT["several"]
        and max(seen.found / seen.sampled, seen.found_rows or 0.0) < LIMIT["some_share"]
    )


def _shifted(hypothesis: Hypothesis, name: _Confirmed) -> Hypothesis:
    targets = tuple(
        replace(target, evidence=(*target.evidence, name.evidence)) if target.referenced == name.key else target
        for target in hypothesis.targets
    )
    is_key = [target.referenced == name.key for target in targets]
    chosen = shift(replace(hypothesis, targets=targets), [name.choice * each for each in is_key])
    same_doubt = replace(chosen, reference_probability=hypothesis.reference_probability)
    return shift(same_doubt, [name.weight if target.referenced == name.key else 0.0 for target in same_doubt.targets])


def _new(catalog: Catalog, hypotheses: Sequence[Hypothesis], confirmed: Mapping[str, _Confirmed]) -> Iterator[Hypothesis]:
    """Think of columns that nothing was thought of before."""
    taken = {each.referencing for each in hypotheses}
    taken |= {ColumnSet(key.referencing.table, (name,)) for key in catalog.foreign_keys for name in key.referencing.columns}
    places = (
        (ColumnSet(table.name, (column.name,)), confirmed[column.name])
        for table in catalog.tables.values()
        for column in table.columns
        if column.name in confirmed and table.primary_key != (column.name,)
    )
    free = (
        (referencing, name)
        for referencing, name in places
        if referencing not in taken
        and name.key.table != referencing.table
        and resolve_operators(catalog, referencing, name.key) is not None
    )
    for referencing, name in islice(free, _SIBLINGS):
        target = Target(referenced=name.key, probability=PROPOSED["sibling"]["target"])
        yield _shifted(Hypothesis(referencing=referencing, reference_probability=PROPOSED["sibling"]["reference"], targets=(target,)), name)
