"""Applying while the application keeps writing: nobody meets an error but the new keys' own, and every row is accounted for."""

import asyncio
import random
from dataclasses import dataclass, field

import asyncpg

from holdfast import Holdfast
from samples.load import load_sample
from support.service import apply_default_plan, final, register

#: What the new keys may answer a writer: the row it references is gone, or rows reference the one it deletes.
_EXPECTED = (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)


@dataclass
class Writer:
    """A session of the application that inserts, updates and deletes on the affected tables, and remembers what it did."""

    dsn: str
    seed: int
    stopping: asyncio.Event
    inserted: set[int] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    statements: int = 0
    rejected: int = 0

    async def run(self) -> None:
        connection = await asyncpg.connect(self.dsn)
        dice = random.Random(self.seed)
        while not self.stopping.is_set():
            try:
                await self.write(connection, dice)
                self.statements += 1
            except _EXPECTED:
                self.rejected += 1
            except asyncpg.PostgresError as error:
                self.unexpected.append(repr(error))
            await asyncio.sleep(0.002)
        await connection.close()

    async def write(self, connection: asyncpg.Connection, dice: random.Random) -> None:
        station = dice.randint(1, 200)
        match dice.randint(0, 4):
            case 0:
                insert = "INSERT INTO reports (station_id, status, reason) VALUES ($1, 'OPEN', 'writer') RETURNING id"
                self.inserted.add(await connection.fetchval(insert, station))
            case 1:
                await connection.execute("UPDATE reports SET reason = reason || '.' WHERE station_id = $1", station)
            case 2:
                await connection.execute("UPDATE stations SET city = city || '.' WHERE id = $1", station)
            case 3:
                await connection.execute("DELETE FROM charging_sessions WHERE id = $1", dice.randint(1, 3000))
            case _:
                await connection.execute("UPDATE users SET first_name = 'X' WHERE id = (SELECT id FROM users LIMIT 1 OFFSET $1)", station)


async def test_apply_under_writers(client: Holdfast, database: str) -> None:
    """Keys end validated; of all rows that were there or written, each is in the table or in the backup, never in neither."""
    await load_sample(database, "ev_charging")
    connection = await asyncpg.connect(database)
    present = {row["id"] for row in await connection.fetch("SELECT id FROM reports")}
    await register(client, "busy", database)
    await final(client.audit("busy"))
    stopping = asyncio.Event()
    writers = [Writer(database, seed, stopping) for seed in range(3)]
    running = [asyncio.create_task(writer.run()) for writer in writers]
    await asyncio.sleep(0.5)

    _, application = await apply_default_plan(client, "busy")
    await asyncio.sleep(0.3)
    stopping.set()
    await asyncio.gather(*running)
    there = {row["id"] for row in await connection.fetch("SELECT id FROM reports")}
    saved = {
        int(row["id"])
        for row in await connection.fetch(
            "SELECT (row_image::public.reports).id FROM holdfast.backup WHERE table_name = 'reports' AND action = 'DELETE'"
        )
    }
    orphans = "SELECT count(*) FROM reports AS r WHERE NOT EXISTS (SELECT FROM stations AS s WHERE s.id = r.station_id)"

    assert [error for writer in writers for error in writer.unexpected] == []
    assert sum(writer.statements for writer in writers) > 100
    assert {item.validated for item in application.verifications} == {True}
    assert await connection.fetchval(orphans) == 0
    assert there | saved == present.union(*(writer.inserted for writer in writers))
    assert there & saved == set()
    assert len(saved) >= 8
    await connection.close()
    await client.remove_database("busy")
