"""What dashboards see: the last audits and nothing else, in names that Prometheus accepts."""

import asyncio
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import Blocker, EventKind, Happening, Job, JobKind, JobState
from holdfastd.metrics import jobs as job_metrics
from holdfastd.metrics import snapshot
from holdfastd.metrics.jobs import JobMetrics
from holdfastd.metrics.registry import Metrics
from holdfastd.metrics.snapshot import AuditNumbers, DatabaseNumbers, Snapshot, orphan_rows, refresh_forever
from holdfastd.store.model import Anchor
from holdfastd.store.overview import Counted, EndedJobs, OpenJobs
from support.stored import MOMENT


def numbers(database="shop", *, dropped=0, reachable=True, **rows):
    audit = AuditNumbers(
        orphan_rows=rows,
        dropped=dropped,
        candidates={Tier.PLAN: 3, Tier.REVIEW: 1},
        not_validated_keys=2,
        undeclared_relationships=3,
        missing_indexes=4,
        time=1_700_000_000.5,
        seconds=1.25,
    )
    return DatabaseNumbers(database=database, reachable=reachable, audit=audit)


def waiting(database="shop", **changes):
    values = {"kind": JobKind.APPLICATION, "state": JobState.RUNNING, "jobs": 1, "paused": 0, "held_back": 0, "oldest": None}
    return OpenJobs(database=database, **values | changes)


FULL = Snapshot(
    time=1_700_000_100.0,
    databases=(numbers(dropped=7, r1=8, r2=0), DatabaseNumbers(database="new", reachable=False)),
    open_jobs=(
        waiting(kind=JobKind.AUDIT, jobs=5, held_back=1),
        waiting(state=JobState.QUEUED, jobs=2, paused=1, oldest=MOMENT),
        waiting("new", state=JobState.QUEUED, jobs=3, oldest=MOMENT + timedelta(seconds=5)),
    ),
    ended_jobs=(
        EndedJobs(database="shop", kind=JobKind.AUDIT, state=JobState.FAILED, jobs=4, last=MOMENT),
        EndedJobs(database="shop", kind=JobKind.AUDIT, state=JobState.SUCCEEDED, jobs=9, last=MOMENT),
    ),
    log_head=Anchor(sequence=12, hash="c0ffee"),
)


def test_numbers_of_the_last_audit_are_exposed():
    """One series per database, and one per counted relationship."""
    metrics = Metrics("1.2.3")
    metrics.snapshot = FULL

    value = metrics.registry.get_sample_value
    shop = {"database": "shop"}
    assert value("holdfast_orphan_rows", shop | {"relationship": "r1"}) == 8
    assert value("holdfast_orphan_rows", shop | {"relationship": "r2"}) == 0
    assert value("holdfast_candidates", shop | {"tier": "PLAN"}) == 3
    assert value("holdfast_candidates", shop | {"tier": "REVIEW"}) == 1
    assert value("holdfast_series_dropped", shop) == 7
    assert value("holdfast_not_validated_keys", shop) == 2
    assert value("holdfast_undeclared_relationships", shop) == 3
    assert value("holdfast_missing_indexes", shop) == 4
    assert value("holdfast_audit_last_success_timestamp_seconds", shop) == 1_700_000_000.5
    assert value("holdfast_audit_duration_seconds", shop) == 1.25
    assert value("holdfast_build_info", {"version": "1.2.3"}) == 1


