"""What rows make of a hypothesis: how likely is what we saw, if the columns do reference this key, against if they do not?

In come hypotheses and how their values overlap with keys; out come the same hypotheses, thought over. What counts is how telling a
value is, not how many are found: 1, 2, 3 are found among any ids, one uuid is found nowhere by accident. Values that are not found
speak against a relationship only when they are most of all: orphan rows are what Holdfast is for. Weights are data, in rows.json.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.model import Overlap
from holdfastd.inference.model import Evidence, Hypothesis, Target
from holdfastd.inference.rows.carry import carry
from holdfastd.inference.rows.weights import BY_TYPE, EDGE, LIMIT, WEIGHT, shift
from holdfastd.names import ColumnSet, relationship_id


def weigh_rows(catalog: Catalog, hypotheses: Sequence[Hypothesis], overlaps: Mapping[str, Overlap]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses after a look at rows; those without rows as they were, saying so, or as columns of the same name suggest."""
    weighed = [_weighed(catalog, each, overlaps) for each in hypotheses]
    borrowed = {
        each.referencing: each.targets[0].referenced
        for each in weighed
        if each.referencing.columns == catalog.tables[each.referencing.table].primary_key
        and each.reference_probability * each.targets[0].probability >= LIMIT["borrowed"]
    }
    return carry(catalog, hypotheses, [_with_roots_first(each, borrowed) for each in weighed], overlaps)


def _with_roots_first(hypothesis: Hypothesis, borrowed: Mapping[ColumnSet, ColumnSet]) -> Hypothesis:
    """Where types alone proposed the keys: prefer the one that others borrow, `users(id)` to `profiles(user_id)`."""
    listed = {target.referenced for target in hypothesis.targets}
    if hypothesis.targets[0].evidence[:1] and hypothesis.targets[0].evidence[0].rule in BY_TYPE:
        return shift(
            hypothesis, [WEIGHT["borrowed"] if borrowed.get(target.referenced) in listed else 0.0 for target in hypothesis.targets]
        )
    return hypothesis


def _weighed(catalog: Catalog, hypothesis: Hypothesis, overlaps: Mapping[str, Overlap]) -> Hypothesis:
    seen = [overlaps.get(relationship_id(hypothesis.referencing, target.referenced)) for target in hypothesis.targets]
    targets = [
        replace(target, evidence=(*target.evidence, *told(target, overlap)))
        for target, overlap in zip(hypothesis.targets, seen, strict=True)
    ]
    weights = _weights(seen)
    if catalog.tables[hypothesis.referencing.table].primary_key == hypothesis.referencing.columns:
        weights = [
            weight if overlap is None or overlap.density is None else min(weight, WEIGHT["most_for_own_ids"])
            for weight, overlap in zip(weights, seen, strict=True)
        ]
    return shift(replace(hypothesis, targets=tuple(targets)), weights)


def _weights(seen: Sequence[Overlap | None]) -> list[float]:
    """Weigh each target; an empty key loses against one that holds what was looked up, else it says nothing."""
    weights = [weight_of(overlap) for overlap in seen]
    if max(weights, default=0.0) <= 0:
        return weights
    empty = [overlap is not None and overlap.sampled > 0 and not overlap.referenced_rows for overlap in seen]
    return [WEIGHT["empty_beside_full"] if is_empty else weight for weight, is_empty in zip(weights, empty, strict=True)]


def weight_of(overlap: Overlap | None) -> float:
    """Return how much more likely an overlap is if the relationship is meant, as a logarithm; 0: it says nothing."""
    if overlap is None or not overlap.sampled or not overlap.referenced_rows:
        return 0.0
    most = WEIGHT["most_for_others"] if overlap.density is None else WEIGHT["most_for_numbers"]
    return min(_hits(overlap) + _spread(overlap), most) + _misses(overlap)


