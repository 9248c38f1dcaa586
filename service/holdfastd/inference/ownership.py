"""How two tables belong together: does one own the other, describe it, or only appear in its history?

In come a relationship and all others believed in; out come plain facts, from which `on_delete` takes its advice.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Table
from holdfastd.inference.names import stem_of, words
from holdfastd.inference.vocabulary import (
    AGENT_WORDS,
    BY,
    FINANCIAL_WORDS,
    HISTORY_WORDS,
    LABEL_WORDS,
    LOOKUP_WORDS,
    OWNER_WORDS,
    PERSON_WORDS,
)
from holdfastd.names import ColumnSet, TableName

Pair = tuple[ColumnSet, ColumnSet]
Pairs = Sequence[Pair]
Words = tuple[str, ...]

_LINK_EXTRAS = 3  # columns a link table may have beside its references
_CODE_LIST = 3  # columns of a table that only lists codes
_SMALL_TARGET = 4  # columns of a table that describes, rather than owns, what needs it
_SMALL = 8  # columns of a row that holds little
_HUB = 8  # tables that need a table which owns them
_WIDE = 15  # columns beyond which a row is worth keeping for its own sake
_MOSTLY = 0.5  # share of columns that are references, beyond which a row is nothing else
_SHORTEST_NAME = 4  # letters of a table's name that may be looked for inside another's


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What is seen of a relationship."""

    referencing: ColumnSet
    referenced: ColumnSet
    #: Every referencing column accepts NULL.
    may_be_nulled: bool
    #: Some accept NULL and some do not.
    is_partly_nullable: bool
    is_self: bool
    #: The column names somebody who acted, such as `created_by`.
    is_agent: bool
    #: Something stands before the referenced table's name, as in `moved_to_account_id`.
    has_role: bool
    #: The referencing table only ties others together.
    is_link: bool
    #: The referencing table is named after the referenced one, or shares its key.
    is_part: bool
    #: The other way round: the referenced table is a part of the referencing one, as `organisation_settings` is.
    holds_part: bool
    #: The column helps to tell rows apart: it is in a unique index.
    identifies: bool
    #: The row holds little besides the reference.
    is_small: bool
    #: The only thing that can own the row: no other reference is required, and the referenced table owns things.
    is_sole_owner: bool
    #: Nearly all columns of the row are references, and nothing references the row.
    is_all_references: bool
    #: The referenced table is a tenant, a project, a user.
    is_owner: bool
    is_reference_data: bool
    #: The referenced table only lists codes.
    is_code_list: bool
    #: The referenced table has next to nothing of its own.
    is_small_target: bool
    is_history: bool
    is_financial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """All relationships believed in, found by table: looking through a list for each of them would take the square of their number."""

    out_of: Mapping[TableName, tuple[Pair, ...]]
    into: Mapping[TableName, tuple[Pair, ...]]

    @classmethod
    def of(cls, pairs: Pairs) -> "Relations":
        """Sort pairs by referencing and by referenced table."""
        out_of: dict[TableName, list[Pair]] = defaultdict(list)
        into: dict[TableName, list[Pair]] = defaultdict(list)
        for pair in pairs:
            out_of[pair[0].table].append(pair)
            into[pair[1].table].append(pair)
        return cls(out_of={name: tuple(each) for name, each in out_of.items()}, into={name: tuple(each) for name, each in into.items()})


def look_at(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, known: Relations) -> Ownership:
    """Return the facts about one relationship."""
    table, target = catalog.tables[referencing.table], catalog.tables[referenced.table]
    required = [table.column(name).not_null for name in referencing.columns]
    name, target_name = _own_names(table.name, target.name)
    mine, goals = known.out_of.get(table.name, ()), known.out_of.get(target.name, ())
    hub = _is_hub(target_name, known.into.get(target.name, ()))
    leaf = table.name not in known.into
    part = table.primary_key == referencing.columns or _is_named_after(name, target_name)
    return Ownership(
        referencing=referencing,
        referenced=referenced,
        may_be_nulled=not any(required),
        is_partly_nullable=any(required) and not all(required),
        is_self=referencing.table == referenced.table,
        is_agent=_is_agent(referencing, target_name),
        has_role=_has_role(referencing, target.name),
        is_link=_is_link(table, referencing, mine),
        is_part=part,
        holds_part=not part and _is_unique(table, referencing) and _is_named_after(target_name, name),
        identifies=any(index.is_unique and set(referencing.columns) <= set(index.columns) for index in table.indexes),
        is_small=len(table.columns) <= _SMALL,
        is_sole_owner=_is_sole_owner(table, referencing, target_name, mine),
        is_all_references=leaf and len({column for columns, _ in mine for column in columns.columns}) >= _MOSTLY * len(table.columns),
        is_owner=target_name[-1] in OWNER_WORDS,
        is_reference_data=not part and _is_reference_data(target, target_name, mine, goals),
        is_code_list=_is_code_list(target, target_name, goals),
        is_small_target=not hub and len(target.columns) <= _SMALL_TARGET,
        is_history=_ends_like(name[-2:], HISTORY_WORDS),
        is_financial=_ends_like(name[-1:], FINANCIAL_WORDS),
    )


