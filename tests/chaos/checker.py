"""What must hold of a target whatever happened to who worked on it, asked in plain SQL and computed in plain Python.

Nothing of the service is imported here: a checker that shared its code would share its mistakes. A row is the tuple of its columns as
text; a table is the multiset of its rows. Every check raises AssertionError that says what is wrong, and adds to `counted`.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import asyncpg

from chaos.state import Key, Row, Rows, Saved, State, counted, quoted, read_backup, read_state

__all__ = ["Key", "Made", "Rows", "State", "counted", "read_backup", "read_state"]


def same(now: State, before: State) -> None:
    """I7, I12: two states are equal to the letter."""
    assert now.schema == before.schema, _difference(before.schema, now.schema)
    for table in before.rows.keys() | now.rows.keys():
        gone, come = before.rows[table] - now.rows[table], now.rows[table] - before.rows[table]
        counted.lost += sum(gone.values())
        assert not gone, f"{table}: {sum(gone.values())} rows are not as they were, {sum(come.values())} are new"
        assert not come, f"{table}: {sum(come.values())} rows too many"
    assert now.sequences == before.sequences
    counted.rows += before.row_count


def _difference(before: str, now: str) -> str:
    old, new = before.splitlines(), now.splitlines()
    return f"schema differs; gone: {[line for line in old if line not in new][:8]}, new: {[line for line in new if line not in old][:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a step of the plan makes, as the plan's author wrote it down: an index, a key, or a table without orphan rows."""

    kind: str
    name: str
    table: str
    columns: tuple[str, ...]


_THERE = {
    # A parent's index is invalid until those of all partitions are attached.
    "CREATE_INDEX": """SELECT bool_and(indisvalid OR relkind = 'I') FROM pg_index JOIN pg_class ON oid = indexrelid
        WHERE relname = $1 AND indrelid = $2::text::regclass""",
    "ATTACH_INDEX": """SELECT count(*) = 1 FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid JOIN pg_class ON oid = indexrelid
        WHERE relname = $1 AND indrelid = $2::text::regclass""",
    "ADD_FOREIGN_KEY": "SELECT count(*) = 1 FROM pg_constraint WHERE contype = 'f' AND conname = $1 AND conrelid = $2::text::regclass",
    "VALIDATE_FOREIGN_KEY": "SELECT convalidated FROM pg_constraint WHERE contype = 'f' AND conname = $1 AND conrelid = $2::text::regclass",
}


def conserved(
    before: State,
    now: State,
    saved: Iterable[Saved],
    *,
    keys: Iterable[Key] = (),
    written: Mapping[str, Rows] | None = None,
    removed: Mapping[str, Rows] | None = None,
) -> None:
    """I1: rows before ⊎ rows the application wrote = rows now ⊎ rows in the backup. A changed row counts as the one that it became.

    `written` and `removed`: what others did meanwhile, an update being both.
    """
    became = {(key.referencing, column): key.orphans for key in keys for column in key.columns if key.orphans not in ("", "delete", "null")}
    left: dict[str, Rows] = {table: before.rows[table] + (written or {}).get(table, Counter()) for table in before.rows}
    right: dict[str, Rows] = {table: now.rows[table] + (removed or {}).get(table, Counter()) for table in before.rows}
    for item in saved:
        right[item.table][item.row] += 1
        if item.action == "UPDATE":
            left[item.table][_as_changed(item, before.columns[item.table], became)] += 1
    for table in before.rows:
        gone, come = left[table] - right[table], right[table] - left[table]
        counted.lost += sum(gone.values())
        assert not gone, f"{table}: {sum(gone.values())} rows are neither there nor in the backup, such as key {min(map(_key, gone))}"
        assert not come, f"{table}: {sum(come.values())} rows are there and in the backup, such as key {min(map(_key, come))}"
    counted.rows += before.row_count


def _as_changed(item: Saved, columns: tuple[str, ...], became: Mapping[tuple[str, str], str]) -> Row:
    if item.left is not None:
        return item.left
    pairs = zip(columns, item.row, strict=True)
    return tuple(became.get((item.table, name)) if name in item.changed else value for name, value in pairs)


def _key(row: Row) -> str:
    return str(row[0])


