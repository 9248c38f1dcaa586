"""Looking closer at orphan rows: in come a session and counted relationships, out goes what more is known, by relationship id.

One relationship is one short READ ONLY transaction. What cannot be told is said, never guessed and never an exception; only a lost
connection is. No value of a row leaves the server but the first and the last time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.details.along import Along, Keys, find_keys, measure_along
from holdfastd.evidence.details.causes import details_sql
from holdfastd.evidence.details.seen import find_seen_column
from holdfastd.evidence.details.sequences import Sequence as IdSequence
from holdfastd.evidence.details.sequences import find_sequences
from holdfastd.evidence.details.sizes import count_rows, share_of
from holdfastd.evidence.model import CausedRows, OrphanCause, OrphanDetails
from holdfastd.evidence.privileges import explain_missing_privilege
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import identifier, qualified
from holdfastd.target.errors import FAILURES, is_connection_lost, sqlstate, translate

#: Told after every relationship: its id and what is known now.
OnDetailed = Callable[[str, OrphanDetails], Awaitable[None]]

_PRIVILEGE = "42501"
_STOPPED = "57014"
#: Reasons by SQLSTATE; the server's own text may hold row values.
_REASONS = {
    "40001": "the standby stopped it because it conflicted with replay; audit the primary or try again",
    "55P03": "a lock on the tables could not be had in time; try again when they are less busy",
    "42P01": "a table was dropped or renamed during the audit; audit again",
    "42703": "a column was dropped or renamed during the audit; audit again",
    "53100": "the target has no disk space for it",
    "53200": "the target has no memory for it",
    "53400": "it hit a limit of the target, such as temp_file_limit",
}
#: Most certain first.
_TIERS = (Tier.DECLARED, Tier.PLAN, Tier.REVIEW)
#: No relationship may take a larger share of the time that is left.
_LARGEST_SHARE = 0.5
_LEAST_SECONDS = 0.05
#: After the server should have stopped the statement, so long until the connection counts as lost.
_GRACE_SECONDS = 10.0
# Merge joins that are believed to need the index only visit the table for every row of one that was not vacuumed.
_SET = """
SELECT pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('enable_mergejoin', 'off', true)
"""


async def detail_orphans(
    connection: asyncpg.Connection,
    catalog: Catalog,
    relationships: Sequence[Relationship],
    *,
    budget_seconds: float,
    on_detailed: OnDetailed | None = None,
) -> dict[str, OrphanDetails]:
    """Look closer at every relationship that has orphan rows, the most certain and the largest first, as long as the time lasts.

    `relationships`: all of an audit, because planned keys decide what goes along. Unavailable when the connection is lost.
    """
    ends = time.monotonic() + budget_seconds
    wanted = _in_order(relationships)
    keys = await asyncio.to_thread(find_keys, catalog, relationships) if wanted else None
    found: dict[str, OrphanDetails] = {}
    for relationship in wanted:
        left = ends - time.monotonic()
        if keys is None or left < _LEAST_SECONDS:
            details = _nothing(f"the {budget_seconds:g} seconds for looking closer went to other relationships")
        else:
            details = await _detail(connection, catalog, relationship, keys, seconds=left * _LARGEST_SHARE)
        found[relationship.id] = details
        if on_detailed is not None:
            await on_detailed(relationship.id, details)
    return found


def _in_order(relationships: Sequence[Relationship]) -> list[Relationship]:
    """Return what is worth a closer look; of several keys on the same columns, one."""
    with_orphans = {
        relationship.id: relationship
        for relationship in relationships
        if relationship.orphan_rows.is_known and relationship.orphan_rows.value and relationship.operators
    }
    return sorted(with_orphans.values(), key=lambda each: (_TIERS.index(each.tier), -each.orphan_rows.value, each.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One closer look at one relationship."""

    connection: asyncpg.Connection
    catalog: Catalog
    relationship: Relationship
    keys: Keys


