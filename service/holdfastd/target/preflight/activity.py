"""What others do right now that an application would wait for: old transactions, prepared ones, locks, and vacuum that never yields.

Text of queries is never read: it may hold values of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from holdfastd.names import TableName, literal, qualified
from holdfastd.target.preflight.check import Check, duration, few, passed, untold, warning
from holdfastd.target.preflight.look import grant_of, look, sees_sessions
from holdfastd.target.preflight.needs import Needs
from holdfastd.target.preflight.relations import Relations

#: A transaction older than this (seconds) is not just passing by.
OLD_SECONDS = 60

# A concurrent index build waits for snapshots of this database alone. Backends of the server itself are not meant: autovacuum is told
# apart, and parallel workers go with their leader.
_SESSIONS = """
SELECT activity.pid,
       coalesce(activity.application_name, '') AS application,
       coalesce(activity.state, '') AS state,
       extract(epoch FROM pg_catalog.clock_timestamp() - activity.xact_start)::pg_catalog.float8 AS age_seconds,
       activity.backend_xmin IS NOT NULL AS has_snapshot
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.datname = pg_catalog.current_database()
  AND activity.pid <> pg_catalog.pg_backend_pid()
  AND activity.backend_type = 'client backend'
  AND activity.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1)
ORDER BY activity.xact_start
"""
_HIDDEN = """
SELECT pg_catalog.count(*)
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.datname = pg_catalog.current_database() AND activity.usesysid IS NOT NULL
  AND NOT pg_catalog.pg_has_role(activity.usesysid, 'USAGE')
"""
_PREPARED = """
SELECT gid AS name, extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::pg_catalog.float8 AS age_seconds
FROM pg_catalog.pg_prepared_xacts
WHERE database = pg_catalog.current_database()
ORDER BY prepared
"""
# Weaker locks are an application's daily work and told by the age of their transaction.
_LOCKS = """
SELECT held.pid, held.relation::pg_catalog.int8 AS oid, held.mode,
       coalesce(activity.application_name, '') AS application, coalesce(activity.backend_type, '') AS kind
FROM pg_catalog.pg_locks AS held
LEFT JOIN pg_catalog.pg_stat_activity AS activity USING (pid)
WHERE held.relation = ANY ($1::pg_catalog.oid[]) AND held.granted AND held.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND held.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND coalesce(activity.backend_type, '') <> 'autovacuum worker'
ORDER BY held.pid
"""
# Only the words that autovacuum itself puts into its query are looked for. Who may not see them gets NULL: it may be one.
_VACUUMS = """
SELECT held.relation::pg_catalog.int8 AS oid, held.pid,
       CASE WHEN activity.backend_type IS NOT NULL THEN activity.query LIKE 'autovacuum:%(to prevent wraparound)' END AS never_yields
FROM pg_catalog.pg_locks AS held
JOIN pg_catalog.pg_stat_activity AS activity USING (pid)
WHERE held.relation = ANY ($1::pg_catalog.oid[]) AND held.granted AND held.mode = 'ShareUpdateExclusiveLock'
  AND coalesce(activity.backend_type, 'autovacuum worker') = 'autovacuum worker'
"""
# From this age on, autovacuum comes whether or not it is turned on, and gives way to nobody. A table may set its own, lower one.
_FREEZE = """
SELECT relation.oid::pg_catalog.int8 AS oid,
       greatest(pg_catalog.age(relation.relfrozenxid)::pg_catalog.float8 / own.freeze_age,
                pg_catalog.mxid_age(relation.relminmxid)::pg_catalog.float8 / own.multixact_freeze_age) AS share