def test_the_queue_is_exposed():
    """What runs, what waits and since when, what failed last; a kind without jobs is 0."""
    metrics = Metrics("1")
    metrics.snapshot = FULL

    value = metrics.registry.get_sample_value
    assert value("holdfast_jobs", {"kind": "AUDIT", "state": "RUNNING"}) == 5
    assert value("holdfast_jobs", {"kind": "APPLICATION", "state": "QUEUED"}) == 5
    assert value("holdfast_jobs", {"kind": "AUDIT", "state": "FAILED"}) == 4
    assert value("holdfast_jobs", {"kind": "ROLLBACK", "state": "FAILED"}) == 0
    assert [value("holdfast_paused_jobs", {"database": name}) for name in ("shop", "new")] == [1, 0]
    assert [value("holdfast_held_back_jobs", {"database": name}) for name in ("shop", "new")] == [1, 0]
    assert value("holdfast_oldest_queued_job_timestamp_seconds") == MOMENT.timestamp()
    assert value("holdfast_job_last_failure_timestamp_seconds", {"database": "shop", "kind": "AUDIT"}) == MOMENT.timestamp()
    assert value("holdfast_database_reachable", {"database": "new"}) == 0
    assert value("holdfast_audit_log_entries") == 12
    assert value("holdfast_audit_log_head_info", {"hash": "c0ffee"}) == 1
    assert value("holdfast_snapshot_timestamp_seconds") == 1_700_000_100


def test_what_vanished_is_absent():
    """A relationship that was dropped must not keep its last count for ever, nor a removed database its numbers."""
    metrics = Metrics("1")
    metrics.snapshot = Snapshot(databases=(numbers(gone=8, stays=1), numbers("other")))
    generate_latest(metrics.registry)

    metrics.snapshot = Snapshot(databases=(numbers(stays=1),))

    text = generate_latest(metrics.registry).decode()
    assert 'relationship="stays"' in text
    assert "gone" not in text
    assert "other" not in text


def test_a_database_without_audit_has_no_numbers_of_one():
    """Absent is not zero: zero orphan rows would look like good news."""
    metrics = Metrics("1")
    metrics.snapshot = Snapshot(databases=(DatabaseNumbers(database="new"),))

    text = generate_latest(metrics.registry).decode()
    told = {line.partition("{")[0] for line in text.splitlines() if 'database="new"' in line}

    assert told == {"holdfast_database_reachable", "holdfast_paused_jobs", "holdfast_held_back_jobs"}


def test_before_the_first_look_at_the_store_its_numbers_are_absent():
    """A replica that has just started must not say that the audit log is empty."""
    text = generate_latest(Metrics("1").registry).decode()

    assert "database=" not in text
    assert "\nholdfast_audit_log_entries " not in text
    assert "\nholdfast_snapshot_timestamp_seconds " not in text
    assert "\nholdfast_ready 0.0\n" in text