def only_doomed(before: State, saved: Iterable[Saved], keys: tuple[Key, ...]) -> None:
    """I2: every row of the backup was an orphan row, or went along with one. Rows are told apart by their first column."""
    doomed = doomed_rows(before, keys)
    for item in saved:
        allowed = doomed.get(item.table, {})
        assert item.row[0] in allowed, f"{item.table}: row {item.row[0]} was saved, but it was no orphan and depends on none"
        assert item.action != "DELETE" or allowed[item.row[0]] == "delete", f"{item.table}: row {item.row[0]} should have been changed"


def doomed_rows(before: State, keys: tuple[Key, ...]) -> Mapping[str, Mapping[str | None, str]]:
    """Return which rows cleaning up must delete or change, by table and first column: brute force to the fixpoint."""
    doomed: dict[str, dict[str | None, str]] = {table: {} for table in before.rows}
    grows = True
    while grows:
        grows = False
        for key in keys:
            for row, fate in _met(before, key, doomed[key.referenced]):
                table = doomed[key.referencing]
                if table.get(row[0]) not in (fate, "delete"):
                    table[row[0]] = fate
                    grows = True
    return doomed


def _met(before: State, key: Key, gone: Mapping[str | None, str]) -> Iterable[tuple[Row, str]]:
    """Yield the rows of a key that reference what is gone, or nothing, and what becomes of them."""
    mine = [before.columns[key.referencing].index(name) for name in key.columns]
    theirs = [before.columns[key.referenced].index(name) for name in key.referenced_columns]
    once = {tuple(row[n] for n in theirs) for row in before.rows[key.referenced]}
    now = {tuple(row[n] for n in theirs) for row in before.rows[key.referenced] if gone.get(row[0]) != "delete"}
    for row in before.rows[key.referencing]:
        value = tuple(row[n] for n in mine)
        if None in value or value in now:
            continue
        # Never there: an orphan row. There until now: it goes along as the key says.
        orphans = "delete" if key.orphans == "delete" else "change" if key.orphans else ""
        fate = orphans if value not in once else {"cascade": "delete", "null": "change"}.get(key.on_delete, orphans)
        if fate:
            yield row, fate


def cleaned(before: State, now: State, keys: tuple[Key, ...]) -> None:
    """I2, the other way: exactly the doomed rows are gone, and all others are as they were."""
    doomed = doomed_rows(before, keys)
    for table, rows in before.rows.items():
        kept = Counter({row: count for row, count in rows.items() if row[0] not in doomed[table]})
        assert not kept - now.rows[table], f"{table}: rows are gone that nothing was wrong with"
        there = {row[0] for row in now.rows[table]}
        for key, fate in doomed[table].items():
            assert (key in there) == (fate == "change"), f"{table}: row {key} should have been {fate}d"


async def no_half_built_index(dsn: str) -> None:
    """I3: no index is invalid or not ready."""
    question = "SELECT string_agg(indexrelid::regclass::text, ', ') FROM pg_index WHERE NOT (indisvalid AND indisready)"
    found = await _ask(dsn, question)
    assert found is None, f"half-built indexes: {found}"


def keys_are_prefix(before: State, now: State, after: State) -> None:
    """I4: of the keys that the plan makes, those that are there are the first ones; nothing else changed about keys."""
    planned = [name for name in after.keys if name not in before.keys]
    present = [name for name in planned if name in now.keys]
    assert present == planned[: len(present)], f"keys {present} are not the first of {planned}"
    for name, definition in now.keys.items():
        allowed = {state.keys[name].removesuffix(" NOT VALID") for state in (before, after) if name in state.keys}
        assert definition.removesuffix(" NOT VALID") in allowed, f"key {name} is not of the plan: {definition}"


async def nothing_left(dsn: str, within: float = 5.0) -> None:
    """I5: some seconds after the service died no session of its is there, no advisory lock, no transaction that idles or is prepared."""
    questions = {
        "sessions": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'holdfast/%'",
        "advisory locks": """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        "idle transactions": """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'""",
        "prepared transactions": "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()",
    }
    connection = await asyncpg.connect(dsn)
    try:
        for what, question in questions.items():
            for _ in range(int(within / 0.05)):
                if not (found := await connection.fetchval(question)):
                    break
                await asyncio.sleep(0.05)
            assert not found, f"{found} {what} left {within:.0f} s after the service died"
    finally:
        await connection.close()


