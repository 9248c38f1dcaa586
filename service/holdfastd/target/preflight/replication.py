"""Who else gets what an application writes: standbys, slots, subscribers, and the archive that a restore would need."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.errors import Reason
from holdfastd.names import TableName, qualified, readable
from holdfastd.plan.model import OrphanAction
from holdfastd.target.preflight.check import Check, blocks_application, duration, few, passed, size, untold, warning
from holdfastd.target.preflight.look import grant_of, look, sees_sessions
from holdfastd.target.preflight.needs import CleanedRows, Needs
from holdfastd.target.preflight.relations import Relations

_STANDBYS = """
SELECT coalesce(nullif(sender.application_name, ''), 'unnamed') AS name,
       coalesce(sender.sync_state, '') AS sync_state,
       sender.state = 'streaming' AS is_streaming,
       greatest(0, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), coalesce(sender.replay_lsn, sender.flush_lsn)))
           ::pg_catalog.float8 AS lag_bytes,
       coalesce(extract(epoch FROM sender.replay_lag), 0)::pg_catalog.float8 AS lag_seconds
FROM pg_catalog.pg_stat_replication AS sender
ORDER BY 1
"""
_SYNCHRONOUS = "SELECT pg_catalog.current_setting('synchronous_standby_names')"
_SLOTS = """
SELECT slot.slot_name AS name, slot.active,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), slot.restart_lsn), 0)::pg_catalog.float8 AS retained_bytes,
       greatest(coalesce(pg_catalog.age(slot.xmin), 0), coalesce(pg_catalog.age(slot.catalog_xmin), 0)) AS horizon_age,
       coalesce(slot.wal_status, '') = 'lost' AS is_lost
FROM pg_catalog.pg_replication_slots AS slot
ORDER BY slot.slot_name
"""
# One row per table and publication; a publication of all tables or of a schema lists them here, too.
_PUBLISHED = """
SELECT relation.oid::pg_catalog.int8 AS oid, publication.pubname AS publication,
       publication.pubupdate AS has_updates, publication.pubdelete AS has_deletes,
       relation.relreplident = 'f' OR EXISTS (
         SELECT FROM pg_catalog.pg_index AS index
         WHERE index.indrelid = relation.oid AND index.indisvalid
           AND CASE relation.relreplident WHEN 'd' THEN index.indisprimary WHEN 'i' THEN index.indisreplident ELSE false END
       ) AS has_identity
FROM pg_catalog.pg_publication_tables AS listed
JOIN pg_catalog.pg_publication AS publication ON publication.pubname = listed.pubname
JOIN pg_catalog.pg_namespace AS namespace ON namespace.nspname = listed.schemaname
JOIN pg_catalog.pg_class AS relation ON relation.relnamespace = namespace.oid AND relation.relname = listed.tablename
WHERE relation.oid = ANY ($1::pg_catalog.oid[])
ORDER BY publication.pubname, relation.relname
"""
# What a subscription writes here, keys do not look at: its workers run as replica.
_SUBSCRIBED = """
SELECT relation.srrelid::pg_catalog.int8 AS oid, subscription.subname AS name
FROM pg_catalog.pg_subscription_rel AS relation
JOIN pg_catalog.pg_subscription AS subscription ON subscription.oid = relation.srsubid
WHERE relation.srrelid = ANY ($1::pg_catalog.oid[])
ORDER BY subscription.subname
"""
_ARCHIVE = """
SELECT pg_catalog.current_setting('archive_mode') <> 'off' AS is_on,
       extract(epoch FROM pg_catalog.clock_timestamp() - archiver.last_archived_time)::pg_catalog.float8 AS archived_seconds_ago,
       extract(epoch FROM pg_catalog.clock_timestamp() - archiver.last_failed_time)::pg_catalog.float8 AS failed_seconds_ago,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_progress_basebackup) AS running_backups,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication AS receiver
        WHERE receiver.application_name IN ('pg_receivewal', 'barman_receive_wal')) AS receivers
