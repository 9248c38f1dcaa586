"""The foreign keys that a deletion follows: declared ones and those that the plan adds before it cleans up. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog, ForeignKey, Match, OnDelete
from holdfastd.evidence.model import Edge
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName
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
            nulled=decision.set_null_columns or decision.referencing.columns,
        )
        for decision in decisions
        if decision.included and not by_id[decision.relationship_id].declared
    ]
    return tuple(each for edge in (*declared, *planned) for each in _between_leaves(catalog, edge))


def _between_leaves(catalog: Catalog, edge: Edge) -> Iterator[Edge]:
    """Yield a key once per pair of leaf partitions: rows are found, saved and put back where they are."""
    for referencing in catalog.leaves(edge.referencing.table):
        for referenced in catalog.leaves(edge.referenced.table):
            yield replace(
                edge,
                referencing=ColumnSet(referencing, edge.referencing.columns),
                referenced=ColumnSet(referenced, edge.referenced.columns),
            )


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
    decisions = tuple(decisions)
    dropped = keys_dropped(relationships, decisions) | keys_adopted(catalog, decisions)
    return tuple(
        replace(key, referencing=ColumnSet(leaf, key.referencing.columns))
        for key in catalog.foreign_keys
        if key.enforced and (key.referencing.table, key.name) not in dropped
        for leaf in catalog.leaves(key.referencing.table)
    )


def adopted_key(catalog: Catalog, decision: Decision, leaf: TableName) -> ForeignKey | None:
    """Return the key of a partition's own that the key of its root takes over: it says the very same."""
    for key in catalog.tables[leaf].foreign_keys:
        same = (key.referencing.columns, key.referenced, key.on_delete) == (
            decision.referencing.columns,
            decision.referenced,
            decision.on_delete,
        )
        nulled = decision.set_null_columns if decision.on_delete is OnDelete.SET_NULL else ()
        plain = key.match is Match.SIMPLE and not key.deferrable and key.on_update is OnDelete.NO_ACTION
        if same and plain and key.enforced and set(key.set_null_columns) == set(nulled):
            return key
    return None


def keys_adopted(catalog: Catalog, decisions: Iterable[Decision]) -> frozenset[KeyName]:
    """Return the partitions' own keys that are gone while a rollback puts rows back: taken over, and never validated before."""
    return frozenset(
        (leaf, key.name)
        for decision in decisions
        if decision.included
        for leaf in catalog.partitions_below(decision.referencing.table)
        if (key := adopted_key(catalog, decision, leaf)) is not None and not key.validated
    )


def remains(decision: Decision) -> bool:
    """Tell whether orphan rows stay, so that the key cannot be validated."""
    return decision.orphan_action is OrphanAction.LEAVE and decision.orphan_rows > 0
