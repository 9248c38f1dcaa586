"""How two tables belong together: does one own the other, describe it, or only appear in its history?

In come a relationship and all others believed in; out come plain facts, from which `on_delete` takes its advice.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfastd.catalog.model import Catalog, OnDelete, Table
from holdfastd.inference.advice.likeness import (
    Words,
    ends_like,
    has_role,
    is_agent,
    is_line_of_goods,
    is_named_after,
    own_names,
    starts_like,
)
from holdfastd.inference.advice.meanings import BANS, BOOKS, CLINICAL, CODE_LABELS, CREDENTIALS, GATES, LISTED, MONEY_MOVED, RECORDS, WORTH
from holdfastd.inference.naming.vocabulary import LABEL_WORDS, LOOKUP_WORDS, OWNER_WORDS, PERSON_LIKE, PERSON_WORDS
from holdfastd.inference.naming.words import one_of, words
from holdfastd.names import ColumnSet, TableName, readable

Pair = tuple[ColumnSet, ColumnSet]
Pairs = Sequence[Pair]
#: Column names, referenced key, nullable -> how many declared keys do what.
Customs = dict[tuple[tuple[str, ...], ColumnSet, bool], Counter[OnDelete]]

_LINK_EXTRAS = 3  # columns a link table may have beside its references
_CODE_LIST = 3  # columns of a table that only lists codes
_SMALL_TARGET = 4  # columns of a table that describes, rather than owns, what needs it
_SMALL = 8  # columns of a row that holds little
_HUB = 8  # tables that need a table which owns them
_BROAD = 12  # tables that build on a table whose rows should not vanish unnoticed
_WIDE = 15  # columns beyond which a row is worth keeping for its own sake
_MOSTLY = 0.5  # share of columns that are references, beyond which a row is nothing else


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
    #: The referencing table tells what happened, what was seen, or what was paid.
    is_history: bool
    is_financial: bool
    #: Money that changed hands.
    is_money_moved: bool
    #: Both tables keep the books.
    is_between_books: bool
    #: What was seen or done to somebody.
    is_clinical: bool
    #: The row lets somebody in, as a token does.
    is_credential: bool
    #: The row keeps somebody out, as a ban does.
    is_ban: bool
    #: The referenced table is one of people.
    is_person: bool
    #: Another reference of the table is required.
    has_required_other: bool
    #: The referenced table references this one, too.
    is_mutual: bool
    #: … and requires it: a cascade would go round.
    is_round: bool
    #: The referenced table is one of reference data by its name, whatever it references itself.
    is_listed: bool
    #: Rows of the referencing table stand for themselves: owners, people, what many tables or a price depend on.
    stands_alone: bool
    #: Many tables build on the referencing one: a cascade would go far.
    is_broad: bool
    #: What a credential is issued for: a session, an application.
    is_gate: bool
    #: A line of an order, and what it sells.
    is_line_of_goods: bool

    @property
    def keeps_records(self) -> bool:
        """Tell whether deleting a row loses what happened, what was sold, or who was kept out."""
        return self.is_history or self.is_line_of_goods or self.is_ban

    @property
    def rows(self) -> str:
        """The referencing table's name, as people write it."""
        return readable(self.referencing.table.name)

    @property
    def table(self) -> str:
        """The referenced table's name, as people write it."""
        return readable(self.referenced.table.name)

    @property
    def column(self) -> str:
        """The referencing columns."""
        return ", ".join(readable(name) for name in self.referencing.columns)

    @property
    def thing(self) -> str:
        """One referenced row, in words: `user vehicle` for user_vehicles."""
        return one_of(self.referenced.table.name)

    @property
    def a_thing(self) -> str:
        """The same with its article: `an account`, but `a user`."""
        return f"{'an' if self.thing[0] in 'aeio' else 'a'} {self.thing}"