FROM pg_catalog.pg_stat_archiver AS archiver
"""

#: From here on, a standby or a slot lags enough to say so.
_LAG_BYTES, _LAG_SECONDS = 64 * 1024**2, 10
_HORIZON_AGE = 10_000_000
_COUNT = re.compile(r"^\s*(?:FIRST\s+|ANY\s+)?(\d+)\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A standby, or whoever else streams from the server."""

    name: str
    sync_state: str
    is_streaming: bool
    lag_bytes: float
    lag_seconds: float

    def __str__(self) -> str:
        """With its lag."""
        return f"{self.name} is {size(self.lag_bytes)} and {duration(self.lag_seconds)} behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A replication slot: it keeps what somebody has not fetched yet."""

    name: str
    active: bool
    retained_bytes: float
    #: Transactions since the oldest that it needs; vacuum keeps what was deleted since.
    horizon_age: int
    is_lost: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table of the plan, or a partition of one, in a publication."""

    oid: int
    table: TableName
    publication: str
    has_updates: bool
    has_deletes: bool
    #: Rows can be named to subscribers; without, PostgreSQL refuses to change or delete them.
    has_identity: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What the server tells about its archive."""

    is_on: bool
    archived_seconds_ago: float | None
    failed_seconds_ago: float | None
    running_backups: int
    #: Programs that fetch write-ahead log instead of an archive command.
    receivers: int


async def check_replication(connection: asyncpg.Connection, needs: Needs, relations: Relations) -> list[Check]:
    """Check those who follow the server."""
    cure = grant_of("pg_read_all_stats", connection)

    async def read_standbys(session: asyncpg.Connection) -> list[Standby] | None:
        """Return None when there are some that the role may not see."""
        rows = await session.fetch(_STANDBYS)
        if rows and not await sees_sessions(session):
            return None
        return [Standby(**{**row, "is_streaming": bool(row["is_streaming"]), "lag_bytes": row["lag_bytes"] or 0}) for row in rows]

    async def standbys(session: asyncpg.Connection) -> Check:
        return judge_standbys(await read_standbys(session), cure)

    async def synchronous_standbys(session: asyncpg.Connection) -> Check:
        return judge_synchronous_standbys(await session.fetchval(_SYNCHRONOUS), await read_standbys(session), cure)

    async def replication_slots(session: asyncpg.Connection) -> Check:
        return judge_replication_slots([Slot(**row) for row in await session.fetch(_SLOTS)])

    async def publications(session: asyncpg.Connection) -> Check:
        rows = [dict(row) for row in await session.fetch(_PUBLISHED, relations.oids_of(needs.tables))]
        return judge_publications([Published(table=relations[row["oid"]], **row) for row in rows], needs, relations)

    async def subscriptions(session: asyncpg.Connection) -> Check:
        rows = await session.fetch(_SUBSCRIBED, relations.oids_of(needs.tables))
        return judge_subscriptions([f"{relations[row['oid']]} ({readable(row['name'])})" for row in rows])

    async def archive(session: asyncpg.Connection) -> Check:
        return judge_archive(Archive(**await session.fetchrow(_ARCHIVE)))

    return [
        await look(connection, "standbys", standbys),
        await look(connection, "synchronous_standbys", synchronous_standbys),
        await look(connection, "replication_slots", replication_slots),
        await look(connection, "publications", publications),
        await look(connection, "subscriptions", subscriptions),
        await look(connection, "archive", archive),
    ]


def judge_standbys(found: Sequence[Standby] | None, cure: str) -> Check:
    """Say whether those who follow keep up. None: they cannot be seen."""
    name = "standbys"
    if found is None:
        return untold(name, "the role may not see how far the standbys are behind", cure)
    if not found:
        return passed(name, "No standby is connected.")
    late = [item for item in found if item.lag_bytes > _LAG_BYTES or item.lag_seconds > _LAG_SECONDS]
    if late:
        return warning(
            name, f"Standbys are late: {few(map(str, late))}.", "Wait until they have caught up; what the plan writes comes on top."
        )
    return passed(name, f"{len(found)} standby{'s follow' if len(found) > 1 else ' follows'}: {few(map(str, found))}.")


def judge_synchronous_standbys(names: str, found: Sequence[Standby] | None, cure: str) -> Check:
    """Say whether commits come back. `names` is synchronous_standby_names."""
    name = "synchronous_standbys"
    if not names.strip():
        return passed(name, "Commits wait for no standby.")
    if found is None:
        return untold(name, "commits wait for standbys, and the role may not see whether they are there", cure)
    wanted = int(match[1]) if (match := _COUNT.match(names)) else 1
    there = [item for item in found if item.sync_state in ("sync", "quorum") and item.is_streaming]
    if len(there) >= wanted:
        return passed(name, f"Commits wait for {wanted} of the standbys, and {len(there)} follow.")
    seen = f"synchronous_standby_names asks for {wanted}, and {len(there)} follow: every commit would hang."
    return blocks_application(name, Reason.TARGET_READ_ONLY, seen, "Start the standby again, or take it out of synchronous_standby_names.")


