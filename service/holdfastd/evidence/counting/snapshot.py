"""One snapshot for several sessions: in comes a session to hold it, out goes its id for the others to read under.

Without it, two counts of one audit may see the database a moment apart; that is all. Whatever goes wrong here, counting goes on.
"""

import asyncio

import asyncpg

from holdfastd.target.errors import FAILURES

#: So long one snapshot holds back vacuum before a younger one takes its place.
BUDGET_SECONDS = 60.0
#: Later the server ends the holder by itself, should its client hang.
_SLACK_SECONDS = 15.0


class SharedSnapshot:
    """The snapshot that counts begin under. Its id is empty while there is none."""

    def __init__(self, connection: asyncpg.Connection, *, budget_seconds: float = BUDGET_SECONDS) -> None:
        """Take the session that will hold the snapshot, and nothing else."""
        self._connection = connection
        self._budget = budget_seconds
        self._asked = asyncio.Event()
        self._id = ""

    async def id(self) -> str:
        """Return the id of the snapshot of the moment; empty when there is none to share."""
        await self._asked.wait()
        return self._id

    async def hold(self) -> None:
        """Export a snapshot, and a new one whenever the budget is spent; end when the server refuses."""
        try:
            while True:
                async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                    limit = str(int((self._budget + _SLACK_SECONDS) * 1000))
                    await self._connection.execute("SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true)", limit)
                    self._id = await self._connection.fetchval("SELECT pg_catalog.pg_export_snapshot()")
                    self._asked.set()
                    await asyncio.sleep(self._budget)
        except FAILURES:
            return
        finally:
            self._id = ""
            self._asked.set()
