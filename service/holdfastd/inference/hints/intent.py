"""What applications declare: their names found in the catalog, and what they mean made candidates that names and rows do not outvote.

In come declarations in an application's own names; out come relationships between tables that exist, and what was not found.
What the database declares already changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.catalog.operators import referenced_key
from holdfastd.inference.hints.lookup import Lookup, Missing, Unknown, Unmatched
from holdfastd.inference.model import Alternative, Candidate, Evidence, Hypothesis, Intended, Target
from holdfastd.names import ColumnSet, TableName

#: Belief in what an application declares, and in what another application or the database contradicts.
_BELIEVED, _CONTESTED = 0.99, 0.6
#: Its share among the keys that columns may point at.
_SHARE = 0.97
#: Places that are named of one relationship; applications may repeat it thousands of times.
_PLACES = 10

_Place = tuple[TableName, frozenset[str]]
_Same = tuple[TableName, TableName, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """A relationship that applications declare and the database does not."""

    referencing: ColumnSet
    referenced: ColumnSet
    on_delete: OnDelete | None
    #: Where it is declared first; not one is empty.
    origins: tuple[str, ...]
    #: Who says what the action is; empty without one.
    decided_by: str = ""
    #: Who says another action, and which, in words.
    objections: tuple[str, ...] = ()
    #: Other keys that the same columns are declared to point at, here or in the database.
    rivals: tuple[ColumnSet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What came of an application's declarations."""

    meant: tuple[Meant, ...] = ()
    unknown: tuple[Unknown, ...] = ()


def match_intent(catalog: Catalog, intents: Sequence[Intended]) -> Matched:
    """Find the tables and columns that applications name. A relationship that several declare counts once, with all origins."""
    lookup = Lookup(catalog)
    found: dict[_Same, Meant] = {}
    missing: dict[Missing, list[Intended]] = defaultdict(list)
    declared = {_same(key.referencing, key.referenced) for key in catalog.foreign_keys}
    for intent in intents:
        try:
            pair = _in_order_of_key(catalog, *lookup.pair(intent))
        except Unmatched as error:
            missing[error.missing].append(intent)
            continue
        if (same := _same(*pair)) not in declared:
            found[same] = _added(found.get(same), pair, intent)
    unknown = tuple(lookup.explain(what, tuple(each.origin for each in named)) for what, named in missing.items())
    return Matched(meant=_contested(catalog, tuple(found.values())), unknown=unknown)


def _same(referencing: ColumnSet, referenced: ColumnSet) -> _Same:
    return referencing.table, referenced.table, frozenset(zip(referencing.columns, referenced.columns, strict=True))


def _in_order_of_key(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet) -> tuple[ColumnSet, ColumnSet]:
    """Return the columns in the order of the key they point at, in which an id of a relationship names them."""
    key = referenced_key(catalog.tables[referenced.table], referenced.columns)
    if key is None or len(referenced.columns) == 1:
        return referencing, referenced
    order = [name for name in key.index.columns if name is not None]
    ours = dict(zip(referenced.columns, referencing.columns, strict=True))
    return ColumnSet(referencing.table, tuple(ours[name] for name in order)), ColumnSet(referenced.table, tuple(order))


def _added(known: Meant | None, pair: tuple[ColumnSet, ColumnSet], intent: Intended) -> Meant:
    origins = (intent.origin,) if intent.origin else ()
    if known is None:
        return Meant(
            referencing=pair[0],
            referenced=pair[1],
            on_delete=intent.on_delete,
            origins=origins,
            decided_by=intent.origin if intent.on_delete else "",
        )
    decides = known.on_delete is None and intent.on_delete is not None
    objects = not decides and intent.on_delete not in {None, known.on_delete}
    objections = (f"{intent.origin or 'the application'} declares ON DELETE {intent.on_delete}",) if objects else ()
    return replace(
        known,
        origins=tuple(dict.fromkeys((*known.origins, *origins)))[:_PLACES],
        objections=tuple(dict.fromkeys((*known.objections, *objections)))[:_PLACES],
        on_delete=known.on_delete or intent.on_delete,
        decided_by=intent.origin if decides else known.decided_by,
    )


def _contested(catalog: Catalog, meant: tuple[Meant, ...]) -> tuple[Meant, ...]:
    """Note the other keys that the same columns are declared to point at."""
    goals: Mapping[_Place, set[ColumnSet]] = defaultdict(set)
    for referencing, referenced in (
        *((each.referencing, each.referenced) for each in meant),
        *((key.referencing, key.referenced) for key in catalog.foreign_keys),
    ):
        goals[_place(referencing)].add(referenced)
    return tuple(replace(each, rivals=tuple(sorted(goals[_place(each.referencing)] - {each.referenced}))) for each in meant)


def _place(columns: ColumnSet) -> _Place:
    return columns.table, frozenset(columns.columns)


def assume(hypotheses: Sequence[Hypothesis], meant: Sequence[Meant]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses, with those that applications declare, so that rows are looked at for them, too."""
    thought = {each.referencing: each for each in hypotheses}
    grouped: dict[ColumnSet, list[ColumnSet]] = defaultdict(list)
    for each in meant:
        grouped[each.referencing].append(each.referenced)
    for referencing, goals in grouped.items():
        before = thought[referencing].targets if referencing in thought else ()
        thought[referencing] = Hypothesis(
            referencing=referencing, reference_probability=_BELIEVED, targets=(*_first(before, goals), *_others(before, goals))
        )
    return tuple(thought.values())


def _first(before: Iterable[Target], goals: Sequence[ColumnSet]) -> Iterable[Target]:
    known = {target.referenced: target for target in before}
    share = _SHARE / len(goals)
    return (replace(known.get(goal, Target(referenced=goal, probability=share)), probability=share) for goal in goals)


def _others(before: Iterable[Target], goals: Sequence[ColumnSet]) -> Iterable[Target]:
    return (replace(target, probability=target.probability * (1 - _SHARE)) for target in before if target.referenced not in goals)


def insist(candidates: Sequence[Candidate], hypotheses: Sequence[Hypothesis], meant: Sequence[Meant]) -> list[Candidate]:
    """Return the candidates, with what applications declare in the place of anything else thought of the same columns."""
    if not meant:
        return list(candidates)
    taken = {_place(each.referencing) for each in meant}
    weighed = {(each.referencing, target.referenced): target for each in hypotheses for target in each.targets}
    kept = [each for each in candidates if _place(each.referencing) not in taken]
    return kept + [_candidate(each, weighed.get((each.referencing, each.referenced))) for each in meant]


def _candidate(meant: Meant, target: Target | None) -> Candidate:
    confidence = _CONTESTED if meant.rivals else _BELIEVED
    said = [Evidence(rule="declared_by_application", text=f"{origin} declares it") for origin in meant.origins or ("the application",)]
    said += [Evidence(rule="contested", text=f"{objection} instead") for objection in meant.objections]
    said += [Evidence(rule="contested", text=f"the same columns are declared to reference {rival}") for rival in meant.rivals]
    return Candidate(
        referencing=meant.referencing,
        referenced=meant.referenced,
        confidence=confidence,
        evidence=(*said, *(target.evidence if target is not None else ())),
        reference_probability=_BELIEVED,
        target_probability=round(confidence / _BELIEVED, 3),
        alternatives=tuple(Alternative(referenced=rival, confidence=_CONTESTED) for rival in meant.rivals),
        intended_on_delete=meant.on_delete,
        intended_by=meant.decided_by,
    )
