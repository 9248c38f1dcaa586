"""The weights that rows are judged by, from rows.json, and Bayes' rule that applies them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from holdfastd.inference.model import Hypothesis

_RAW = json.loads(files("holdfastd.inference.rows").joinpath("rows.json").read_text(encoding="utf-8"))
#: Logarithms of how much likelier something makes a relationship.
WEIGHT: Mapping[str, float] = _RAW["weights"]
LIMIT: Mapping[str, float] = _RAW["limits"]
#: What is thought of proposals before anybody looks: by rule, `reference` and `target`.
PROPOSED: Mapping[str, Mapping[str, float]] = _RAW["proposed"]
#: Rules that propose a key for its type alone.
BY_TYPE = frozenset({"same_uuid", "same_text"})
#: Probabilities stay off 0 and 1, where no evidence could move them.
EDGE = 1e-4


def shift(hypothesis: Hypothesis, weights: Sequence[float]) -> Hypothesis:
    """Apply one weight per target by Bayes' rule over: no reference, a reference to none of the targets, a reference to each."""
    reference = min(max(hypothesis.reference_probability, EDGE), 1 - EDGE)
    masses = [reference * target.probability * math.exp(weight) for target, weight in zip(hypothesis.targets, weights, strict=True)]
    nowhere = reference * max(0.0, 1 - sum(target.probability for target in hypothesis.targets))
    meant = sum(masses) + nowhere
    targets = [replace(target, probability=mass / meant if meant else 0.0) for target, mass in zip(hypothesis.targets, masses, strict=True)]
    ranked = sorted(targets, key=lambda target: -target.probability)
    return replace(hypothesis, reference_probability=meant / (meant + 1 - reference), targets=tuple(ranked))
