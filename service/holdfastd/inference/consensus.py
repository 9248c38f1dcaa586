"""What the columns of a schema say about each other: same name, same target; and how this schema indexes its references.

In come cases, and what the first pass believes; out come cases with more traits and sometimes one more option.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import TypeFacts
from holdfastd.inference.cases import Case, Option
from holdfastd.inference.confidence import Judged
from holdfastd.inference.naming import squash
from holdfastd.inference.types import Fit, fit
from holdfastd.names import ColumnSet

_PLAIN = frozenset({"exact", "module"})
_CONVENTIONS = ((0.9, "always"), (0.6, "mostly"), (0.25, "partly"), (0.0, "seldom"))
_INDEX_TRAITS = frozenset({"indexed_alone", "indexed_first", "indexed_within", "unindexed"})
_FEWEST = 15  # plainly named columns needed before a schema has a convention
#: Ways of finding a table that lead elsewhere from every table.
_RELATIVE = frozenset({"same_table", "context_whole", "owner_by_place", "owner_by_own_end", "extends", "numbered"})
_WEIGHTY = 0.3  # belief below which a sibling has no vote


def with_convention(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Add how usual an index on a reference is in this schema, judged by columns whose name leaves no doubt."""
    plain = [case for case in cases if _is_plain(case)]
    indexed = sum(bool(case.traits & {"indexed_alone", "indexed_first"}) for case in plain)
    usual = "unknown"
    if len(plain) >= _FEWEST:
        usual = next(name for limit, name in _CONVENTIONS if indexed >= limit * len(plain))
    return tuple(replace(case, traits=case.traits | {f"{trait}@{usual}" for trait in case.traits & _INDEX_TRAITS}) for case in cases)


def _is_plain(case: Case) -> bool:
    return (
        bool(case.traits & {"suffix_strong", "int", "uuid"})
        and "primary_key" not in case.traits
        and any(option.traits & _PLAIN and "role_0" in option.traits and option.fit >= Fit.FAMILY for option in case.options)
    )


def with_siblings(judged: Sequence[Judged], types: TypeFacts, declared: Sequence[Judged] = ()) -> tuple[Case, ...]:
    """Add what columns of the same name in other tables are believed, or declared, to point at."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in (*judged, *declared):
        groups[squash(each.case.words)].append(each)
    known = {each.case.referencing for each in declared}
    return tuple(case for group in groups.values() for case in _group_with_votes(group, types) if case.referencing not in known)


def _group_with_votes(group: Sequence[Judged], types: TypeFacts) -> Iterable[Case]:
    """Let the columns of one name vote on each other, nobody on itself."""
    if len(group) == 1:
        case = group[0].case
        yield replace(case, traits=case.traits | {"alone"}, options=_unvoted(case))
        return
    votes: dict[ColumnSet | str, float] = defaultdict(float)
    places: dict[ColumnSet | str, Option] = {}
    for each in group:
        for place, weight in _ballot(each):
            votes[place] += weight
            places[place] = each.option or places[place]
    total = sum(weight for each in group for place, weight in _ballot(each) if isinstance(place, ColumnSet))
    for each in group:
        own = dict(_ballot(each))
        others = {place: weight - own.get(place, 0.0) for place, weight in votes.items()}
        yield _with_votes(
            each.case,
            others,
            total - sum(weight for place, weight in own.items() if isinstance(place, ColumnSet)),
            len(group) - 1,
            places,
            types,
        )


def _ballot(each: Judged) -> Iterable[tuple[ColumnSet | str, float]]:
    """A vote for the table itself and one for the way it was found: `parent_id` points at another table everywhere."""
    if each.option is not None and each.confidence >= _WEIGHTY:
        yield each.option.referenced, each.confidence
        for manner in _RELATIVE & each.option.traits:
            yield manner, each.confidence


def _with_votes(
    case: Case,
    others: Mapping[ColumnSet | str, float],
    total: float,
    members: int,
    places: Mapping[ColumnSet | str, Option],
    types: TypeFacts,
) -> Case:
    traits = case.traits | {"siblings_" + _level(total / members)}
    if total < _WEIGHTY:
        return replace(case, traits=traits, options=_unvoted(case))
    options = []
    for option in case.options:
        places_meant: list[ColumnSet | str] = [option.referenced, *(_RELATIVE & option.traits)]
        share = max(others.get(place, 0.0) for place in places_meant) / total
        options.append(option.having("voted_" + _level(share)))
    listed = {option.referenced for option in case.options}
    for place, weight in others.items():
        if isinstance(place, ColumnSet) and place not in listed and weight / total >= _WEIGHTY:
            added = _added(case, places[place], types, weight / total)
            options += [added] if added is not None else []
    return replace(case, traits=traits, options=tuple(options))


def _unvoted(case: Case) -> tuple[Option, ...]:
    return tuple(option.having("unvoted") for option in case.options)


def _added(case: Case, like: Option, types: TypeFacts, share: float) -> Option | None:
    """An option that only siblings propose."""
    agreement = fit(types, case.column, like.key.column, like.key.entry)
    if agreement <= Fit.MISMATCH or like.referenced == case.referencing:
        return None
    traits = {"only_siblings", "voted_" + _level(share), f"fit_{agreement.name.lower()}"} | (like.traits & {"satellite", "not_primary"})
    if like.entity is case.entity:
        traits.add("same_table")
    return Option(entity=like.entity, key=like.key, fit=agreement, traits=frozenset(traits))


def _level(share: float) -> str:
    return next(name for limit, name in ((0.9, "all"), (0.6, "most"), (0.3, "some"), (0.05, "few"), (-1.0, "none")) if share >= limit)
