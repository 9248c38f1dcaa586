"""What the columns of a schema say about each other: same name, same target; and how this schema indexes its references.

In come cases, and what the first pass believes; out come cases with more traits and sometimes one more option.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from holdfastd.catalog.model import TypeFacts
from holdfastd.inference.cases import Case, Option
from holdfastd.inference.confidence import Judged
from holdfastd.inference.naming import squash
from holdfastd.inference.types import Fit, fit
from holdfastd.names import ColumnSet

#: A table, or a way of finding one that leads elsewhere from every table.
Place = ColumnSet | str

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
    polls = {name: _hold_poll(group, known) for name, group in groups.items()}
    return tuple(_with_votes(each, polls[squash(each.case.words)], types) for each in judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Poll:
    """What the columns of one name vote for. Places are tables, and ways of finding one from any table."""

    members: int
    votes: Mapping[Place, float]
    total: float
    #: Votes of declared keys.
    sworn: Mapping[Place, float]
    #: Tables with a fair share of the votes, one option that names each.
    leading: Mapping[ColumnSet, Option]


def _hold_poll(group: Sequence[Judged], known: Collection[ColumnSet]) -> _Poll:
    votes: dict[Place, float] = defaultdict(float)
    sworn: dict[Place, float] = defaultdict(float)
    options: dict[ColumnSet, Option] = {}
    for each in group:
        for place, weight in _ballot(each):
            votes[place] += weight
            if each.case.referencing in known:
                sworn[place] += weight
        if each.option is not None and each.option.referenced in votes:
            options[each.option.referenced] = each.option
    total = sum(weight for place, weight in votes.items() if isinstance(place, ColumnSet))
    leading = {place: option for place, option in options.items() if votes[place] >= _WEIGHTY * total}
    return _Poll(members=len(group), votes=votes, total=total, sworn=sworn, leading=leading)


def _ballot(each: Judged) -> Iterable[tuple[Place, float]]:
    """A vote for the table itself and one for the way it was found: `parent_id` points at another table everywhere."""
    if each.option is not None and each.confidence >= _WEIGHTY:
        yield each.option.referenced, each.confidence
        for manner in _RELATIVE & each.option.traits:
            yield manner, each.confidence


def _with_votes(each: Judged, poll: _Poll, types: TypeFacts) -> Case:
    """Tell a column what the others of its name vote for; nobody votes on itself."""
    case, own = each.case, dict(_ballot(each))
    total = poll.total - sum(weight for place, weight in own.items() if isinstance(place, ColumnSet))
    alone = "alone" if poll.members == 1 else "siblings_" + _level(total / (poll.members - 1))
    traits = case.traits | {alone}
    if total < _WEIGHTY:
        return replace(case, traits=traits, options=tuple(option.having("unvoted") for option in case.options))
    sworn = sum(weight for place, weight in poll.sworn.items() if isinstance(place, ColumnSet))
    options = [option.having(*_opinions(_places(option), poll, own, total, sworn)) for option in case.options]
    listed = {option.referenced for option in case.options}
    for place, like in poll.leading.items():
        if place not in listed and poll.votes[place] - own.get(place, 0.0) >= _WEIGHTY * total:
            options += _added(case, like, types, _opinions((place,), poll, own, total, sworn))
    return replace(case, traits=traits, options=tuple(options))


def _places(option: Option) -> tuple[Place, ...]:
    return (option.referenced, *(_RELATIVE & option.traits))


def _opinions(places: Iterable[Place], poll: _Poll, own: Mapping[Place, float], total: float, sworn: float) -> frozenset[str]:
    """Say how large a share of the others votes for a place, and of those whose key is declared."""
    listed = tuple(places)
    share = max(poll.votes.get(place, 0.0) - own.get(place, 0.0) for place in listed) / total
    found = {"voted_" + _level(share)}
    if sworn:
        found.add("declared_" + _level(max(poll.sworn.get(place, 0.0) for place in listed) / sworn))
    return frozenset(found)


def _added(case: Case, like: Option, types: TypeFacts, opinions: frozenset[str]) -> list[Option]:
    """The option that only siblings propose, where the types allow it."""
    agreement = fit(types, case.column, like.key.column, like.key.entry)
    if agreement <= Fit.MISMATCH or like.referenced == case.referencing:
        return []
    traits = {"only_siblings", f"fit_{agreement.name.lower()}"} | opinions | (like.traits & {"satellite", "not_primary"})
    if like.entity is case.entity:
        traits.add("same_table")
    return [Option(entity=like.entity, key=like.key, fit=agreement, traits=frozenset(traits))]


def _level(share: float) -> str:
    return next(name for limit, name in ((0.9, "all"), (0.6, "most"), (0.3, "some"), (0.05, "few"), (-1.0, "none")) if share >= limit)
