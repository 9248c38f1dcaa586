"""How sure: two calibrated probabilities per case, from traits and fitted coefficients.

`target`: given that the column is a reference, which key it points at (a softmax over its options and "none of these").
`reference`: whether it is a reference at all. Their product is the confidence. Coefficients are data, in coefficients.json.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import takewhile

from holdfastd.inference.columns.cases import Case, Option, Traits

Coefficients = Mapping[str, float]

_SHARES = ((0.97, "share_97"), (0.9, "share_90"), (0.7, "share_70"), (0.5, "share_50"), (0.25, "share_25"))

_NAMED = frozenset({"exact", "module", "context_whole"})
_PEOPLE = frozenset({"people_sure", "people_0", "people_1"})
_FAMOUS = frozenset({"fame_none", "fame_one", "fame_some", "fame_many"})
_SHARED = frozenset({"exact", "module", "near", "tail_1"})
_SHARING = frozenset({"shares_most", "shares_much", "shares_less"})
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
        "fame_none",
        "fame_one",
        "fame_some",
        "fame_many",
        "index_names_table",
        "comment",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Coefficients of one pass, and what they come to for sets of traits already seen: the same few thousand occur again and again."""

    target: Coefficients
    reference: Coefficients
    _powers: dict[tuple[Traits, bool], float] = field(default_factory=dict)
    _chances: dict[tuple[Traits, Traits, str], float] = field(default_factory=dict)

    def power(self, case: Case, option: Option) -> float:
        """Return how an option weighs against the others of its case."""
        place = option.traits, _has_no_key_suffix(case)
        power = self._powers.get(place)
        if power is None:
            power = self._powers[place] = math.exp(min(_sum(self.target, target_traits(case, option)), 50.0))
        return power

    def chance(self, case: Case, option: Option, share: float) -> float:
        """Return the probability that a case is a reference, given its likeliest option."""
        place = case.traits, option.traits, _share_trait(share)
        chance = self._chances.get(place)
        if chance is None:
            chance = self._chances[place] = _logistic(_sum(self.reference, reference_traits(case, option, share)))
        return chance


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
    #: Of each option of the case, the probability given that the column is a reference.
    shares: tuple[float, ...] = ()

    @property
    def confidence(self) -> float:
        """Probability that the column is a reference to this key."""
        return self.target * self.reference

    def ranked(self, most: int) -> list[tuple[float, Option]]:
        """Return the likeliest options with their probabilities, the likeliest first."""
        pairs = sorted(zip(self.shares, self.case.options, strict=True), key=_share, reverse=True)
        if pairs and pairs[0][1] is not self.option:
            pairs.sort(key=lambda each: each[1] is not self.option)
        return pairs[:most]


def read_weights() -> tuple[Weights, Weights]:
    """Return the fitted coefficients of the first and the second pass."""
    raw = json.loads(files("holdfastd.inference.columns").joinpath("coefficients.json").read_text(encoding="utf-8"))
    first, second = (Weights(target=raw[name]["target"], reference=raw[name]["reference"]) for name in ("first_pass", "second_pass"))
    return first, second


def judge(case: Case, weights: Weights) -> Judged:
    """Choose the likeliest option of a case and say how likely it is."""
    if not case.options:
        return Judged(case=case, option=None, target=0.0, reference=0.0)
    shares = target_shares(case, weights)
    share = max(shares)
    equals = [option for each, option in zip(shares, case.options, strict=True) if each == share]
    option = equals[0] if len(equals) == 1 else max(equals, key=lambda option: (_spelled_alike(case, option), option.referenced))
    return Judged(case=case, option=option, target=share, reference=weights.chance(case, option, share), shares=shares)


def _spelled_alike(case: Case, option: Option) -> int:
    """How many letters a column and a table start with in the same case: `UserId` is of `Users` where there are `users`, too."""
    pairs = zip(case.column.name, option.entity.table.name.name, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def target_shares(case: Case, weights: Weights) -> tuple[float, ...]:
    """Return the probability of each option, given that the column is a reference; what is missing to 1 is "none of these"."""
    powers = [weights.power(case, option) for option in case.options]
    total = 1.0 + sum(powers)
    return tuple(power / total for power in powers)


def target_traits(case: Case, option: Option) -> Iterable[str]:
    """Return what counts for an option."""
    found = {"option", *option.traits}
    found.update(f"{place}&{fame}" for place in option.traits & _PEOPLE for fame in option.traits & _FAMOUS)
    found.update(f"{rule}&{share}" for rule in option.traits & _SHARED for share in option.traits & _SHARING)
    if _has_no_key_suffix(case):
        found.update(f"no_key_suffix&{trait}" for trait in option.traits if trait.startswith("fit_"))
    return found


def _share(pair: tuple[float, Option]) -> float:
    return pair[0]


def _has_no_key_suffix(case: Case) -> bool:
    return "suffix_weak" in case.traits or "suffix_none" in case.traits


def _share_trait(share: float) -> str:
    return next((name for limit, name in _SHARES if share >= limit), "share_0")


def reference_traits(case: Case, option: Option, share: float) -> Iterable[str]:
    """Return what counts for a column being a reference: its own traits, those of its likeliest option, and some pairs."""
    suffix = next((trait for trait in case.traits if trait.startswith("suffix_")), "")
    kind = "id" if case.traits & {"int", "uuid"} else "text" if case.traits & {"text", "text_sized"} else "odd"
    manner = manner_of(option)
    found = {"column", *case.traits, *(f"to_{trait}" for trait in option.traits if trait in _WEIGHED)}
    if manner in {"self", "kinship"}:
        found.discard("to_same_table")
    found.update(f"{manner}@{trait.partition('@')[2]}" for trait in case.traits if "@" in trait)
    found.update(f"{manner}&{trait}" for trait in case.traits if trait.startswith(("style_", "named_", "type_")))
    found |= {f"{suffix}&{kind}", f"{suffix}&{manner}", f"{kind}&{manner}", f"{suffix}&{kind}&{manner}", manner}
    found.update(f"{kind}&to_{trait}" for trait in option.traits if trait.startswith("fit_"))
    found.add(_share_trait(share))
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
