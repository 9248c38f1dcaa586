"""The habits of this schema: how it writes and types its references, how usual an index on them is, and which tables are referenced much.

In come cases; out come the same with more traits. Columns whose name leaves no doubt are the measure for the others: what counts as a
plain reference in one schema (`artist integer`) is a number in the next.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfastd.inference.columns.cases import Case, Option, Traits
from holdfastd.inference.naming.types import Fit
from holdfastd.names import ColumnSet, TableName

_INDEXING = ((0.9, "always"), (0.6, "mostly"), (0.25, "partly"), (0.0, "seldom"))
_SHARES = ((0.6, "usual"), (0.25, "common"), (0.05, "rare"), (0.0, "unheard"))
_FAME = ((5, "fame_many"), (2, "fame_some"), (1, "fame_one"), (0, "fame_none"))
_PLAIN = frozenset({"exact", "module"})
_INDEX_TRAITS = frozenset({"indexed_alone", "indexed_first", "indexed_within", "unindexed"})
_FEWEST_INDEXED = 15  # plainly named columns needed before a schema has a habit
_FEWEST = 6

#: How a column is written and typed: its suffix, and whether it holds numbers, text or something else.
Style = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habits:
    """What the plainly named columns of a schema have in common."""

    #: Trait of the indexes that an index on a reference is usual here.
    indexing: str
    plain: int
    styles: Counter[Style]
    #: The same of all columns that may hold ids.
    everywhere: Counter[Style]
    types: Counter[str]
    #: Referenced columns -> tables with a column plainly named after them.
    fame: dict[ColumnSet, set[TableName]]


def with_convention(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Add to every case how far it follows the habits of its schema, and to every option how often its table is referenced."""
    habits = _learn(cases)
    more: dict[tuple[Traits, str], Traits] = {}
    famous: dict[tuple[Traits, str], Traits] = {}
    return tuple(_placed(case, habits, more, famous) for case in cases)


def _learn(cases: Sequence[Case]) -> _Habits:
    plain = [(case, options) for case in cases if (options := _plain_options(case))]
    indexed = sum(not case.traits.isdisjoint(("indexed_alone", "indexed_first")) for case, _ in plain)
    fame: dict[ColumnSet, set[TableName]] = defaultdict(set)
    for case, options in plain:
        for option in options:
            fame[option.referenced].add(case.entity.name)
    return _Habits(
        indexing=_level(indexed / len(plain), _INDEXING) if len(plain) >= _FEWEST_INDEXED else "unknown",
        plain=len(plain),
        styles=Counter(_style(case.traits) for case, _ in plain),
        everywhere=Counter(_style(case.traits) for case in cases),
        types=Counter(case.column.type.formatted for case, _ in plain),
        fame=fame,
    )


def _plain_options(case: Case) -> list[Option]:
    """Options that a column is called exactly after, in a type that fits: `artist_id`, or `artist` where it is a number."""
    if "primary_key" in case.traits or case.traits.isdisjoint(("suffix_strong", "int", "uuid")):
        return []
    return [
        option for option in case.options if option.fit >= Fit.FAMILY and "role_0" in option.traits and not _PLAIN.isdisjoint(option.traits)
    ]


def _placed(case: Case, habits: _Habits, more: dict[tuple[Traits, str], Traits], famous: dict[tuple[Traits, str], Traits]) -> Case:
    place = case.traits, case.column.type.formatted
    traits = more.get(place)
    if traits is None:
        traits = more[place] = case.traits | set(_following(case.traits, case.column.type.formatted, habits))
    return case.having(traits, [_with_fame(case, option, habits, famous) for option in case.options])


def _with_fame(case: Case, option: Option, habits: _Habits, famous: dict[tuple[Traits, str], Traits]) -> Option:
    tables = habits.fame.get(option.referenced, ())
    fame = _level(len(tables) - (case.entity.name in tables), _FAME)
    traits = famous.get((option.traits, fame))
    if traits is None:
        traits = famous[option.traits, fame] = option.traits | {fame}
    return option.with_traits(traits)


def _following(traits: Traits, formatted: str, habits: _Habits) -> Iterable[str]:
    """Say how usual an index, the style and the type of a column are among the plainly named, and how many of its style are such."""
    yield from (f"{trait}@{habits.indexing}" for trait in traits & _INDEX_TRAITS)
    if habits.plain < _FEWEST:
        yield "style_unknown"
        return
    style = _style(traits)
    yield "style_" + _level(habits.styles[style] / habits.plain, _SHARES)
    yield "named_" + _level(habits.styles[style] / habits.everywhere[style], _SHARES)
    yield "type_" + _level(habits.types[formatted] / habits.plain, _SHARES)


def _style(traits: Traits) -> Style:
    suffix = next((trait for trait in traits if trait.startswith("suffix_")), "")
    return suffix, "id" if traits & {"int", "uuid"} else "text" if traits & {"text", "text_sized"} else "odd"


def _level(share: float, levels: Sequence[tuple[float, str]]) -> str:
    return next(name for limit, name in levels if share >= limit)
