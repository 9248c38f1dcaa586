"""What the columns of a schema say about each other: same name, same target.

In come cases, and what the first pass believes; out come cases with more traits and sometimes one more option.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import TypeFacts
from holdfastd.inference.columns.cases import Case, Option, Traits
from holdfastd.inference.columns.confidence import Judged
from holdfastd.inference.naming.entities import squash
from holdfastd.inference.naming.types import Fit, fit
from holdfastd.names import ColumnSet

#: A table, or a way of finding one that leads elsewhere from every table.
Place = ColumnSet | str

#: Ways of finding a table that lead elsewhere from every table.
_RELATIVE = frozenset({"same_table", "context_whole", "owner_by_place", "owner_by_own_end", "extends", "numbered"})
_WEIGHTY = 0.3  # belief below which a sibling has no vote
#: Options that the first pass finds likelier than the rest: the second looks at no others.
_REMAINING = 8
_UNVOTED = frozenset({"unvoted"})


def with_siblings(judged: Sequence[Judged], types: TypeFacts, declared: Sequence[Judged] = ()) -> tuple[Case, ...]:
    """Add what columns of the same name in other tables are believed, or declared, to point at."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in (*judged, *declared):
        groups[squash(each.case.words)].append(each)
    known = {each.case.referencing for each in declared}
    polls = {name: _hold_poll(group, known) for name, group in groups.items()}
    joined = _Joined()
    return tuple(_with_votes(each, polls[squash(each.case.words)], types, joined) for each in judged)


class _Joined(dict[tuple[Traits, Traits], Traits]):
    """Unions of sets of traits, each worked out once."""

    def __missing__(self, pair: tuple[Traits, Traits]) -> Traits:
        joined = self[pair] = pair[0] | pair[1]
        return joined


@dataclass(frozen=True, slots=True, kw_only=True)
class _Poll:
    """What the columns of one name vote for. Places are tables, and ways of finding one from any table."""

    members: int
    votes: Mapping[Place, float]
    total: float
    #: Votes of declared keys.
    sworn: Mapping[Place, float]
    sworn_total: float
    #: Tables with a fair share of the votes, one option that names each.
    leading: Mapping[ColumnSet, Option]


def _hold_poll(group: Sequence[Judged], known: Collection[ColumnSet]) -> _Poll:
    votes: dict[Place, float] = defaultdict(float)
    sworn: dict[Place, float] = defaultdict(float)
    options: dict[ColumnSet, Option] = {}
    for each in group:
        is_sworn = bool(known) and each.case.referencing in known
        for place, weight in _ballot(each):
            votes[place] += weight
            if is_sworn:
                sworn[place] += weight
        if each.option is not None and each.option.referenced in votes:
            options[each.option.referenced] = each.option
    total = _on_tables(votes.items())
    leading = {place: option for place, option in options.items() if votes[place] >= _WEIGHTY * total}
    return _Poll(members=len(group), votes=votes, total=total, sworn=sworn, sworn_total=_on_tables(sworn.items()), leading=leading)


def _on_tables(votes: Iterable[tuple[Place, float]]) -> float:
    return sum(weight for place, weight in votes if isinstance(place, ColumnSet))


def _ballot(each: Judged) -> Iterable[tuple[Place, float]]:
    """A vote for the table itself and one for the way it was found: `parent_id` points at another table everywhere."""
    option = each.option
    if option is not None and each.confidence >= _WEIGHTY:
        yield option.referenced, each.confidence
        for manner in _RELATIVE & option.traits:
            yield manner, each.confidence


def _with_votes(each: Judged, poll: _Poll, types: TypeFacts, joined: _Joined) -> Case:
    """Tell a column what the others of its name vote for; nobody votes on itself."""
    case, own = each.case, dict(_ballot(each))
    remaining = [option for _, option in each.ranked(_REMAINING)] if len(case.options) > _REMAINING else case.options
    total = poll.total - _on_tables(own.items())
    alone = "alone" if poll.members == 1 else "siblings_" + _level(total / (poll.members - 1))
    traits = joined[case.traits, frozenset({alone})]
    if total < _WEIGHTY:
        return case.having(traits, [option.with_traits(joined[option.traits, _UNVOTED]) for option in remaining])
    options = [option.with_traits(joined[option.traits, _opinions(_places(option), poll, own, total)]) for option in remaining]
    listed = {option.referenced for option in case.options}
    for place, like in poll.leading.items():
        if place not in listed and poll.votes[place] - own.get(place, 0.0) >= _WEIGHTY * total:
            options += _added(case, like, types, _opinions((place,), poll, own, total))
    return case.having(traits, options)


def _places(option: Option) -> tuple[Place, ...]:
    return (option.referenced, *(_RELATIVE & option.traits))


def _opinions(places: Iterable[Place], poll: _Poll, own: Mapping[Place, float], total: float) -> Traits:
    """Say how large a share of the others votes for a place, and of those whose key is declared."""
    listed = tuple(places)
    share = max(poll.votes.get(place, 0.0) - own.get(place, 0.0) for place in listed) / total
    if not poll.sworn_total:
        return frozenset({"voted_" + _level(share)})
    sworn = max(poll.sworn.get(place, 0.0) for place in listed) / poll.sworn_total
    return frozenset({"voted_" + _level(share), "declared_" + _level(sworn)})


def _added(case: Case, like: Option, types: TypeFacts, opinions: Traits) -> list[Option]:
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