FROM pg_catalog.pg_class AS relation
CROSS JOIN LATERAL (
  SELECT least(pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.int8,
               min(option_value::pg_catalog.int8) FILTER (WHERE option_name = 'autovacuum_freeze_max_age')) AS freeze_age,
         least(pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::pg_catalog.int8,
               min(option_value::pg_catalog.int8) FILTER (WHERE option_name = 'autovacuum_multixact_freeze_max_age'))
           AS multixact_freeze_age
  FROM pg_catalog.pg_options_to_table(relation.reloptions)
) AS own
WHERE relation.oid = ANY ($1::pg_catalog.oid[]) AND relation.relfrozenxid <> '0'::pg_catalog.xid
"""
_NEAR = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTransaction:
    """A transaction of a session that is open for long."""

    pid: int
    application: str
    state: str
    age_seconds: float
    #: It holds back what vacuum may remove, and concurrent index builds.
    has_snapshot: bool

    def __str__(self) -> str:
        """As a DBA looks for it."""
        doing = "idle for" if self.state.startswith("idle in transaction") else "running for"
        return f"pid {self.pid} ({self.application or 'unnamed'}, {doing} {duration(self.age_seconds)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTransaction:
    """A transaction of two-phase commit that waits for its second phase."""

    name: str
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLock:
    """A strong lock that somebody holds on a table of the plan."""

    pid: int | None
    application: str
    mode: str
    table: TableName

    def __str__(self) -> str:
        """As a DBA looks for it."""
        who = "a prepared transaction" if self.pid is None else f"pid {self.pid} ({self.application or 'unnamed'})"
        return f"{who} holds {self.mode} on {self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacuum:
    """Where a table stands with autovacuum."""

    table: TableName
    #: Share of the age at which autovacuum comes against wraparound.
    frozen_share: float
    pid: int | None = None
    #: None: what it does is hidden.
    never_yields: bool | None = None


async def check_activity(
    connection: asyncpg.Connection, needs: Needs, relations: Relations, *, old_seconds: float = OLD_SECONDS
) -> list[Check]:
    """Check what others do; with nothing going on, all pass."""

    async def old_transactions(session: asyncpg.Connection) -> Check:
        rows = await session.fetch(_SESSIONS, old_seconds)
        hidden = 0 if await sees_sessions(session) else await session.fetchval(_HIDDEN)
        cure = grant_of("pg_read_all_stats", session)
        return judge_old_transactions([OldTransaction(**row) for row in rows], hidden, old_seconds, cure)

    async def prepared_transactions(session: asyncpg.Connection) -> Check:
        return judge_prepared_transactions([PreparedTransaction(**row) for row in await session.fetch(_PREPARED)])

    async def locks(session: asyncpg.Connection) -> Check:
        rows = await session.fetch(_LOCKS, relations.oids_of(needs.strongly_locked))
        return judge_locks(
            [
                HeldLock(
                    pid=row["pid"], application=row["application"] or row["kind"], mode=_words(row["mode"]), table=relations[row["oid"]]
                )
                for row in rows
            ]
        )

    async def vacuum(session: asyncpg.Connection) -> Check:
        oids = relations.oids_of(needs.strongly_locked)
        running = {row["oid"]: row for row in await session.fetch(_VACUUMS, oids)}
        shares = await session.fetch(_FREEZE, oids)
        return judge_vacuum([_of_table(relations, row, running.get(row["oid"])) for row in shares], grant_of("pg_read_all_stats", session))

    return [
        await look(connection, "old_transactions", old_transactions),
        await look(connection, "prepared_transactions", prepared_transactions),
        await look(connection, "locks", locks),
        await look(connection, "vacuum", vacuum),
    ]


def _of_table(relations: Relations, row: asyncpg.Record, running: asyncpg.Record | None) -> Vacuum:
    return Vacuum(
        table=relations[row["oid"]],
        frozen_share=row["share"],
        pid=running["pid"] if running else None,
        never_yields=running["never_yields"] if running else None,
    )


def judge_old_transactions(found: Sequence[OldTransaction], hidden: int, old_seconds: float, cure: str) -> Check:
    """Say whom locks and index builds would wait for; sessions that do not show it are not taken for short ones."""
    name = "old_transactions"
    if found:
        seen = f"Transactions older than {duration(old_seconds)} hold up locks and concurrent index builds: {few(map(str, found))}."
        if any(item.has_snapshot for item in found):
            seen += " Some hold a snapshot: an index build waits for them whatever tables they use."
        ends = "; ".join(f"SELECT pg_catalog.pg_terminate_backend({item.pid})" for item in found[:3])
        return warning(name, seen, f"Wait for them, or end them: {ends}")
    if hidden:
        return untold(name, f"{hidden} sessions of other roles do not show how old their transactions are", cure)
    return passed(name, f"No transaction is older than {duration(old_seconds)}.")


def judge_prepared_transactions(found: Sequence[PreparedTransaction]) -> Check:
    """Say which transactions wait for their second phase."""
    name = "prepared_transactions"
    if not found:
        return passed(name, "No prepared transaction is open.")
    which = few(f"{literal(item.name)} (for {duration(item.age_seconds)})" for item in found)
    seen = f"Prepared transactions keep their locks until somebody ends them, and index builds wait for all of them: {which}."
    return warning(name, seen, f"COMMIT PREPARED {literal(found[0].name)}, or ROLLBACK PREPARED, as their coordinator meant it")


def judge_locks(found: Sequence[HeldLock]) -> Check:
    """Say who else is at the tables."""
    name = "locks"
    if not found:
        return passed(name, "Nobody holds a lock on the tables that a step would have to wait for, writers aside.")
    return warning(
        name, f"Somebody else is at the tables: {few(map(str, found), '; ')}.", "Wait until it has ended; the steps would wait, too."
    )


def judge_vacuum(tables: Sequence[Vacuum], cure: str) -> Check:
    """Say whether a vacuum is in the way that gives way to nobody, or soon will be."""
    name = "vacuum"
    stubborn = [item for item in tables if item.never_yields]
    if stubborn:
        at = few(f"{item.table} (pid {item.pid})" for item in stubborn)
        seen = f"Autovacuum against wraparound is at work and gives way to nobody: {at}."
        return warning(name, seen, "Wait for its end; pg_stat_progress_vacuum shows how far it is.")
    hidden = [item for item in tables if item.pid is not None and item.never_yields is None]
    if hidden:
        at = few(f"{item.table} (pid {item.pid})" for item in hidden)
        return untold(name, f"somebody holds vacuum's lock on {at}, and the role may not see whether it gives way", cure)
    near = [item for item in tables if item.frozen_share >= _NEAR]
    if near:
        seen = f"Autovacuum against wraparound may start at any moment, and gives way to nobody: {few(str(item.table) for item in near)}."
        return warning(
            name, seen, f"Run it first, at an hour of your choice: VACUUM (FREEZE) {few(qualified(item.table) for item in near)}"
        )
    running = [item for item in tables if item.pid is not None]
    if running:
        return passed(name, f"Autovacuum is at {few(str(item.table) for item in running)}, and gives way to the steps.")
    return passed(name, "No vacuum is in the way, and none against wraparound is near.")


def _words(mode: str) -> str:
    """Return a lock mode of pg_locks as SQL spells it: `ShareRowExclusiveLock` is SHARE ROW EXCLUSIVE."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock"))
    return spaced.strip().upper()