def _own_names(name: TableName, target: TableName) -> tuple[Words, Words]:
    """Words of both tables, a first word that both share (a module's prefix) cut off."""
    left, right = words(name.name) or (name.name,), words(target.name) or (target.name,)
    if len(left) > 1 and len(right) > 1 and left[0] == right[0]:
        return left[1:], right[1:]
    return left, right


def _ends_like(name: Words, wanted: frozenset[str]) -> bool:
    """Tell whether a word is, or ends like, one of those wanted: glued names keep the meaning at the end."""
    return any(word == other or (word.endswith(other) and len(word) >= 2 * _SHORTEST_NAME) for word in name for other in wanted)


def _is_agent(referencing: ColumnSet, target_name: Words) -> bool:
    """Tell whether columns say who did something, rather than whose the row is."""
    stem = stem_of(words(referencing.columns[-1])).words
    if not stem or len(referencing.columns) > 1:
        return False
    return BY in stem or (stem[-1] in AGENT_WORDS and stem[-1] not in target_name)


def _has_role(referencing: ColumnSet, target: TableName) -> bool:
    stem, name = stem_of(words(referencing.columns[-1])).words, words(target.name)
    return len(stem) > 1 and stem[-1:] == name[-1:] and name[-len(stem) :] != stem


def _is_named_after(name: Words, target: Words) -> bool:
    """`wallet_transactions` is a part of `wallets`, `orderposition` of `order`; `ev_vehicles` is none of `vehicles`."""
    whole, part = "".join(name), "".join(target)
    if len(whole) <= len(part) or name[-1:] == target[-1:]:
        return False
    if len(part) >= _SHORTEST_NAME and whole.startswith(part):
        return True
    return any(name[start : start + len(target)] == target for start in range(len(name) - len(target) + 1))


def _is_unique(table: Table, referencing: ColumnSet) -> bool:
    return any(index.is_unique and set(index.columns) == set(referencing.columns) for index in table.indexes)


def _is_link(table: Table, referencing: ColumnSet, mine: Pairs) -> bool:
    """A key made of references to two or more tables, and hardly anything else."""
    for index in table.indexes:
        members = {name for name in index.columns if name is not None}
        parts = {columns for columns, _ in mine if members.issuperset(columns.columns)}
        covered = {name for each in parts for name in each.columns}
        small = len(table.columns) <= len(members) + _LINK_EXTRAS
        if index.is_unique and len(parts) > 1 and covered == members and referencing in parts and small:
            return True
    return False


def _is_sole_owner(table: Table, referencing: ColumnSet, target_name: Words, mine: Pairs) -> bool:
    others = [columns for columns, _ in mine if columns != referencing]
    if any(table.column(name).not_null for columns in others for name in columns.columns):
        return False
    return len(table.columns) <= _WIDE and (not others or target_name[-1] in OWNER_WORDS)


def _is_hub(target_name: Words, uses: Pairs) -> bool:
    """What many tables need is what they belong to, be it called tenant or not; codes are needed by many, too."""
    return target_name[-1] not in LOOKUP_WORDS and len({columns.table for columns, _ in uses}) >= _HUB


def _is_reference_data(target: Table, target_name: Words, mine: Pairs, goals: Pairs) -> bool:
    """A catalogue that rows are described by: owned by nobody, with a label, and the rows have another owner."""
    if target_name[-1] in OWNER_WORDS or target_name[-1] in PERSON_WORDS or any(columns.table == target.name for columns, _ in mine):
        return False
    if any(goal.table != target.name for _, goal in goals):
        return False
    if target_name[-1] in LOOKUP_WORDS:
        return True
    labels = {word for column in target.columns for word in words(column.name)[-1:]}
    owned = any(goal.table not in (target.name, columns.table) for columns, goal in mine)
    return owned and bool(labels & LABEL_WORDS)


def _is_code_list(target: Table, target_name: Words, goals: Pairs) -> bool:
    """A table of two or three columns that references nothing: `lease_types(id, name)`."""
    if len(target.columns) > _CODE_LIST or target_name[-1] in OWNER_WORDS or target_name[-1] in PERSON_WORDS:
        return False
    return not goals
