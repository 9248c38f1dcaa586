"""An application at work, in a process of its own: python load.py DSN RATE. Ends at SIGTERM and prints what it met as JSON.

Open loop: statements are due at fixed times whatever became of the earlier ones, and a statement's time runs from when it was due.
A stall is thus seen by every statement that should have run meanwhile, as users would see it.
"""

import asyncio
import json
import random
import signal
import sys
import time

import asyncpg

_CONNECTIONS = 16


class Application:
    """Readers and writers over a few connections."""

    def __init__(self, dsn: str, rate: float) -> None:
        self._dsn = dsn
        self._rate = rate
        self._chance = random.Random(1)
        self._due: asyncio.Queue[tuple[float, str, tuple[object, ...]]] = asyncio.Queue()
        self._began = 0.0
        #: (seconds since the beginning, seconds from due to done, what).
        self.done: list[tuple[float, float, str]] = []
        self.failed: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        connections = [await asyncpg.connect(self._dsn, server_settings={"application_name": "bench-load"}) for _ in range(_CONNECTIONS)]
        self._stations, self._users, self._sessions = [
            await connections[0].fetchval(f"SELECT max(id) FROM {table}") for table in ("stations", "users", "charging_sessions")
        ]
        self._began = time.monotonic()
        workers = [asyncio.create_task(self._work(connection)) for connection in connections]
        number = 0
        while not stop.is_set():
            number += 1
            due = self._began + number / self._rate
            await asyncio.sleep(max(due - time.monotonic(), 0))
            self._due.put_nowait((due, *self._statement()))
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for connection in connections:
            connection.terminate()

    async def _work(self, connection: asyncpg.Connection) -> None:
        while True:
            due, sql, parameters = await self._due.get()
            try:
                await connection.execute(sql, *parameters)
            except asyncpg.PostgresError as error:
                self.failed[error.sqlstate] = self.failed.get(error.sqlstate, 0) + 1
            now = time.monotonic()
            self.done.append((now - self._began, now - due, sql))

    def _statement(self) -> tuple[str, tuple[object, ...]]:
        """Return the next statement: four of ten read, the others write to referencing and referenced tables."""
        station, user = self._chance.randint(1, self._stations), self._chance.randint(1, self._users)
        statements = (
            ("SELECT * FROM stations WHERE id = $1", (station,)),
            ("SELECT * FROM charging_sessions WHERE id = $1", (self._chance.randint(1, self._sessions),)),
            ("SELECT * FROM users WHERE id = $1", (user,)),
            ("SELECT id, name FROM stations WHERE id BETWEEN $1 AND $1 + 10", (station,)),
            ("INSERT INTO charging_sessions (station_id, user_id, energy_kwh, start_time) VALUES ($1, $2, 1, now())", (station, user)),
            ("UPDATE charging_sessions SET energy_kwh = energy_kwh + 1 WHERE id = $1", (self._chance.randint(1, self._sessions),)),
            ("INSERT INTO reports (station_id, status, created_at) VALUES ($1, 'BROKEN', now())", (station,)),
            ("INSERT INTO trust_events (user_id, delta) VALUES ($1, 1)", (user,)),
            ("UPDATE stations SET updated_at = now() WHERE id = $1", (station,)),
            ("UPDATE users SET trust_score = trust_score + 1 WHERE id = $1", (user,)),
        )
        return self._chance.choice(statements)


async def main() -> None:
    """Work until SIGTERM, then print what was met."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    application = Application(sys.argv[1], float(sys.argv[2]))
    await application.run(stop)
    print(json.dumps({"done": application.done, "failed": application.failed}))


if __name__ == "__main__":
    asyncio.run(main())