def judge_replication_slots(found: Sequence[Slot]) -> Check:
    """Say whether the server keeps more and more for somebody."""
    name = "replication_slots"
    if not found:
        return passed(name, "There is no replication slot.")
    idle = [item for item in found if not item.active and not item.is_lost]
    if idle:
        kept = few(f"{readable(item.name)} ({size(item.retained_bytes)} so far)" for item in idle)
        seen = f"Nobody reads these replication slots, and the server keeps write-ahead log for them until the disk is full: {kept}."
        return warning(name, seen, "Start their readers, or drop what nobody needs: SELECT pg_catalog.pg_drop_replication_slot(…)")
    late = [item for item in found if item.retained_bytes > _LAG_BYTES or item.horizon_age > _HORIZON_AGE]
    if late:
        kept = few(f"{readable(item.name)} ({size(item.retained_bytes)}, {item.horizon_age:,} transactions)" for item in late)
        seen = f"Replication slots are far behind, and vacuum cannot remove what a cleanup leaves: {kept}."
        return warning(name, seen, "Wait until their readers have caught up.")
    return passed(name, "No replication slot holds much back.")


def judge_publications(found: Sequence[Published], needs: Needs, relations: Relations) -> Check:
    """Say what subscribers get, and whether PostgreSQL lets a cleanup change published rows at all."""
    name = "publications"
    if not found:
        return passed(name, "No table of the plan is published.")
    refused = sorted({item.table for item in found if not item.has_identity and _will_change(item, needs, relations)})
    if refused:
        seen = f"PostgreSQL will refuse to clean up published tables without a replica identity: {few(map(str, refused))}."
        cure = "; ".join(f"ALTER TABLE {qualified(table)} REPLICA IDENTITY FULL" for table in refused[:3])
        return blocks_application(name, Reason.PLAN_INFEASIBLE, seen, f"{cure} (or a unique index as identity)")
    which = few(sorted({f"{item.table} ({readable(item.publication)})" for item in found}))
    seen = f"Tables of the plan are published: {which}. Subscribers get the rows of the cleanup, but neither keys nor indexes."
    return warning(name, seen, "Run the plan's script on the subscribers, too, if they are to enforce the keys.")


def _will_change(item: Published, needs: Needs, relations: Relations) -> bool:
    """Tell whether some cleanup has rows to change in the table, in a way that is published."""
    return any(_changes(cleaned, item, relations) for cleaned in needs.cleaned)


def _changes(cleaned: CleanedRows, item: Published, relations: Relations) -> bool:
    if cleaned.orphan_rows and relations.belongs(item.oid, cleaned.table):
        return item.has_deletes if cleaned.action is OrphanAction.DELETE else item.has_updates
    is_reached = any(relations.belongs(item.oid, table) for table in cleaned.reached)
    return is_reached and cleaned.takes_others and (item.has_deletes or item.has_updates)


def judge_subscriptions(found: Sequence[str]) -> Check:
    """Say which tables get rows that no key looks at."""
    name = "subscriptions"
    if not found:
        return passed(name, "No table of the plan is written to by a subscription.")
    seen = f"Subscriptions write to tables of the plan, and keys do not check what they write: {few(found)}."
    return warning(name, seen, "Apply the plan where the rows come from, too, and audit here from time to time.")


def judge_archive(archive: Archive) -> Check:
    """Say whether the moment before the plan could be restored."""
    name, ask = "archive", "When the last base backup was made, only your backup tool knows."
    if archive.running_backups:
        return warning(name, "A base backup is running: what the plan writes makes it larger and slower.", "Wait for its end.")
    if not archive.is_on and not archive.receivers:
        seen = "Write-ahead log is not archived, as far as the server tells: the database cannot be restored to the moment before the plan."
        return warning(name, seen, "Make a backup first, or make sure that your host takes snapshots.")
    if not archive.is_on:
        return passed(name, f"Write-ahead log is fetched by a receiver. {ask}")
    ago, failed = archive.archived_seconds_ago, archive.failed_seconds_ago
    if failed is not None and (ago is None or failed < ago):
        last = f", the last success {duration(ago)} ago" if ago is not None else ", none has succeeded"
        seen = f"Archiving of write-ahead log fails, last {duration(failed)} ago{last}."
        return warning(name, seen, "Repair the archive first: until then, nothing can be restored to the moment before the plan.")
    if ago is None:
        return warning(
            name, "Nothing was archived yet.", "Make a backup first: SELECT pg_catalog.pg_switch_wal() shows whether archiving works."
        )
    return passed(name, f"Write-ahead log was archived {duration(ago)} ago. {ask}")
