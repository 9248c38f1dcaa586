"""Settings and triggers of the whole database that a plan would meet."""

from collections.abc import Mapping, Sequence

import asyncpg

from holdfastd.errors import Reason
from holdfastd.names import readable
from holdfastd.target.preflight.check import Check, blocks_application, few, passed, warning
from holdfastd.target.preflight.look import look
from holdfastd.target.preflight.needs import Needs
from holdfastd.target.preflight.relations import Relations

_EVENT_TRIGGERS = """
SELECT event_trigger.evtname AS name, event_trigger.evtevent AS event
FROM pg_catalog.pg_event_trigger AS event_trigger
WHERE event_trigger.evtenabled <> 'D' AND event_trigger.evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop')
  AND (event_trigger.evttags IS NULL OR event_trigger.evttags && ARRAY['ALTER TABLE', 'CREATE INDEX', 'CREATE SCHEMA', 'CREATE TABLE'])
ORDER BY event_trigger.evtname
"""
# What the role, the database or the server sets; our own SET does not show in reset_val.
_SETTINGS = """
SELECT setting.name, setting.reset_val AS value
FROM pg_catalog.pg_settings AS setting
WHERE setting.name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',
                       'synchronous_commit', 'track_counts', 'autovacuum', 'max_locks_per_transaction', 'max_connections',
                       'max_prepared_transactions')
"""
_INDEXES = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_index AS index WHERE index.indrelid = ANY ($1::pg_catalog.oid[])"
_ROOMY = 0.5
_OVERRIDDEN = {
    "lock_timeout": "0",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronous_commit": "on",
}


async def check_settings(connection: asyncpg.Connection, needs: Needs, relations: Relations) -> list[Check]:
    """Check what the whole database is set to."""

    async def event_triggers(session: asyncpg.Connection) -> Check:
        return judge_event_triggers([f"{readable(row['name'])} ({row['event']})" for row in await session.fetch(_EVENT_TRIGGERS)])

    async def session_settings(session: asyncpg.Connection) -> Check:
        return judge_session_settings(await _read(session))

    async def autovacuum(session: asyncpg.Connection) -> Check:
        return judge_autovacuum(await _read(session))

    async def counting(session: asyncpg.Connection) -> Check:
        return judge_counting(await _read(session), cleans_up=bool(needs.cleaned))

    async def lock_table(session: asyncpg.Connection) -> Check:
        oids = relations.oids_of(needs.tables)
        return judge_lock_table(await _read(session), len(oids) + await session.fetchval(_INDEXES, oids))

    return [
        await look(connection, "event_triggers", event_triggers),
        await look(connection, "session_settings", session_settings),
        await look(connection, "autovacuum", autovacuum),
        await look(connection, "counting", counting),
        await look(connection, "lock_table", lock_table),
    ]


async def _read(connection: asyncpg.Connection) -> Mapping[str, str]:
    return {row["name"]: row["value"] for row in await connection.fetch(_SETTINGS)}


def judge_event_triggers(found: Sequence[str]) -> Check:
    """Say whose code runs on the plan's DDL."""
    name = "event_triggers"
    if not found:
        return passed(name, "No event trigger fires on what the plan does.")
    seen = f"Event triggers will run on the plan's ALTER TABLE and CREATE INDEX, and may forbid or lengthen them: {few(found)}."
    return warning(name, seen, "Ask their author, or disable them for the time of the application: ALTER EVENT TRIGGER … DISABLE")


def judge_session_settings(settings: Mapping[str, str]) -> Check:
    """Say what would have stopped the steps, were it not overridden."""
    set_by_others = [f"{key} = {settings[key]}" for key, usual in _OVERRIDDEN.items() if settings.get(key, usual) != usual]
    if set_by_others:
        return passed(
            "session_settings", f"Set for the role or the server, and overridden in Holdfast's own sessions: {', '.join(set_by_others)}."
        )
    return passed("session_settings", "No timeout of the role or the server has to be overridden.")


def judge_autovacuum(settings: Mapping[str, str]) -> Check:
    """Say whether somebody cleans up behind the cleanup."""
    name = "autovacuum"
    off = [key for key in ("autovacuum", "track_counts") if settings.get(key) == "off"]
    if not off:
        return passed(name, "Autovacuum will remove what a cleanup leaves.")
    seen = f"{' and '.join(off)} {'are' if len(off) > 1 else 'is'} off: nothing removes the dead rows that a cleanup leaves."
    return warning(name, seen, "Turn it on, or run VACUUM (ANALYZE) on the tables after the application.")


def judge_counting(settings: Mapping[str, str], *, cleans_up: bool) -> Check:
    """What triggers change besides is told by the server's own counters."""
    name = "counting"
    if not cleans_up or settings.get("track_counts") != "off":
        return passed(name, "Nothing keeps the steps from counting what triggers change besides.")
    seen = "track_counts is off: nobody could tell whether triggers delete rows that are in no backup."
    return blocks_application(name, Reason.STEP_FAILED, seen, "Turn track_counts on for the server, the database and the role.")


def judge_lock_table(settings: Mapping[str, str], needed: int) -> Check:
    """One statement on a partitioned table locks every partition and index of it; the lock table is everybody's."""
    name = "lock_table"
    sessions = int(settings["max_connections"]) + int(settings["max_prepared_transactions"])
    capacity = int(settings["max_locks_per_transaction"]) * sessions
    if needed <= capacity * _ROOMY:
        return passed(name, f"The steps lock {needed} tables and indexes at most; the lock table holds {capacity:,}.")
    seen = f"The steps may lock {needed:,} tables and indexes at once; the lock table holds {capacity:,}, for all sessions together."
    return warning(name, seen, "Raise max_locks_per_transaction (takes a restart): when it is full, other sessions fail, too.")