@dataclass(slots=True)
class Memory:
    """Answers about one catalog, kept while its relationships are gone through."""

    #: None until asked for.
    customs: Customs | None = None
    #: The action and the reason of a relationship, before its company is looked at.
    suggestions: dict[Pair, tuple[OnDelete, str]] = field(default_factory=dict)
    #: Relationships whose suggestion is what an application declares.
    intended: set[Pair] = field(default_factory=set)
    #: Tables whose rows go along when rows of a table are deleted.
    followers: dict[TableName, tuple[TableName, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """All relationships believed in, found by table: looking through a list for each of them would take the square of their number."""

    out_of: Mapping[TableName, tuple[Pair, ...]]
    into: Mapping[TableName, tuple[Pair, ...]]
    #: How many tables reference a table.
    users: Mapping[TableName, int]
    #: Those that are not certain enough to be planned: nothing is said to happen because of them.
    doubtful: frozenset[Pair] = frozenset()
    #: What was worked out on the way, so that it is worked out once.
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    @classmethod
    def of(cls, pairs: Pairs, doubtful: Pairs = ()) -> "Relations":
        """Sort pairs by referencing and by referenced table."""
        out_of: dict[TableName, list[Pair]] = defaultdict(list)
        into: dict[TableName, list[Pair]] = defaultdict(list)
        for pair in pairs:
            out_of[pair[0].table].append(pair)
            into[pair[1].table].append(pair)
        return cls(
            out_of={name: tuple(each) for name, each in out_of.items()},
            into={name: tuple(each) for name, each in into.items()},
            users={name: len({columns.table for columns, _ in each}) for name, each in into.items()},
            doubtful=frozenset(doubtful),
        )


def look_at(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, known: Relations) -> Ownership:
    """Return the facts about one relationship."""
    table, target = catalog.tables[referencing.table], catalog.tables[referenced.table]
    required = [table.column(name).not_null for name in referencing.columns]
    name, target_name = own_names(table.name, target.name)
    mine, goals = known.out_of.get(table.name, ()), known.out_of.get(target.name, ())
    hub = _is_hub(target_name, known.users.get(target.name, 0))
    financial = ends_like(name[-1:], BOOKS)
    clinical = ends_like(name[-2:], CLINICAL)
    leaf, other = table.name not in known.into, _has_required_other(table, referencing, mine)
    part = table.primary_key == referencing.columns or is_named_after(name, target_name)
    return Ownership(
        referencing=referencing,
        referenced=referenced,
        may_be_nulled=not any(required),
        is_partly_nullable=any(required) and not all(required),
        is_self=referencing.table == referenced.table,
        is_agent=is_agent(referencing, target_name),
        has_role=has_role(referencing, target.name),
        is_link=_is_link(table, referencing, mine),
        is_part=part,
        holds_part=not part and _is_unique(table, referencing) and is_named_after(target_name, name),
        identifies=any(index.is_unique and set(referencing.columns) <= set(index.columns) for index in table.indexes),
        is_small=len(table.columns) <= _SMALL,
        is_sole_owner=not other and _is_sole_owner(table, referenced, target_name, mine, leaf=leaf),
        is_all_references=leaf and len({column for columns, _ in mine for column in columns.columns}) >= _MOSTLY * len(table.columns),
        is_owner=target_name[-1] in OWNER_WORDS,
        is_reference_data=not part and _is_reference_data(target, target_name, mine, goals),
        is_code_list=_is_code_list(target, target_name, goals),
        is_small_target=not hub and len(target.columns) <= _SMALL_TARGET,
        is_history=financial or ends_like(name[-2:], RECORDS),
        is_financial=financial,
        is_money_moved=ends_like(name[-1:], MONEY_MOVED),
        is_between_books=financial and ends_like(target_name[-1:], BOOKS),
        is_clinical=clinical,
        is_credential=bool(CREDENTIALS.intersection(name)) or ends_like(name[-1:], CREDENTIALS),
        is_ban=starts_like(name, BANS),
        is_person=target_name[-1] in PERSON_LIKE,
        has_required_other=other,
        is_mutual=table.name != target.name and any(goal.table == table.name for _, goal in goals),
        is_round=table.name != target.name and any(goal.table == table.name and _is_required(target, columns) for columns, goal in goals),
        is_listed=target_name[-1] in LISTED,
        stands_alone=_stands_alone(table, name, known.users.get(table.name, 0)),
        is_broad=known.users.get(table.name, 0) >= _BROAD,
        is_gate=ends_like(target_name[-1:], GATES),
        is_line_of_goods=is_line_of_goods(name, target_name),
    )


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


def _stands_alone(table: Table, name: Words, users: int) -> bool:
    if name[-1] in OWNER_WORDS or name[-1] in PERSON_LIKE or users >= _HUB:
        return True
    return users > 0 and any(WORTH.intersection(words(column.name)) for column in table.columns)


def _is_required(table: Table, columns: ColumnSet) -> bool:
    return all(table.column(name).not_null for name in columns.columns)


def _has_required_other(table: Table, referencing: ColumnSet, mine: Pairs) -> bool:
    return any(table.column(name).not_null for columns, _ in mine if columns != referencing for name in columns.columns)


def _is_sole_owner(table: Table, referenced: ColumnSet, target_name: Words, mine: Pairs, *, leaf: bool) -> bool:
    """Nobody else can own the row: it has no other reference, or none to an owner that counts."""
    rivals = sum(goal.table == referenced.table for _, goal in mine)
    if rivals > 1 or len(table.columns) > _WIDE:
        return False
    return target_name[-1] in OWNER_WORDS or (len(mine) <= 1 and leaf)


def _is_hub(target_name: Words, users: int) -> bool:
    """What many tables need is what they belong to, be it called tenant or not; codes are needed by many, too."""
    return target_name[-1] not in LOOKUP_WORDS and users >= _HUB


def _is_reference_data(target: Table, target_name: Words, mine: Pairs, goals: Pairs) -> bool:
    """A catalogue that rows are described by: owned by nobody, with a label, and the rows have another owner."""
    if target_name[-1] in OWNER_WORDS or target_name[-1] in PERSON_WORDS or any(columns.table == target.name for columns, _ in mine):
        return False
    listed = target_name[-1] in LISTED
    if any(goal.table != target.name and not (listed and LISTED.intersection(words(goal.table.name)[-1:])) for _, goal in goals):
        return False
    if listed:
        return True
    labels = {word for column in target.columns for word in words(column.name)[-1:]}
    owned = any(goal.table not in (target.name, columns.table) for columns, goal in mine)
    return owned and bool(labels & LABEL_WORDS)


def _is_code_list(target: Table, target_name: Words, goals: Pairs) -> bool:
    """A table of two or three columns that references nothing: `lease_types(id, name)`."""
    if len(target.columns) > _CODE_LIST or target_name[-1] in OWNER_WORDS or target_name[-1] in PERSON_WORDS:
        return False
    labels = {word for column in target.columns for word in words(column.name)}
    return not goals and not labels.isdisjoint(CODE_LABELS | set(target_name[-1:]))