async def _detail(
    connection: asyncpg.Connection, catalog: Catalog, relationship: Relationship, keys: Keys, *, seconds: float
) -> OrphanDetails:
    """Return what more is known about one relationship within the seconds."""
    look = _Look(connection=connection, catalog=catalog, relationship=relationship, keys=keys)
    ends = time.monotonic() + seconds
    try:
        async with _reading(connection, seconds):
            details = await _tell_causes(look)
    except FAILURES as error:
        return _nothing(f"why the rows are orphan rows: {await _reason(look, error, seconds)}")
    along = await _tell_along(look, details, max(ends - time.monotonic(), _LEAST_SECONDS))
    unknown = "; ".join(part for part in (details.unknown, along.unknown) if part)
    return replace(details, taken=along.taken, blocked=along.blocked, unknown=unknown)


@asynccontextmanager
async def _reading(connection: asyncpg.Connection, seconds: float) -> AsyncIterator[None]:
    """Open a transaction that reads one snapshot, under a time limit that the server keeps and we watch."""
    async with asyncio.timeout(seconds + _GRACE_SECONDS), connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_SET, str(max(1, int(seconds * 1000))))
        yield


async def _tell_causes(look: _Look) -> OrphanDetails:
    relationship = look.relationship
    table = look.catalog.tables[relationship.referencing.table]
    key_table = look.catalog.tables[relationship.referenced.table]
    sequences = await find_sequences(look.connection, key_table, relationship.referenced.columns)
    seen = find_seen_column(table)
    rows = await look.connection.fetch(details_sql(look.catalog, relationship, sequences, seen))
    causes = [CausedRows(cause=OrphanCause(row["cause"]), rows=row["rows"], distinct_values=row["distinct_values"]) for row in rows]
    first = min((row["first_seen"] for row in rows if row["first_seen"] is not None), default=None)
    last = max((row["last_seen"] for row in rows if row["last_seen"] is not None), default=None)
    orphan_rows = sum(caused.rows for caused in causes)
    return OrphanDetails(
        distinct_values=sum(caused.distinct_values for caused in causes),
        share=share_of(orphan_rows, await count_rows(look.connection, table)),
        causes=tuple(sorted(causes, key=lambda caused: (-caused.rows, caused.cause))),
        seen_column=seen.name if seen is not None and first is not None else "",
        first_seen=first,
        last_seen=last,
        unknown=_unreadable(sequences, causes),
    )


def _unreadable(sequences: Mapping[str, IdSequence], causes: Sequence[CausedRows]) -> str:
    """Name the GRANT that would tell more, where a sequence cannot be read and its reading would have told."""
    hidden = next((sequence for sequence in sequences.values() if not sequence.is_readable), None)
    if hidden is None or all(caused.cause is not OrphanCause.UNKNOWN for caused in causes):
        return ""
    grant = f"GRANT SELECT ON SEQUENCE {qualified(hidden.name)} TO {identifier(hidden.role)}"
    return f"whether the values ever existed: role {identifier(hidden.role)} may not read the key's sequence; run {grant}"


async def _tell_along(look: _Look, details: OrphanDetails, seconds: float) -> Along:
    """Return what goes along. Too long, or refused: that is all that stays unknown."""
    orphan_rows = sum(caused.rows for caused in details.causes)
    limit = asyncio.timeout(seconds)
    try:
        # Many statements, one limit: the one that runs when it is reached is cancelled on the server.
        async with _reading(look.connection, seconds), limit:
            return await measure_along(look.connection, look.catalog, look.relationship, look.keys, orphan_rows=orphan_rows)
    except FAILURES as error:
        if isinstance(error, TimeoutError) and limit.expired():
            return Along(unknown=f"what deleting takes along: it takes longer than {seconds:.1f} seconds to follow")
        return Along(unknown=f"what deleting takes along: {await _reason(look, error, seconds)}")


async def _reason(look: _Look, error: Exception, seconds: float) -> str:
    """Return why a look failed. Unavailable when the connection is lost."""
    if is_connection_lost(error):
        raise translate(error, role="") from error
    state = sqlstate(error)
    if state == _PRIVILEGE:
        tables = (look.relationship.referencing.table, look.relationship.referenced.table)
        return await explain_missing_privilege(look.connection, tables)
    if state == _STOPPED:
        return f"stopped; it may take {seconds:.1f} seconds"
    return _REASONS.get(state, f"the target refused to tell (SQLSTATE {state})")


def _nothing(reason: str) -> OrphanDetails:
    return OrphanDetails(distinct_values=0, unknown=reason)
