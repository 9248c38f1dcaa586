"""The history: how many orphan rows every relationship had at every audit. It outlives the audits, until it is pruned."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Relationship, Tier
from holdfastd.store.documents import searchable
from holdfastd.store.model import OrphanCount

#: After this the first page begins: time, number of the audit, number of the relationship.
Cursor = tuple[datetime, int, int]


async def record(connection: Any, database_id: str, audit_id: str, relationships: Iterable[Relationship], time: datetime) -> None:
    """Keep the counts of an audit, in place of what an earlier try of it kept. Left out: what is for review, and what was not counted."""
    meant = (item for item in relationships if item.tier is not Tier.REVIEW and item.orphan_rows.is_known)
    # A relationship that is declared twice is counted once. In order, so that two audits at a time wait for each other but not in a ring.
    counts = {item.id: item.orphan_rows for item in sorted(meant, key=lambda item: item.id)}
    await connection.execute("DELETE FROM counted_audits WHERE audit_id = $1", audit_id)
    insert = "INSERT INTO counted_audits (database_id, audit_id, time) VALUES ($1, $2, $3) RETURNING number"
    number = await connection.fetchval(insert, database_id, audit_id, time)
    await connection.execute(_NAME, database_id, list(counts))
    values = list(counts.values())
    columns = (
        [count.value for count in values],
        [count.low for count in values],
        [count.high for count in values],
        [count.exactness is Exactness.ESTIMATED for count in values],
    )
    await connection.execute(_KEEP, database_id, number, list(counts), *columns)


async def list_page(
    connection: Any, database_id: str, *, relationship_id: str = "", since: datetime | None = None, after: Cursor | None = None, limit: int
) -> tuple[OrphanCount, ...]:
    """Return counts, newest first, then by id of the relationship: of one relationship or all, since a time, after a cursor."""
    time, audit, relationship = after or (None, None, None)
    rows = await connection.fetch(_LIST, database_id, searchable(relationship_id), since, time, audit, relationship, limit)
    return tuple(_count(row) for row in rows)


async def prune(connection: Any, older_than: timedelta, limit: int) -> int:
    """Forget counts of audits that ended longer ago and of databases that were removed, at most so many; return how many those were.

    Fewer than asked for is the end.
    """
    pruned = 0
    # Audit by audit, so that no plan ever reads the whole history.
    while pruned < limit and (audits := await connection.fetch(_DOOMED, older_than)):
        for row in audits:
            pruned += int((await connection.execute(_PRUNE, row["number"], limit - pruned)).split()[-1])
            if pruned == limit:
                return pruned
            await connection.execute("DELETE FROM counted_audits WHERE number = $1", row["number"])
    await connection.execute(_PRUNE_RELATIONSHIPS)
    return pruned


_NAME = """
    INSERT INTO counted_relationships (database_id, relationship_hash, relationship_id)
    SELECT $1, sha256(convert_to(named.id, 'UTF8')), named.id
    FROM unnest($2::text[]) WITH ORDINALITY AS named (id, position)
    WHERE NOT EXISTS (
        SELECT FROM counted_relationships AS known
        WHERE known.database_id = $1 AND known.relationship_hash = sha256(convert_to(named.id, 'UTF8'))
    )
    ORDER BY named.position
    ON CONFLICT DO NOTHING
"""

_KEEP = """
    INSERT INTO orphan_counts (audit_number, relationship_number, value, low, high, estimated)
    SELECT $2, known.number, counted.value, counted.low, counted.high, counted.estimated
    FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::boolean[]) AS counted (id, value, low, high, estimated)
    JOIN counted_relationships AS known
        ON known.database_id = $1 AND known.relationship_hash = sha256(convert_to(counted.id, 'UTF8'))
"""

# The cursor's relationship is looked up by its number, because ids are too long for a token.
_LIST = """
    SELECT audits.number AS audit_number, audits.audit_id, audits.time, known.number AS relationship_number, known.relationship_id,
           counts.value, counts.low, counts.high, counts.estimated
    FROM counted_audits AS audits
    JOIN orphan_counts AS counts ON counts.audit_number = audits.number
    JOIN counted_relationships AS known ON known.number = counts.relationship_number
    WHERE audits.database_id = $1
      AND ($2 = '' OR counts.relationship_number = (
          SELECT number FROM counted_relationships WHERE database_id = $1 AND relationship_hash = sha256(convert_to($2, 'UTF8'))
      ))
      AND ($3::timestamptz IS NULL OR audits.time >= $3)
      AND ($4::timestamptz IS NULL OR ((audits.time, audits.number) <= ($4, $5::bigint) AND (
          audits.number <> $5::bigint
          OR known.relationship_id COLLATE "C" > (SELECT relationship_id FROM counted_relationships WHERE number = $6::bigint) COLLATE "C"
      )))
    ORDER BY audits.time DESC, audits.number DESC, known.relationship_id COLLATE "C"
    LIMIT $7
"""

_DOOMED = """
    SELECT number FROM counted_audits AS audits
    WHERE time < clock_timestamp() - $1::interval
       OR NOT EXISTS (SELECT FROM databases WHERE databases.id = audits.database_id)
    LIMIT 50
"""

_PRUNE = """
    DELETE FROM orphan_counts
    WHERE audit_number = $1 AND relationship_number IN (
        SELECT relationship_number FROM orphan_counts WHERE audit_number = $1 LIMIT $2
    )
"""

# Those of other databases stay, counted or not: they are few, and an audit that ends right now may be about to use one.
_PRUNE_RELATIONSHIPS = """
    DELETE FROM counted_relationships AS known
    WHERE NOT EXISTS (SELECT FROM databases WHERE databases.id = known.database_id)
      AND NOT EXISTS (SELECT FROM orphan_counts AS counts WHERE counts.relationship_number = known.number)
"""


def _count(row: Any) -> OrphanCount:
    rows = RowCount(
        value=row["value"],
        exactness=Exactness.ESTIMATED if row["estimated"] else Exactness.EXACT,
        as_of=row["time"],
        low=row["low"],
        high=row["high"],
    )
    same = ("audit_number", "relationship_number", "relationship_id", "audit_id", "time")
    return OrphanCount(orphan_rows=rows, **{name: row[name] for name in same})
