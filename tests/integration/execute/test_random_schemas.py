"""Random databases are repaired and put back. What must hold is checked in Python over all rows, by code that shares none with the engine.

HOLDFAST_RANDOM_SEEDS says how many seeds (`200`) or which (`1000-1200`); without it, those that once found something.
"""

import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.errors import Reason, Refused
from holdfastd.execute import clean_up
from holdfastd.execute.pace import Pace
from holdfastd.flows import migrations, run_audit
from holdfastd.inference.model import Candidate
from holdfastd.jobs.model import Job
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.model import OrphanAction, Override
from holdfastd.store.model import PlanRecord
from integration.execute.random_schemas import RandomDatabase, RandomKey, RandomTable, make_database, quote
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

Row = dict[str, object]
Rows = dict[tuple[str, str], list[Row]]


def seeds() -> list[int]:
    """Return the seeds to run."""
    first, _, last = os.environ.get("HOLDFAST_RANDOM_SEEDS", "").partition("-")
    if not first:
        return [12, 22, 40, 63, 70, 130, 144, 161, 345, 459, 629, 667, 758, 5, 6]
    return list(range(int(first), int(last)) if last else range(int(first)))


@pytest.fixture(scope="module")
async def replica(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as running:
        yield running


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("seed", seeds())
async def test_random_schema_is_repaired_and_put_back(
    seed: int, postgres: Server, database: str, connection: asyncpg.Connection, replica: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No orphan row stays where none may, every row is in its table or in the backup, and rolling back leaves an equal database."""
    chance = random.Random(seed)
    made = make_database(chance)
    await build(connection, made)
    if chance.random() < 0.5:
        monkeypatch.setattr(clean_up, "Pace", _Small)
        monkeypatch.setattr(clean_up, "WINDOW_BLOCKS", 1)
    monkeypatch.setattr(run_audit, "conclude", lambda catalog, *_: candidates(catalog, made))
    name = await replica.register(database, f"seed-{seed}")
    await replica.audit(name)
    before, rows_before = await state_of(postgres, database), await read(connection, made)

    decisions = {id_of(key): chosen for key in made.keys if not key.declared and (chosen := decide(chance, key))}
    plan = await plan_for(replica, name, decisions, chance)
    if plan is None:
        return
    application = await replica.end(await migrations.apply(replica.services, CALLER, plan.id))
    rows_after = await read(connection, made)
    await check_applied(connection, made, plan, application, rows_before, rows_after)

    await replica.roll_back(application)
    assert await state_of(postgres, database) == before
    if application.state == "FAILED":
        # Nothing of what a random plan asks for should surprise the engine so late.
        pytest.fail(f"{application.error_reason}: {application.error_message}")


class _Small(Pace):
    """Batches so small that little tables need many."""

    def __init__(self) -> None:
        super().__init__(batch=2)

    def learn(self, held_seconds: float) -> None:
        """Stay small."""


async def build(connection: asyncpg.Connection, made: RandomDatabase) -> None:
    for statement in made.statements:
        await connection.execute(statement)


def candidates(catalog: Catalog, made: RandomDatabase) -> tuple[Candidate, ...]:
    """Return the undeclared relationships, as inference would when it found them all."""
    declared = {(key.referencing, key.referenced) for key in catalog.foreign_keys}
    found = {(column_set(key.referencing, key.columns), column_set(key.referenced, key.key.columns)): None for key in made.keys}
    return tuple(
        Candidate(referencing=referencing, referenced=referenced, confidence=0.5, evidence=())
        for referencing, referenced in found
        if (referencing, referenced) not in declared
    )


def column_set(table: RandomTable, columns: tuple[str, ...]) -> ColumnSet:
    return ColumnSet(TableName(table.schema, table.name), columns)


def id_of(key: RandomKey) -> str:
    return f"{column_set(key.referencing, key.columns)}->{column_set(key.referenced, key.key.columns)}"


def decide(chance: random.Random, key: RandomKey) -> Override | None:
    if chance.random() < 0.1:
        return None
    return Override(
        relationship_id=id_of(key),
        include=True,
        on_delete=chance.choice([OnDelete.CASCADE] * 3 + [OnDelete.SET_NULL] * 2 + [OnDelete.RESTRICT, OnDelete.NO_ACTION]),
        orphan_action=chance.choice([OrphanAction.DELETE] * 4 + [OrphanAction.SET_NULL] * 3 + [OrphanAction.LEAVE]),
    )


async def plan_for(replica: Harness, name: str, decisions: dict[str, Override], chance: random.Random) -> PlanRecord | None:
    """Return a plan; what cannot be done is left out of it, one by one."""
    while decisions:
        try:
            return await replica.plan(name, *decisions.values())
        except Refused as refusal:
            if refusal.reason is Reason.PLAN_EMPTY:
                return None
            if refusal.reason is not Reason.PLAN_INFEASIBLE:
                raise
            wrong = refusal.facts["relationship_id"]
            old = decisions.pop(wrong)
            if old.on_delete is not OnDelete.CASCADE or old.orphan_action is not OrphanAction.LEAVE:
                decisions[wrong] = Override(
                    relationship_id=wrong,
                    include=True,
                    on_delete=OnDelete.CASCADE,
                    orphan_action=OrphanAction.LEAVE if old.on_delete is OnDelete.CASCADE else old.orphan_action,
                )
    return None


async def read(connection: asyncpg.Connection, made: RandomDatabase) -> Rows:
    return {
        (table.schema, table.name): [
            json.loads(row["row"]) for row in await connection.fetch(f"SELECT to_jsonb(r) AS row FROM ONLY {table.sql} AS r")
        ]
        for table in made.tables
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A row of the backup."""

    table: tuple[str, str]
    action: str
    row: Row
    changed: tuple[str, ...]


async def read_backup(connection: asyncpg.Connection, plan_id: str) -> list[Saved]:
    """Return the backup, the last batch first."""
    found = []
    query = (
        "SELECT b.table_schema, b.table_name, b.action, b.row_image, b.changed_columns FROM holdfast.backup b"
        " JOIN holdfast.ledger l ON l.id = b.batch WHERE l.plan_id = $1 AND b.restored_by IS NULL ORDER BY b.batch DESC"
    )
    for row in await connection.fetch(query, plan_id):
        table = f"{quote(row['table_schema'])}.{quote(row['table_name'])}"
        image = await connection.fetchval(f"SELECT to_jsonb($1::text::{table})", row["row_image"])
        found.append(
            Saved(
                table=(row["table_schema"], row["table_name"]),
                action=row["action"],
                row=json.loads(image),
                changed=tuple(row["changed_columns"]),
            )
        )
    return found


async def check_applied(
    connection: asyncpg.Connection, made: RandomDatabase, plan: PlanRecord, application: Job, before: Rows, after: Rows
) -> None:
    saved = await read_backup(connection, plan.id)
    assert frozen(rewind(after, saved)) == frozen(before)
    included = {decision.relationship_id: decision for decision in plan.plan.decisions if decision.included}
    keys = [key for key in made.keys if id_of(key) in included]
    doomed = may_go(made, included, before)
    for each in saved:
        if each.action == "DELETE":
            assert any(is_same(each.row, json.loads(row)) for row in doomed[each.table]), f"no orphan row, and no dependent of one: {each}"
    if application.state != "SUCCEEDED":
        return
    assert sum(item.backed_up_rows for item in application.verifications) == len(saved)
    for key in keys:
        decision = included[id_of(key)]
        orphan_rows = orphans(key, after)
        valid = await connection.fetchval(
            "SELECT convalidated FROM pg_constraint WHERE conrelid = $1::text::regclass AND conname = $2",
            key.referencing.sql,
            decision.constraint_name,
        )
        assert valid is (decision.orphan_action is not OrphanAction.LEAVE or decision.orphan_rows == 0), id_of(key)
        if valid:
            assert not orphan_rows, id_of(key)


def rewind(after: Rows, saved: list[Saved]) -> Rows:
    """Return the rows as they were, from what is there and from the backup."""
    rows = {table: [dict(row) for row in group] for table, group in after.items()}
    for each in saved:
        if each.action == "UPDATE":
            now = {**each.row, **dict.fromkeys(each.changed)}
            assert now in rows[each.table], f"{now} is not there"
            rows[each.table].remove(now)
        rows[each.table].append(each.row)
    return rows


def may_go(made: RandomDatabase, included: dict[str, object], before: Rows) -> dict[tuple[str, str], set[str]]:
    """Return the rows that may be deleted: orphan rows and what cascades from them, to the fixpoint."""
    gone: dict[tuple[str, str], set[str]] = {table: set() for table in before}
    while True:
        left = {table: [row for row in rows if canonical(row) not in gone[table]] for table, rows in before.items()}
        found = 0
        for key in made.keys:
            decision = included.get(id_of(key))
            first = decision is not None and decision.orphan_action is OrphanAction.DELETE
            cascades = (key.declared and key.on_delete == "CASCADE") or (
                decision is not None and not key.declared and decision.on_delete is OnDelete.CASCADE
            )
            table = (key.referencing.schema, key.referencing.name)
            were = {canonical(row) for row in orphans(key, before)}
            for row in orphans(key, left):
                if first or (cascades and canonical(row) not in were):
                    gone[table].add(canonical(row))
                    found += 1
        if not found:
            return gone


def is_same(row: Row, earlier: Row) -> bool:
    """Tell whether a row is an earlier one, of which columns may have been set NULL before it was deleted."""
    return all(value in (None, earlier[name]) for name, value in row.items())


def orphans(key: RandomKey, rows: Rows) -> list[Row]:
    """Return orphan rows by comparing everything with everything."""
    there = {
        tuple(plain(row[name], kind) for name, kind in zip(key.key.columns, key.key.types, strict=True))
        for row in rows[key.referenced.schema, key.referenced.name]
    }
    found = []
    for row in rows[key.referencing.schema, key.referencing.name]:
        values = [row[name] for name in key.columns]
        if None in values:
            continue
        kinds = ["char" if "char(6)" in (own, kind) else own for own, kind in zip(kinds_of(key), key.key.types, strict=True)]
        if tuple(plain(value, kind) for value, kind in zip(values, kinds, strict=True)) not in there:
            found.append(row)
    return found


def kinds_of(key: RandomKey) -> list[str]:
    return [key.referencing.foreign[name] for name in key.columns]


def plain(value: object, kind: str) -> object:
    """A char(n) compares without the blanks at its end, and so does what is compared with it."""
    return value.rstrip(" ") if kind.startswith("char") and isinstance(value, str) else value


def canonical(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def frozen(rows: Rows) -> dict[tuple[str, str], Counter[str]]:
    return {table: Counter(map(canonical, group)) for table, group in rows.items()}
