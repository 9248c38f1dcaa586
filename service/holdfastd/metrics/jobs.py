"""What this replica's jobs went through: in come happenings, out go counters that every replica keeps for itself."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from holdfastd.jobs.model import EventKind, Happening, Job, JobKind, JobState

_DURATIONS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_WAITS = (0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800)


@dataclass(slots=True)
class _Account:
    """What is remembered of a job while this replica works on it."""

    #: Monotonic time; 0: it waits for no lock.
    waits_since: float = 0.0
    #: Rows told so far, by step where the job tells them so.
    rows: dict[int, int] = field(default_factory=dict)


class JobMetrics:
    """An observer of jobs that counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register in the given registry; every series that can be foreseen exists from the start."""
        kind = ("kind",)
        self._ended = Counter(
            "holdfast_jobs_ended_total", "Jobs that this replica brought to their end.", ("kind", "state", "reason"), registry=registry
        )
        self._seconds = Histogram(
            "holdfast_job_duration_seconds",
            "Time from the first start to the end of jobs.",
            kind,
            buckets=_DURATIONS,
            registry=registry,
        )
        self._waits = Histogram(
            "holdfast_lock_wait_seconds", "Time that jobs waited for locks in targets.", kind, buckets=_WAITS, registry=registry
        )
        self._retries = Counter("holdfast_lock_retries_total", "Statements tried again, mostly for a lock.", kind, registry=registry)
        self._held_back = Counter("holdfast_held_back_total", "Times a job told why it holds back.", kind, registry=registry)
        self._takeovers = Counter(
            "holdfast_lease_takeovers_total", "Jobs taken over from a replica that was lost.", kind, registry=registry
        )
        self._cleaned_up = Counter("holdfast_rows_cleaned_up_total", "Rows that cleanups deleted or changed.", registry=registry)
        self._restored = Counter("holdfast_rows_restored_total", "Rows put back from backups.", registry=registry)
        self._accounts: dict[str, _Account] = {}
        for each in JobKind:
            for metric in (self._seconds, self._waits, self._retries, self._held_back, self._takeovers):
                metric.labels(each)
            for state in JobState:
                if state.is_final:
                    self._ended.labels(each, state, "")

    def taken(self, job: Job) -> None:
        """Count a takeover, when whoever held the job before was lost."""
        self._accounts[job.id] = _Account()
        if job.lost_workers:
            self._takeovers.labels(job.kind).inc()

    def happened(self, job: Job, happening: Happening) -> None:
        """Count what an event tells."""
        account = self._accounts.setdefault(job.id, _Account())
        if happening.kind is EventKind.RETRY:
            self._retries.labels(job.kind).inc()
            if not happening.step:
                # A new session tells the sums of what it does itself.
                account.rows.clear()
        if _is_wait(happening):
            account.waits_since = account.waits_since or time.monotonic()
        elif happening.kind is not EventKind.RETRY:
            self._end_wait(job, account)
        match happening.kind:
            case EventKind.HELD_BACK:
                self._held_back.labels(job.kind).inc()
            case EventKind.PROGRESS | EventKind.STEP_DONE if happening.relationship_id:
                self._count_rows(job, account, happening)
            case _:
                pass

    def left(self, job: Job) -> None:
        """Forget a job."""
        account = self._accounts.pop(job.id, None)
        if account is not None:
            self._end_wait(job, account)

    def ended(self, job: Job, state: JobState, reason: str) -> None:
        """Count the end of a job."""
        self._ended.labels(job.kind, state, reason).inc()
        if job.start_time is not None:
            self._seconds.labels(job.kind).observe(max(0.0, (datetime.now(UTC) - job.start_time).total_seconds()))

    def _end_wait(self, job: Job, account: _Account) -> None:
        if account.waits_since:
            self._waits.labels(job.kind).observe(time.monotonic() - account.waits_since)
            account.waits_since = 0.0

    def _count_rows(self, job: Job, account: _Account, happening: Happening) -> None:
        match job.kind:
            case JobKind.APPLICATION if happening.kind is EventKind.PROGRESS:
                # Every step tells the sum of its own batches; its last word counts those of replicas and sessions before, too.
                self._cleaned_up.inc(_more(account, happening.step, happening.rows_done))
            case JobKind.RESTORE:
                # All steps together tell one sum.
                self._restored.inc(_more(account, 0, happening.rows_done))
            case JobKind.ROLLBACK:
                self._restored.inc(happening.rows_done)
            case _:
                pass


def _is_wait(happening: Happening) -> bool:
    """Tell whether a lock is waited for. Short tries for one begin with the first that failed; the same blocker is not told at each."""
    return happening.kind is EventKind.LOCK_WAIT or (happening.kind is EventKind.RETRY and bool(happening.blockers))


def _more(account: _Account, step: int, rows: int) -> int:
    """Return how many rows came on top of those told before."""
    more = max(0, rows - account.rows.get(step, 0))
    account.rows[step] = max(rows, account.rows.get(step, 0))
    return more