async def ledger_explains(dsn: str, *, finished: bool) -> None:
    """I6: nothing is done without having been begun, every batch is whole; when finished, all that was begun is done or undone."""
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT to_regclass('holdfast.backup') IS NOT NULL"):
            return
        entries = await connection.fetch("SELECT id, plan_id, step, entry, row_count FROM holdfast.ledger ORDER BY id")
        sizes = dict(await connection.fetch("SELECT batch, count(*) FROM holdfast.backup GROUP BY batch"))
        marked = await connection.fetchval("""
            SELECT count(*) FROM holdfast.backup AS saved WHERE restored_by IS NOT NULL AND NOT EXISTS (
              SELECT FROM holdfast.ledger WHERE id = saved.restored_by AND entry = 'RESTORED')""")
    finally:
        await connection.close()
    assert not marked, f"{marked} rows are marked as restored by what is no RESTORED entry"
    last: dict[tuple[str, int], str] = {}
    for entry in entries:
        step = (entry["plan_id"], entry["step"])
        if entry["entry"] in ("INTENT", "DONE", "UNDONE"):
            assert entry["entry"] == "INTENT" or step in last, f"step {step}: {entry['entry']} without INTENT"
            last[step] = entry["entry"]
        elif entry["entry"] == "BATCH":
            assert last.get(step) == "INTENT", f"batch {entry['id']} of a step that is {last.get(step, 'not begun')}"
            assert sizes.get(entry["id"], 0) == entry["row_count"], f"batch {entry['id']} says {entry['row_count']} rows"
    begun = [step for step, entry in last.items() if entry == "INTENT"]
    assert not (finished and begun), f"steps {begun} have an INTENT and no end"


async def done_means_there(dsn: str, steps: Mapping[int, Made], keys: tuple[Key, ...]) -> None:
    """I6: what the ledger calls DONE is there: the index valid, the key declared or validated, and no orphan row left."""
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT to_regclass('holdfast.backup') IS NOT NULL"):
            return
        done = """
            SELECT DISTINCT ON (step) step, entry FROM holdfast.ledger WHERE entry IN ('INTENT', 'DONE', 'UNDONE') ORDER BY step, id DESC"""
        for row in await connection.fetch(done):
            made = steps[row["step"]]
            if row["entry"] != "DONE":
                continue
            if made.kind in _THERE:
                is_there = await connection.fetchval(_THERE[made.kind], made.name, made.table)
                assert is_there, f"step {row['step']} is DONE, but {made.kind} {made.name} is not there"
            for key in keys if made.kind == "CLEAN_UP" else ():
                assert key.referencing != made.table or not key.orphans or not await _orphans(connection, key, made.columns), (
                    f"step {row['step']} is DONE, but there are orphan rows of {made.table}"
                )
    finally:
        await connection.close()


async def _orphans(connection: asyncpg.Connection, key: Key, columns: tuple[str, ...]) -> int:
    if key.columns != columns:
        return 0
    mine, theirs = quoted(key.columns[0]), quoted(key.referenced_columns[0])
    question = f"SELECT count(*) FROM {key.referencing} WHERE {mine} IS NOT NULL AND {mine} NOT IN (SELECT {theirs} FROM {key.referenced})"
    return int(await connection.fetchval(question))


async def audit_log_intact(store: str) -> None:
    """I6: the audit log's hashes, recomputed from the first entry, and no gap in its numbers."""
    connection = await asyncpg.connect(store)
    try:
        entries = await connection.fetch("SELECT * FROM holdfastd.audit_log ORDER BY sequence")
    finally:
        await connection.close()
    previous = ""
    for number, entry in enumerate(entries, start=1):
        assert entry["sequence"] == number, f"entry {number} of the audit log is missing"
        previous = _hash(previous, entry)
        assert entry["hash"] == previous, f"entry {number} of the audit log was changed"


def _hash(previous: str, entry: Any) -> str:
    time = entry["time"].astimezone(UTC).isoformat(timespec="microseconds")
    texts = [entry[name] for name in ("principal", "action", "database", "subject", "outcome")]
    details = json.loads(entry["details"])
    content = json.dumps([entry["sequence"], time, *texts, details], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256((previous + content).encode()).hexdigest()


async def _ask(dsn: str, question: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()
