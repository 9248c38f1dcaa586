"""How sure: two calibrated probabilities per case, from traits and fitted coefficients.

`target`: given that the column is a reference, which key it points at (a softmax over its options and "none of these").
`reference`: whether it is a reference at all. Their product is the confidence. Coefficients are data, in coefficients.json.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import takewhile

from holdfastd.inference.cases import Case, Option

Coefficients = Mapping[str, float]

_SHARES = ((0.97, "share_97"), (0.9, "share_90"), (0.7, "share_70"), (0.5, "share_50"), (0.25, "share_25"))

_NAMED = frozenset({"exact", "module", "context_whole"})
_MANNERS = (
    ("named", _NAMED),
    ("qualified", frozenset({"qualified"})),
    ("keyed", frozenset({"key_name"})),
    ("acted", frozenset({"agent_role"})),
    ("with_role", _NAMED | {"key_name_role"}),
    ("near", frozenset({"near", "context_part", "tail_1"})),
    ("extends", frozenset({"extends"})),
    ("numbered", frozenset({"numbered"})),
    ("shared_key", frozenset({"not_otherwise_named"})),
    ("kinship", frozenset({"kinship"})),
    ("by", frozenset({"by"})),
    ("agent", frozenset({"agent"})),
    ("agent_like", frozenset({"agent_like"})),
    ("self", frozenset({"self", "self_weak", "self_to"})),
    ("owner", frozenset({"owner_by_place", "owner_by_own_end"})),
    ("inside", frozenset({"inside"})),
    ("sworn", frozenset({"declared_all", "declared_most"})),
    ("siblings", frozenset({"only_siblings"})),
)
_WEIGHED = frozenset(
    {
        "same_table",
        "not_primary",
        "not_unique",
        "other_schema",
        "same_module",
        "satellite",
        "called_like_key",
        "role_is_prefix",
        "suffix_names_key",
    }
    | {
        "fit_same",
        "fit_family",
        "fit_mismatch",
        "people_0",
        "people_sure",
        "agent_role",
        "initials",
        "by",
        "agent",
        "exact",
        "module",
        "role_1",
        "role_2",
        "role_3",
    }
    | {
        "declared_all",
        "declared_most",
        "declared_some",
        "declared_few",
        "declared_none",
        "voted_all",
        "voted_most",
        "voted_some",
        "voted_few",
        "voted_none",
        "abbreviation",
        "head",
        "tail_1",
        "tail_2",
        "extends_1",
        "extends_2",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Coefficients of one pass."""

    target: Coefficients
    reference: Coefficients


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A case with its likeliest option and what is believed of it."""

    case: Case
    #: None when no rule proposes a key.
    option: Option | None
    #: Probability of the option, given that the column is a reference.
    target: float
    #: Probability that the column is a reference.
    reference: float
    #: All options with their probabilities, given that the column is a reference, the likeliest first.
    ranked: tuple[tuple[float, Option], ...] = ()

    @property
    def confidence(self) -> float:
        """Probability that the column is a reference to this key."""
        return self.target * self.reference


def read_weights() -> tuple[Weights, Weights]:
    """Return the fitted coefficients of the first and the second pass."""
    raw = json.loads(files("holdfastd.inference").joinpath("coefficients.json").read_text(encoding="utf-8"))
    first, second = (Weights(target=raw[name]["target"], reference=raw[name]["reference"]) for name in ("first_pass", "second_pass"))
    return first, second


def judge(case: Case, weights: Weights) -> Judged:
    """Choose the likeliest option of a case and say how likely it is."""
    if not case.options:
        return Judged(case=case, option=None, target=0.0, reference=0.0)
    shares = target_shares(case, weights.target)
    share = max(shares)
    equals = [option for each, option in zip(shares, case.options, strict=True) if each == share]
    option = max(equals, key=lambda option: (_spelled_alike(case, option), option.referenced))
    chance = _logistic(_sum(weights.reference, reference_traits(case, option, share)))
    ranked = sorted(zip(shares, case.options, strict=True), key=lambda each: (each[1] is not option, -each[0], each[1].referenced))
    return Judged(case=case, option=option, target=share, reference=chance, ranked=tuple(ranked))


def _spelled_alike(case: Case, option: Option) -> int:
    """How many letters a column and a table start with in the same case: `UserId` is of `Users` where there are `users`, too."""
    pairs = zip(case.column.name, option.entity.table.name.name, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def target_shares(case: Case, coefficients: Coefficients) -> list[float]:
    """Return the probability of each option, given that the column is a reference; what is missing to 1 is "none of these"."""
    powers = [math.exp(min(_sum(coefficients, target_traits(case, option)), 50.0)) for option in case.options]
    total = 1.0 + sum(powers)
    return [power / total for power in powers]


def target_traits(case: Case, option: Option) -> Iterable[str]:
    """Return what counts for an option."""
    found = {"option", *option.traits}
    if "suffix_weak" in case.traits or "suffix_none" in case.traits:
        found.update(f"no_key_suffix&{trait}" for trait in option.traits if trait.startswith("fit_"))
    return found


def reference_traits(case: Case, option: Option, share: float) -> Iterable[str]:
    """Return what counts for a column being a reference: its own traits, those of its likeliest option, and some pairs."""
    suffix = next((trait for trait in case.traits if trait.startswith("suffix_")), "")
    kind = "id" if case.traits & {"int", "uuid"} else "text" if case.traits & {"text", "text_sized"} else "odd"
    manner = manner_of(option)
    found = {"column", *case.traits, *(f"to_{trait}" for trait in option.traits if trait in _WEIGHED)}
    if manner in {"self", "kinship"}:
        found.discard("to_same_table")
    found.update(f"{manner}@{trait.partition('@')[2]}" for trait in case.traits if "@" in trait)
    found |= {f"{suffix}&{kind}", f"{suffix}&{manner}", f"{kind}&{manner}", f"{suffix}&{kind}&{manner}", manner}
    found.update(f"{kind}&to_{trait}" for trait in option.traits if trait.startswith("fit_"))
    found.add(next((name for limit, name in _SHARES if share >= limit), "share_0"))
    return found


def manner_of(option: Option) -> str:
    """Return the strongest way in which an option was found, in one word."""
    return next(
        (manner for manner, traits in _MANNERS if option.traits & traits and (manner != "named" or "role_0" in option.traits)), "weakly"
    )


def _sum(coefficients: Coefficients, traits: Iterable[str]) -> float:
    return sum(coefficients.get(trait, 0.0) for trait in traits)


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(min(value, 50.0), -50.0)))
