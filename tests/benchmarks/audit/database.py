"""The database to measure on: in comes a server and a scale, out goes a filled database, brought into each state in turn."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import asyncpg

#: Rows at factor 1; ev_vehicles stays at 500.
ROWS = {
    "users": 1_000_000,
    "stations": 50_000,
    "user_vehicles": 1_500_000,
    "charging_sessions": 10_000_000,
    "reports": 3_000_000,
    "station_verifications": 5_000_000,
    "trust_events": 5_000_000,
}

#: The thirteen relationships of the documents: referencing table, column, referenced table.
RELATIONSHIPS = (
    ("charging_sessions", "station_id", "stations"),
    ("charging_sessions", "user_id", "users"),
    ("charging_sessions", "user_vehicle_id", "user_vehicles"),
    ("reports", "station_id", "stations"),
    ("reports", "user_id", "users"),
    ("reports", "reviewed_by", "users"),
    ("station_verifications", "station_id", "stations"),
    ("station_verifications", "user_id", "users"),
    ("trust_events", "user_id", "users"),
    ("trust_events", "source_user_id", "users"),
    ("stations", "added_by_user_id", "users"),
    ("user_vehicles", "user_id", "users"),
    ("user_vehicles", "ev_vehicle_id", "ev_vehicles"),
)


class State(StrEnum):
    """What a count can lean on."""

    VACUUMED = "indexed, vacuumed"
    UNVACUUMED = "indexed, not vacuumed"
    NO_INDEXES = "no indexes"


async def fill(connection: asyncpg.Connection, factor: float) -> None:
    """Create and fill the tables, without indexes on referencing columns; analysed, never vacuumed."""
    script = Path(__file__).with_name("generate.sql").read_text(encoding="utf-8")
    for name, rows in {**ROWS, "factor": factor}.items():
        script = script.replace(f"{{{name}}}", str(max(1, int(rows * factor)) if name != "factor" else factor))
    await connection.execute(script)
    await connection.execute("ANALYZE")
    await _note_orphans(connection)


async def _note_orphans(connection: asyncpg.Connection) -> None:
    """Note which rows VALIDATE would stop at, in a schema that no audit looks at."""
    await connection.execute("CREATE SCHEMA noted")
    for number, (table, column, referenced) in enumerate(RELATIONSHIPS):
        await connection.execute(
            f"CREATE TABLE noted.orphans_{number} AS SELECT id FROM public.{table} AS a WHERE a.{column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT FROM public.{referenced} AS b WHERE b.id = a.{column})"
        )


async def bring_into(connection: asyncpg.Connection, state: State) -> None:
    """Make the indexes and the visibility map what the state says. Each state contains those before it, whichever is asked for first."""
    if state is not State.NO_INDEXES:
        for statement in _indexes():
            await connection.execute(statement)
        await connection.execute("ANALYZE")
    if state is State.VACUUMED:
        await connection.execute("VACUUM (ANALYZE)")
    await connection.execute("CHECKPOINT")


def _indexes() -> Iterator[str]:
    for table, column, _ in RELATIONSHIPS:
        yield f"CREATE INDEX IF NOT EXISTS {table}_{column} ON public.{table} ({column})"
