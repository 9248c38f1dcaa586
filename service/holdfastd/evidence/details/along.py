"""What deleting orphan rows takes along: in come a session and a relationship, out go rows by table, and what speaks against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.evidence.closure import measure_closure
from holdfastd.evidence.details.sizes import count_rows, share_of
from holdfastd.evidence.hindrances import find_publication
from holdfastd.evidence.model import Edge, TakenRows
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.decide import decide
from holdfastd.plan.edges import enforced_edges, staying_keys

#: Rows beyond which nobody follows what goes along: an audit must not grow with the rows.
MOST_ROWS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a deletion follows, and what must hold when rows come back."""

    #: Keys that are declared, or planned unless somebody says otherwise.
    edges: tuple[Edge, ...]
    staying: tuple[ForeignKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """What goes along; the same words as in OrphanDetails."""

    taken: tuple[TakenRows, ...] = ()
    blocked: str = ""
    unknown: str = ""


def find_keys(catalog: Catalog, relationships: Sequence[Relationship]) -> Keys:
    """Return the keys that a plan without overrides would clean up under. Pure, and slow with thousands of relationships."""
    decisions = decide(catalog, relationships, ())
    return Keys(edges=enforced_edges(catalog, relationships, decisions), staying=staying_keys(catalog, relationships, decisions))


async def measure_along(
    connection: asyncpg.Connection,
    catalog: Catalog,
    relationship: Relationship,
    keys: Keys,
    *,
    orphan_rows: int,
) -> Along:
    """Return what deleting the orphan rows of a relationship takes along, in the transaction of the caller."""
    table = relationship.referencing.table
    edges = _with_own(keys.edges, relationship)
    is_referenced = any(edge.referenced.table == table for edge in edges)
    if catalog.tables[table].kind is not TableKind.TABLE and is_referenced:
        return Along(unknown=f"what goes along with rows of {table}, which is partitioned, was not followed")
    if orphan_rows > MOST_ROWS and is_referenced:
        return Along(unknown=f"what deleting more than {MOST_ROWS} rows takes along was not followed")
    if orphan_rows > MOST_ROWS or catalog.tables[table].kind is not TableKind.TABLE:
        blocked = await find_publication(connection, catalog.tables[table], deletes=True)
        return Along(taken=await _shares(connection, catalog, {table: orphan_rows}), blocked=blocked)
    closure = await measure_closure(
        connection,
        catalog,
        relationship.referencing,
        relationship.referenced,
        relationship.operators,
        edges,
        # Its own key refuses the orphan rows when they come back; that is no news of a key whose orphan rows are told here.
        staying=[key for key in keys.staying if (key.referencing, key.referenced) != (relationship.referencing, relationship.referenced)],
        most_rows=MOST_ROWS,
    )
    if sum(closure.rows.values()) > MOST_ROWS:
        return Along(unknown=f"deleting takes more than {MOST_ROWS} rows along, which were not followed further")
    if closure.unknown:
        return Along(unknown=closure.unknown)
    return Along(taken=await _shares(connection, catalog, closure.rows), blocked=closure.blocked)


def _with_own(edges: tuple[Edge, ...], relationship: Relationship) -> tuple[Edge, ...]:
    """Return the keys with the relationship's own, as suggested: whoever cleans it up does so to make that key."""
    own = Edge(
        referencing=relationship.referencing,
        referenced=relationship.referenced,
        on_delete=relationship.suggested_on_delete,
        operators=relationship.operators,
        nulled=relationship.referencing.columns,
    )
    is_known = relationship.declared or any((edge.referencing, edge.referenced) == (own.referencing, own.referenced) for edge in edges)
    return edges if is_known else (*edges, own)


async def _shares(connection: asyncpg.Connection, catalog: Catalog, rows: Mapping[TableName, int]) -> tuple[TakenRows, ...]:
    """Return the rows with their share of each table, the most first."""
    most = sorted(rows, key=lambda name: (-rows[name], name))
    return tuple(
        [
            TakenRows(table=name, rows=rows[name], share=share_of(rows[name], await count_rows(connection, catalog.tables[name])))
            for name in most
        ]
    )
