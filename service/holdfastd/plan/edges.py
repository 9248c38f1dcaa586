"""The foreign keys that a deletion follows: declared ones and those that the plan adds before it cleans up. Pure."""

from collections.abc import Iterable, Sequence

from holdfastd.catalog.model import Catalog, ForeignKey, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.model import Decision, OrphanAction

#: A foreign key by its table and its own name.
KeyName = tuple[TableName, str]


def enforced_edges(catalog: Catalog, relationships: Sequence[Relationship], decisions: Sequence[Decision]) -> tuple[Edge, ...]:
    """Return all keys that will be enforced while the plan cleans up."""
    declared = [
        Edge(
            referencing=key.referencing,
            referenced=key.referenced,
            on_delete=key.on_delete,
            operators=key.operators,
            nulled=key.set_null_columns or key.referencing.columns,
        )
        for key in catalog.foreign_keys
        if key.enforced
    ]
    by_id = {relationship.id: relationship for relationship in relationships}
    planned = [
        Edge(
            referencing=decision.referencing,
            referenced=decision.referenced,
            on_delete=decision.on_delete,
            operators=by_id[decision.relationship_id].operators,
            nulled=decision.referencing.columns,
        )
        for decision in decisions
        if decision.included and not by_id[decision.relationship_id].declared
    ]
    return (*declared, *planned)


def reachable(edges: Iterable[Edge], start: TableName) -> tuple[TableName, ...]:
    """Return the tables that deleting rows of `start` may reach by CASCADE or SET NULL, `start` first."""
    following = [edge for edge in edges if edge.on_delete in (OnDelete.CASCADE, OnDelete.SET_NULL)]
    tables, deleted = [start], [start]
    for table in deleted:
        for edge in following:
            if edge.referenced.table != table:
                continue
            if edge.referencing.table not in tables:
                tables.append(edge.referencing.table)
            if edge.on_delete is OnDelete.CASCADE and edge.referencing.table not in deleted:
                deleted.append(edge.referencing.table)
    return tuple(tables)


def keys_dropped(relationships: Iterable[Relationship], decisions: Iterable[Decision]) -> frozenset[KeyName]:
    """Return the keys that a rollback drops before rows come back: those that the plan makes, and those that it validates."""
    declared = {relationship.id for relationship in relationships if relationship.declared}
    return frozenset(
        (decision.referencing.table, decision.constraint_name)
        for decision in decisions
        if decision.included and not (decision.relationship_id in declared and remains(decision))
    )


def staying_keys(catalog: Catalog, relationships: Iterable[Relationship], decisions: Iterable[Decision]) -> tuple[ForeignKey, ...]:
    """Return the enforced keys that are there when rows come back: rows that are orphan rows of theirs could not."""
    dropped = keys_dropped(relationships, decisions)
    return tuple(key for key in catalog.foreign_keys if key.enforced and (key.referencing.table, key.name) not in dropped)


def remains(decision: Decision) -> bool:
    """Tell whether orphan rows stay, so that the key cannot be validated."""
    return decision.orphan_action is OrphanAction.LEAVE and decision.orphan_rows > 0