def _hits(overlap: Overlap) -> float:
    """Found more often than by chance. Values of one column resemble each other: only a few count as independent, one or two for less."""
    chance = min(max(overlap.chance, EDGE**2), 1 - EDGE)
    looked_up = overlap.sampled * (1.0 if overlap.inside is None else overlap.inside)
    if not overlap.found or not looked_up:
        return 0.0
    share = max(min(1.0, overlap.found / looked_up), overlap.found_rows or 0.0)
    tries = min(overlap.found / share, WEIGHT["tries"])
    gain = tries * tries / (tries + 4) * _divergence(share, chance) if share > chance else 0.0
    if overlap.found == overlap.sampled:
        gain = max(gain, WEIGHT["all_of_several" if overlap.sampled >= LIMIT["several"] else "all_of_few"])
    return gain


def _spread(overlap: Overlap) -> float:
    """Many ids from all over a key's range are no quantities; small ones within a large key may be anything."""
    if overlap.spread is None or max(overlap.found / overlap.sampled, overlap.found_rows or 0.0) < LIMIT["some_share"]:
        return 0.0
    if overlap.found >= LIMIT["many"] and overlap.spread >= LIMIT["wide"]:
        return WEIGHT["wide_spread"]
    narrow = overlap.spread <= LIMIT["narrow"] and overlap.referenced_rows >= LIMIT["large_key"]
    return WEIGHT["narrow_spread"] if narrow and overlap.sampled >= LIMIT["several"] and overlap.chance >= LIMIT["some_share"] else 0.0


def _misses(overlap: Overlap) -> float:
    """Not found. A key of few rows may have lost the others, and a value that most rows have may mean "none": both say less."""
    values = min(float(overlap.sampled), overlap.varied or math.inf)
    sure = min(1.0, values / LIMIT["several"]) * min(1.0, abs(overlap.referenced_rows) / LIMIT["several"])
    if not overlap.found:
        return max(-sure * WEIGHT["none_found"] * math.log(values + 1), -WEIGHT["most_against"])
    share = max(overlap.found / overlap.sampled, overlap.found_rows or 0.0)
    steps = (("least_share", "least_found"), ("few_share", "few_found"), ("some_share", "some_found"))
    return next((WEIGHT[weight] * sure for limit, weight in steps if share < LIMIT[limit]), 0.0)


def _divergence(share: float, chance: float) -> float:
    """How much a share tells per value when another was to be expected by chance (Kullback and Leibler's measure)."""
    missing = (1 - share) * math.log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return share * math.log(share / chance) + missing


def told(target: Target, overlap: Overlap | None) -> tuple[Evidence, ...]:
    """Return what a look at rows says, in words and numbers, never in values."""
    if overlap is None:
        return ()
    if overlap.unseen:
        return (Evidence(rule="rows_unseen", text=f"nobody looked at rows: {overlap.unseen}"),)
    if not overlap.sampled or not overlap.referenced_rows:
        reason = f"{target.referenced.table} is empty" if overlap.sampled else "no row has a value here"
        return (Evidence(rule="no_rows", text=f"{reason}: only the catalog speaks"),)
    return (Evidence(rule="values_found" if overlap.found else "values_missing", text=_counted(target, overlap)),)


def _counted(target: Target, overlap: Overlap) -> str:
    if overlap.sampled == 1:
        which = "its only value" if overlap.is_whole else "the only value sampled"
        return f"{which} is {'' if overlap.found else 'not '}found in {target.referenced}"
    of = f"of its {overlap.sampled} values" if overlap.is_whole else f"of {overlap.sampled} sampled values"
    if not overlap.found:
        return f"none {of} is found in {target.referenced}"
    anywhere = ", where any number of that size would be" if overlap.density is not None and overlap.chance >= LIMIT["dense"] else ""
    return f"{overlap.found} {of} {'is' if overlap.found == 1 else 'are'} found in {target.referenced}{anywhere}"
