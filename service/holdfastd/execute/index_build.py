"""Building one index concurrently, so that however it ends no half-built index of ours stays, and none of somebody else goes.

A half-built index is ours when the ledger says that this step was begun before and table, columns and method are the plan's.
"""

import contextlib
from dataclasses import dataclass

import asyncpg

from holdfastd.errors import Cancelled, Reason, Refused
from holdfastd.execute import ledger
from holdfastd.execute.failpoints import reach
from holdfastd.execute.reporter import Reporter
from holdfastd.execute.session import TargetSession
from holdfastd.execute.statement import run_locked
from holdfastd.jobs.model import EventKind, Happening, Progress
from holdfastd.names import identifier
from holdfastd.plan.model import LockLevel, LockPolicy, Step, TableLock
from holdfastd.target.errors import is_connection_lost, is_gone, is_raised_by_code, sqlstate

#: This run wrote one INTENT; another one is of an earlier run.
_BEGUN_BEFORE = """
SELECT count(*) > 1
FROM holdfast.ledger AS entry
WHERE entry.plan_id = $1 AND entry.step = $2 AND entry.entry = 'INTENT'
  AND NOT EXISTS (
    SELECT FROM holdfast.ledger AS later
    WHERE later.plan_id = entry.plan_id AND later.step = entry.step AND later.entry = 'UNDONE' AND later.id > entry.id)
"""
_NAMED = """
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_catalog.pg_index AS index ON index.indexrelid = relation.oid
WHERE namespace.nspname = $1 AND relation.relname = $2
"""
_IS_TAKEN = f"SELECT EXISTS (SELECT {_NAMED})"
_IS_INVALID = f"SELECT EXISTS (SELECT {_NAMED} AND NOT (index.indisvalid AND index.indisready))"


@dataclass(slots=True, kw_only=True)
class IndexBuild:
    """One CREATE_INDEX step being worked on."""

    session: TargetSession
    reporter: Reporter
    plan_id: str
    step: Step
    progress: Progress
    #: We, now or before, began to build what has the name.
    is_begun: bool = False

    async def run(self) -> None:
        """Build the index. Refused when something else has its name, or when it could not be built in time."""
        self.is_begun = bool(await self.session.work.fetchval(_BEGUN_BEFORE, self.plan_id, self.step.number))
        if not self.is_begun and await self.session.work.fetchval(_IS_TAKEN, self._schema, self.step.object_name):
            raise await self._not_ours()
        statement = self.step.statements[0]
        try:
            await run_locked(
                self.session,
                self.reporter,
                statement.lock_policy,
                self.step.number,
                self._attempt,
                transactional=False,
                locks=statement.locks,
                progress=self.progress,
            )
        except asyncpg.DuplicateTableError as error:
            raise await self._not_ours() from error
        except (Cancelled, Refused):
            await self._leave_nothing()
            raise
        except asyncpg.PostgresError as error:
            if is_connection_lost(error):
                raise
            await self._leave_nothing()
            if not is_raised_by_code(error) or is_gone(error):
                raise
            raise _cannot_be_built(self.step, error) from error

    async def _not_ours(self) -> Refused:
        """Take the intent back, so that the next run does not take for ours what has the name, and return the refusal."""
        await ledger.write(self.session, self.plan_id, self.step.number, "UNDONE")
        return name_is_taken(self.step)

    async def _attempt(self) -> None:
        await self._drop_half_built()
        await reach("CREATE_INDEX.before_exec")
        self.is_begun = True
        await self.session.work.execute(self.step.statements[0].sql)

    async def _drop_half_built(self) -> None:
        if await self._is_half_built():
            name = f"{identifier(self._schema)}.{identifier(self.step.object_name)}"
            await self.session.work.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")

    async def _is_half_built(self) -> bool:
        if not self.is_begun or not await self.session.work.fetchval(self.step.undo_when):
            return False
        return bool(await self.session.work.fetchval(_IS_INVALID, self._schema, self.step.object_name))

    async def _leave_nothing(self) -> None:
        """Drop what was half built, for a while even while somebody is in the way; who cancelled wants it gone, too."""
        if not await self._is_half_built():
            return
        # Dropping concurrently waits for whoever uses the table at all.
        waited_for = tuple(TableLock(table=lock.table, level=LockLevel.ACCESS_EXCLUSIVE) for lock in self.step.statements[0].locks)
        try:
            await run_locked(
                self.session,
                _Undeterred(self.reporter),
                LockPolicy.NONE,
                self.step.number,
                self._drop_half_built,
                transactional=False,
                locks=waited_for,
            )
        except Refused as error:
            message = (
                f"Index {self.step.object_name} stays half built, blocked by {error.facts.get('blocker', '')}; until it is dropped"
                " it costs writes and serves nobody. Applying the plan again, or rolling it back, drops it."
            )
            await self.reporter.record(Happening(kind=EventKind.LOCK_WAIT, message=message, step=self.step.number))

    @property
    def _schema(self) -> str:
        if self.step.table is None:
            raise AssertionError
        return self.step.table.schema


def name_is_taken(step: Step) -> Refused:
    """Return the refusal when something else has the name of what a step makes; it is never touched."""
    message = f"{step.title}: something else of the name {step.object_name} appeared since the plan was made; make a new plan."
    return Refused(message, reason=Reason.STEP_FAILED, facts={"name": step.object_name})


def _cannot_be_built(step: Step, error: asyncpg.PostgresError) -> Refused:
    """Say that PostgreSQL cannot build an index over these values. Its own text would show some."""
    state = sqlstate(error)
    if isinstance(error, asyncpg.ProgramLimitExceededError):
        message = (
            f"{step.title}: a value is too long for a btree index (SQLSTATE {state}); no index was left behind. Shorten the value, or make"
            f" a new plan without {step.relationship_id} (`include: false` in its policy)."
        )
    else:
        message = (
            f"{step.title}: the index cannot be built (SQLSTATE {state}); the log of the server says why. No index was left behind. Cure"
            " it, then apply the plan again."
        )
    return Refused(message, reason=Reason.STEP_FAILED, facts={"sqlstate": state})


@dataclass(frozen=True, slots=True)
class _Undeterred:
    """The reporter of a job that was cancelled and still has to put something right."""

    reporter: Reporter

    @property
    def progress(self) -> Progress | None:
        return self.reporter.progress

    @property
    def paused_by(self) -> str:
        return ""

    async def record(self, happening: Happening, *, progress: Progress | None = None) -> None:
        await self.reporter.record(happening, progress=progress)

    def raise_if_stopped(self) -> None:
        with contextlib.suppress(Cancelled):
            self.reporter.raise_if_stopped()

    async def heard(self, *, within: float) -> None:
        await self.reporter.heard(within=within)
