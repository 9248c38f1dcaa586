"""How two tables belong together: does one own the other, describe it, or only appear in its history?

In come a relationship and all others believed in; out come plain facts, from which `on_delete` takes its advice.
"""

from collections.abc import Sequence
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

Pairs = Sequence[tuple[ColumnSet, ColumnSet]]

_LINK_EXTRAS = 3  # columns a link table may have beside its references
_LOOKUP_SIGNS = 3


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
    #: The referencing table only ties others together.
    is_link: bool
    #: The referencing table is named after the referenced one, or shares its key.
    is_part: bool
    #: The referenced table is a tenant, a project, a user.
    is_owner: bool
    is_reference_data: bool
    is_history: bool
    is_financial: bool


def look_at(catalog: Catalog, referencing: ColumnSet, referenced: ColumnSet, others: Pairs) -> Ownership:
    """Return the facts about one relationship."""
    table, target = catalog.tables[referencing.table], catalog.tables[referenced.table]
    required = [table.column(name).not_null for name in referencing.columns]
    name, target_name = words(table.name.name), words(target.name.name)
    part = _is_part(table, referencing, name, target_name)
    return Ownership(
        referencing=referencing,
        referenced=referenced,
        may_be_nulled=not any(required),
        is_partly_nullable=any(required) and not all(required),
        is_self=referencing.table == referenced.table,
        is_agent=is_agent(referencing, target_name),
        is_link=_is_link(table, referencing, others),
        is_part=part,
        is_owner=target_name[-1] in OWNER_WORDS,
        is_reference_data=not part and _is_reference_data(target, target_name, referencing, others),
        is_history=bool(set(name[-2:]) & HISTORY_WORDS),
        is_financial=name[-1] in FINANCIAL_WORDS,
    )


def is_agent(referencing: ColumnSet, target_name: tuple[str, ...]) -> bool:
    """Tell whether columns say who did something, rather than whose the row is."""
    stem = stem_of(words(referencing.columns[-1])).words
    if not stem or len(referencing.columns) > 1:
        return False
    return BY in stem or (stem[-1] in AGENT_WORDS and stem[-1] not in target_name)


def _is_part(table: Table, referencing: ColumnSet, name: tuple[str, ...], target_name: tuple[str, ...]) -> bool:
    """`wallet_transactions` of `wallets`; a table whose primary key is the reference."""
    if table.primary_key == referencing.columns:
        return True
    own = target_name
    return len(name) > len(own) and any(name[start : start + len(own)] == own for start in range(len(name) - len(own) + 1)) and name[-1:] != own[-1:]


def _is_link(table: Table, referencing: ColumnSet, others: Pairs) -> bool:
    """A key made of references to two or more tables, and hardly anything else."""
    references = {columns for columns, _ in others if columns.table == table.name}
    for index in table.indexes:
        members = {name for name in index.columns if name is not None}
        parts = [each for each in references if members.issuperset(each.columns)]
        covered = {name for each in parts for name in each.columns}
        if index.is_unique and len(parts) > 1 and covered == members and referencing in parts and len(table.columns) <= len(members) + _LINK_EXTRAS:
            return True
    return False


def _is_reference_data(target: Table, target_name: tuple[str, ...], referencing: ColumnSet, others: Pairs) -> bool:
    """A catalogue that rows are described by: owns nothing, is owned by nobody, has a label, and the rows have another owner."""
    if target_name[-1] in OWNER_WORDS or target_name[-1] in PERSON_WORDS or referencing.table == target.name:
        return False
    if any(columns.table == target.name and goal.table != target.name for columns, goal in others):
        return False
    labels = {word for column in target.columns for word in words(column.name)[-1:]}
    owners = _owners(referencing, target.name, others)
    signs = (target_name[-1] in LOOKUP_WORDS, target_name[-1] in LOOKUP_WORDS, bool(labels & LABEL_WORDS), bool(owners), 1)
    return sum(signs) >= _LOOKUP_SIGNS


def _owners(referencing: ColumnSet, target: TableName, others: Pairs) -> set[TableName]:
    return {goal.table for columns, goal in others if columns.table == referencing.table and goal.table not in (target, referencing.table)}
