"""What a job that did not succeed leaves behind, in words: in come its error and its session, out goes the error with what is in force.

Facts come from the catalog and the ledger of the target, never from what was planned or told.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg

from holdfastd.errors import Cancelled, HoldfastError, Reason
from holdfastd.execute import ledger
from holdfastd.jobs.model import Job, JobKind, Progress
from holdfastd.names import qualified
from holdfastd.plan.model import Plan, Step, StepKind
from holdfastd.sql import load_queries
from holdfastd.target.errors import FAILURES

_QUERIES = load_queries("holdfastd.execute", "explain.sql")
_LONGEST_SECONDS = 10.0
#: Names in one list.
_SHOWN = 5
#: Applying the same plan again would only fail again.
_NEEDS_NEW_PLAN = frozenset({Reason.PLAN_DRIFTED, Reason.PLAN_STATE, Reason.TARGET_CHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What Holdfast made for a plan and what is there now."""

    not_validated: tuple[str, ...] = ()
    validated: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    invalid_indexes: tuple[str, ...] = ()
    #: Rows that are in the backup and not put back.
    backed_up: int = 0

    @property
    def is_nothing(self) -> bool:
        """Tell whether the target is as if the plan had never been applied."""
        return self == InForce()


async def explain(error: HoldfastError, connection: asyncpg.Connection, job: Job, progress: Progress, plan: Plan) -> HoldfastError:
    """Return the error of a job, its message followed by what is in force now and what to do next."""
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            left = await read_in_force(connection, job.plan_id, plan)
    except FAILURES:
        return unexplained(error, job)
    return _extended(error, job, progress, describe(left, job.kind), nothing_left=left.is_nothing)


def unexplained(error: HoldfastError, job: Job) -> HoldfastError:
    """Return the error of a job whose target cannot be asked."""
    return _extended(error, job, Progress(), "What is in force could not be read.", nothing_left=False)


async def read_in_force(connection: asyncpg.Connection, plan_id: str, plan: Plan) -> InForce:
    """Read which keys, indexes and backed-up rows of a plan are there, of those that were begun."""
    if not await ledger.exists(connection):
        return InForce()
    begun = await ledger.begun_steps(connection, plan_id)
    steps = [step for step in plan.steps if step.number in begun and step.table is not None and step.object_name]
    added = {_place(step) for step in steps if step.kind is StepKind.ADD_FOREIGN_KEY}
    keys = await _look_up(connection, "keys", (step for step in steps if _is_key(step)))
    indexes = await _look_up(connection, "indexes", (step for step in steps if step.kind is StepKind.CREATE_INDEX))
    return InForce(
        # A key that was there before, not validated, is nothing of ours.
        not_validated=tuple(place[1] for place, is_valid in keys.items() if not is_valid and place in added),
        validated=tuple(place[1] for place, is_valid in keys.items() if is_valid),
        indexes=tuple(place[1] for place, is_valid in indexes.items() if is_valid),
        invalid_indexes=tuple(place[1] for place, is_valid in indexes.items() if not is_valid),
        backed_up=sum((await ledger.backed_up_by_step(connection, plan_id)).values()),
    )


def describe(left: InForce, kind: JobKind) -> str:
    """Say what is in force."""
    parts = [
        _list(left.not_validated, "key NOT VALID", "keys NOT VALID"),
        _list(left.validated, "key validated", "keys validated"),
        _list(left.indexes, "index", "indexes"),
        _list(left.invalid_indexes, "invalid index", "invalid indexes"),
    ]
    made = ", ".join(part for part in parts if part)
    still = "" if kind is JobKind.APPLICATION else "still "
    rows = f"{left.backed_up} row{'' if left.backed_up == 1 else 's'}"
    saved = f"{rows} {'is' if left.backed_up == 1 else 'are'} {still}in the backup" if left.backed_up else ""
    if not made:
        return f"No key and no index of the plan is in force{'; ' + saved if saved else ''}."
    return f"{'Still in force' if still else 'In force now'}: {made}{'; ' + saved if saved else ''}."


def _extended(error: HoldfastError, job: Job, progress: Progress, left: str, *, nothing_left: bool) -> HoldfastError:
    message = f"{left} {_what_next(error, job, nothing_left=nothing_left)}"
    if isinstance(error, Cancelled):
        return Cancelled(f"Cancelled {_where(job, progress)}. {message}")
    error.message = f"{error.message} {message}"
    return error


def _where(job: Job, progress: Progress) -> str:
    unit = "step" if job.kind is JobKind.APPLICATION else "part"
    return f"after {unit} {progress.done} of {progress.total}" if progress.done else f"before the first {unit} was done"


def _what_next(error: HoldfastError, job: Job, *, nothing_left: bool) -> str:
    when = "To go on" if isinstance(error, Cancelled) else "Once that is cured"
    match job.kind:
        case JobKind.ROLLBACK:
            return f"{when}, roll back again: `holdfast rollback {job.application_id}`."
        case JobKind.RESTORE:
            return f"{when}, restore again: `holdfast restore {job.application_id}`."
        case _:
            undo = "" if nothing_left else f"o undo it, roll back: `holdfast rollback {job.id}`."
            if error.reason in _NEEDS_NEW_PLAN:
                return f"T{undo}" if undo else "A new plan can be made."
            return f"{when}, apply the plan again: `holdfast apply {job.plan_id}`{'; t' + undo if undo else '.'}"


async def _look_up(connection: asyncpg.Connection, query: str, steps: Iterable[Step]) -> dict[tuple[str, str], bool]:
    """Return which of the objects that steps name are there, and whether they are validated or valid."""
    places = sorted({_place(step) for step in steps})
    rows = await connection.fetch(_QUERIES[query], [table for table, _ in places], [name for _, name in places])
    return {(row["table_name"], row["name"]): row["is_valid"] for row in rows}


def _place(step: Step) -> tuple[str, str]:
    if step.table is None:
        raise AssertionError
    return qualified(step.table), step.object_name


def _is_key(step: Step) -> bool:
    return step.kind in (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY)


def _list(names: tuple[str, ...], one: str, many: str) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"{len(names)} {one if len(names) == 1 else many} ({shown})"