@pytest.mark.parametrize(("serving", "reachable", "ready"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_ready_is_who_takes_calls_and_reaches_the_store(serving, reachable, ready):
    metrics = Metrics("1")
    metrics.serving, metrics.store_reachable = serving, reachable

    assert metrics.registry.get_sample_value("holdfast_ready") == ready


def counted(rows, tier=Tier.PLAN, exactness=Exactness.EXACT):
    return Counted(tier=tier, orphan_rows=RowCount(value=rows, exactness=exactness, as_of=MOMENT))


def test_relationships_that_say_nothing_are_left_out():
    """Those that could not be counted are absent, not zero; those for review are absent, too, and none of them counts as dropped."""
    found = {
        "known": counted(8),
        "declared": counted(1, Tier.DECLARED),
        "estimated": counted(3, exactness=Exactness.ESTIMATED),
        "uncounted": counted(0, exactness=Exactness.NOT_COUNTED),
        "doubtful": counted(5, Tier.REVIEW),
    }

    assert orphan_rows(found.items(), 10) == ({"known": 8, "declared": 1, "estimated": 3}, 0)


@pytest.mark.parametrize(("limit", "kept"), [(0, ""), (1, "d"), (3, "dbc"), (5, "dbcae"), (9, "dbcae")])
def test_the_worst_are_kept(limit, kept):
    """Of more relationships than the limit those with most orphan rows stay, then those first by name, so that they stay the same."""
    found = {"e": counted(0), "a": counted(1), "c": counted(2), "b": counted(2), "d": counted(9)}

    rows, dropped = orphan_rows(found.items(), limit)

    assert "".join(rows) == kept
    assert dropped == 5 - len(kept)


async def test_a_failed_refresh_keeps_the_old_numbers_and_is_logged_once(capsys):
    """A store that is away for an hour must not write 1800 tracebacks, nor blank the dashboards."""
    answers = [Snapshot(databases=(numbers("old"),)), OSError("away"), OSError("away"), Snapshot(databases=(numbers("new"),))]
    seen, reachable = [], []
    metrics = Metrics("1")

    async def read():
        seen.append([item.database for item in metrics.snapshot.databases])
        reachable.append(metrics.store_reachable)
        if not answers:
            raise asyncio.CancelledError
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(asyncio.CancelledError):
        await refresh_forever(metrics, read, seconds=0)

    assert seen == [[], ["old"], ["old"], ["old"], ["new"]]
    assert reachable == [False, True, False, False, True]
    assert capsys.readouterr().out.count("metrics_not_refreshed") == 1


async def test_a_store_that_never_answers_is_unreachable_before_the_look_ends(monkeypatch):
    """A look at a silent store ends with the driver's patience, most of a minute later; one that ends well makes good for it."""
    monkeypatch.setattr(snapshot, "LATE_SECONDS", 0.0)
    metrics, answered = Metrics("1"), asyncio.Event()
    metrics.store_reachable = True

    async def read():
        await answered.wait()
        return Snapshot()

    refreshing = asyncio.create_task(refresh_forever(metrics, read, seconds=60))
    async with asyncio.timeout(5):
        while metrics.store_reachable:
            await asyncio.sleep(0)
        answered.set()
        while not metrics.store_reachable:
            await asyncio.sleep(0)
    refreshing.cancel()


def a_job(kind=JobKind.APPLICATION, **more):
    values = {"id": "job-1", "state": JobState.RUNNING, "database": "shop", "database_id": "db-1", "principal": "ann"}
    return Job(kind=kind, create_time=MOMENT, start_time=MOMENT, **values | more)


def happening(kind, *, step=1, rows=0):
    return Happening(kind=kind, message="m", step=step, relationship_id="r" if rows else "", rows_done=rows)


def test_ends_are_counted_by_state_and_reason():
    """Every state is there before the first end, so that rates are right from it on."""
    registry = CollectorRegistry()
    jobs = JobMetrics(registry)
    jobs.ended(a_job(), JobState.FAILED, "LOCK_TIMEOUT")

    def value(**labels):
        return registry.get_sample_value("holdfast_jobs_ended_total", {"kind": "APPLICATION", "reason": ""} | labels)

    assert value(state="FAILED", reason="LOCK_TIMEOUT") == 1
    assert [value(state=state) for state in ("SUCCEEDED", "FAILED", "CANCELLED")] == [0, 0, 0]
    assert registry.get_sample_value("holdfast_job_duration_seconds_count", {"kind": "APPLICATION"}) == 1


def test_one_wait_for_a_lock_is_one_observation():
    """A wait is told again and again while it lasts, and lasts over all tries for the lock."""
    registry = CollectorRegistry()
    jobs = JobMetrics(registry)
    job = a_job()
    jobs.taken(job)
    for kind in (EventKind.LOCK_WAIT, EventKind.LOCK_WAIT, EventKind.RETRY, EventKind.LOCK_WAIT, EventKind.PROGRESS, EventKind.HELD_BACK):
        jobs.happened(job, happening(kind))
    jobs.happened(job, happening(EventKind.LOCK_WAIT))
    jobs.left(job)

    kind = {"kind": "APPLICATION"}
    assert registry.get_sample_value("holdfast_lock_wait_seconds_count", kind) == 2
    assert registry.get_sample_value("holdfast_lock_retries_total", kind) == 1
    assert registry.get_sample_value("holdfast_held_back_total", kind) == 1


def test_tries_that_end_before_a_wait_is_told_are_a_wait(monkeypatch):
    """A try for a lock that blocks others is over in a moment; all tries and the pauses between them are what the job waits."""
    registry, clock = CollectorRegistry(), iter((10.0, 12.5))
    monkeypatch.setattr(job_metrics.time, "monotonic", lambda: next(clock))
    jobs = JobMetrics(registry)
    job = a_job()
    jobs.taken(job)
    blocked = replace(happening(EventKind.RETRY), blockers=(Blocker(pid=7, application="psql"),))
    for event in (blocked, happening(EventKind.RETRY), happening(EventKind.STEP_DONE), happening(EventKind.RETRY)):
        jobs.happened(job, event)
    jobs.left(job)

    kind = {"kind": "APPLICATION"}
    assert registry.get_sample_value("holdfast_lock_wait_seconds_count", kind) == 1
    assert registry.get_sample_value("holdfast_lock_wait_seconds_sum", kind) == 2.5
    assert registry.get_sample_value("holdfast_lock_retries_total", kind) == 3


@pytest.mark.parametrize(
    ("kind", "told", "cleaned_up", "restored"),
    [
        (JobKind.APPLICATION, [(1, 5), (1, 8), (1, 8), (2, 3)], 11, 0),
        (JobKind.RESTORE, [(1, 5), (2, 8), (3, 9)], 0, 9),
        (JobKind.ROLLBACK, [(1, 5), (1, 2)], 0, 7),
        (JobKind.AUDIT, [(1, 500)], 0, 0),
    ],
)
def test_rows_are_counted_once(kind, told, cleaned_up, restored):
    """An application tells a sum per step, a restore one sum, a rollback each batch."""
    registry = CollectorRegistry()
    jobs = JobMetrics(registry)
    job = a_job(kind)
    jobs.taken(job)
    for step, rows in told:
        jobs.happened(job, happening(EventKind.PROGRESS, step=step, rows=rows))

    assert registry.get_sample_value("holdfast_rows_cleaned_up_total") == cleaned_up
    assert registry.get_sample_value("holdfast_rows_restored_total") == restored


def test_rows_of_others_are_not_counted_again():
    """The last word of a step tells all its rows, those included that another replica, or a connection before, has told."""
    registry = CollectorRegistry()
    jobs, job = JobMetrics(registry), a_job()
    jobs.taken(job)
    jobs.happened(job, happening(EventKind.PROGRESS, rows=300))
    jobs.happened(job, happening(EventKind.RETRY, step=0))
    for rows in (400, 500):
        jobs.happened(job, happening(EventKind.PROGRESS, rows=rows))
    jobs.happened(job, happening(EventKind.STEP_DONE, rows=1000))

    assert registry.get_sample_value("holdfast_rows_cleaned_up_total") == 800


def test_a_takeover_is_a_job_whose_worker_was_lost():
    """A job that was given back is none."""
    registry = CollectorRegistry()
    jobs = JobMetrics(registry)
    jobs.taken(a_job(epoch=2))
    jobs.taken(a_job(epoch=3, lost_workers=1))

    assert registry.get_sample_value("holdfast_lease_takeovers_total", {"kind": "APPLICATION"}) == 1


def test_promtool_accepts_the_exposition():
    """Names, units and types as Prometheus wants them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    metrics = Metrics("1")
    metrics.snapshot = replace(FULL, databases=(*FULL.databases, numbers("odd", **{'public."Odd\nname"(id)->public.stations(id)': 8})))
    metrics.rpc.expect("unary", "holdfast.v1.JobService", "GetJob")
    metrics.rpc.began("unary", "holdfast.v1.JobService", "GetJob")
    metrics.rpc.ended("unary", "holdfast.v1.JobService", "GetJob", "OK", 0.1)

    checked = subprocess.run([promtool, "check", "metrics"], input=generate_latest(metrics.registry), capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
