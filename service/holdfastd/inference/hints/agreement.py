"""A hint and what it does to hypotheses: added to the logit of being a reference, and to that of one target."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from holdfastd.inference.model import Evidence, Hypothesis, Target
from holdfastd.names import ColumnSet

#: Probabilities without the hint: of a column that no name rule proposed, and of a table that none did.
_UNNAMED, _UNTOLD = 0.3, 0.1
_ALL = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something that speaks for columns being a reference to one key."""

    referencing: ColumnSet
    referenced: ColumnSet
    #: Added to the logit of being a reference.
    weight: float
    #: Added to the logit of the target.
    towards: float
    evidence: Evidence
    #: Speaks even where nothing else does.
    may_add: bool


def agree(hypotheses: Sequence[Hypothesis], hints: Iterable[Hint]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses after the hints, and new ones where nothing but a hint speaks."""
    weighed = {each.referencing: each for each in hypotheses}
    for hint in hints:
        before = weighed.get(hint.referencing)
        if before is None and hint.may_add:
            before = Hypothesis(referencing=hint.referencing, reference_probability=_UNNAMED, targets=())
        if before is not None and (hint.may_add or any(target.referenced == hint.referenced for target in before.targets)):
            weighed[hint.referencing] = _agreed(before, hint)
    return tuple(weighed.values())


def _agreed(hypothesis: Hypothesis, hint: Hint) -> Hypothesis:
    """Return a hypothesis with a hint that speaks for one target, known or new."""
    known = next((target for target in hypothesis.targets if target.referenced == hint.referenced), None)
    target = known or Target(referenced=hint.referenced, probability=_UNTOLD if hypothesis.targets else 1 - _UNTOLD)
    probability = _moved(target.probability, hint.towards)
    left = (1 - probability) / (1 - target.probability) if target.probability < 1 else 0.0
    others = (replace(each, probability=each.probability * left) for each in hypothesis.targets if each is not known)
    better = replace(target, probability=probability, evidence=(*target.evidence, hint.evidence))
    return replace(
        hypothesis,
        reference_probability=_moved(hypothesis.reference_probability, hint.weight),
        targets=tuple(sorted((better, *others), key=lambda each: -each.probability)),
    )


def _moved(probability: float, weight: float) -> float:
    """Return a probability after adding to its logit; certainty stays what it is."""
    if probability >= _ALL:
        return probability
    odds = max(probability, 1 - _ALL) / (1 - probability) * math.exp(weight)
    return min(odds / (1 + odds), _ALL)
