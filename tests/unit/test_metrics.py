"""What dashboards see: the last audits and nothing else, in names that Prometheus accepts."""

import asyncio
import shutil
import subprocess

import pytest
from prometheus_client import generate_latest

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobKind, JobState
from holdfastd.metrics import DatabaseNumbers, Metrics, Snapshot, _numbers, refresh_forever
from holdfastd.store.model import LatestAudit
from support.stored import MOMENT, SUMMARY, a_relationship


def numbers(database="shop", **orphan_rows):
    return DatabaseNumbers(
        database=database,
        orphan_rows=orphan_rows,
        not_validated_keys=2,
        undeclared_relationships=3,
        missing_indexes=4,
        audit_time=1_700_000_000.5,
        audit_seconds=1.25,
    )


def test_numbers_of_the_last_audit_are_exposed():
    """One series per database, and one per counted relationship."""
    metrics = Metrics("1.2.3")
    metrics.snapshot = Snapshot(databases=(numbers(r1=8, r2=0),), jobs={(JobKind.AUDIT, JobState.RUNNING): 5})

    value = metrics.registry.get_sample_value
    shop = {"database": "shop"}
    assert value("holdfast_orphan_rows", shop | {"relationship": "r1"}) == 8
    assert value("holdfast_orphan_rows", shop | {"relationship": "r2"}) == 0
    assert value("holdfast_not_validated_keys", shop) == 2
    assert value("holdfast_undeclared_relationships", shop) == 3
    assert value("holdfast_missing_indexes", shop) == 4
    assert value("holdfast_audit_last_success_timestamp_seconds", shop) == 1_700_000_000.5
    assert value("holdfast_audit_duration_seconds", shop) == 1.25
    assert value("holdfast_jobs", {"kind": "AUDIT", "state": "RUNNING"}) == 5
    assert value("holdfast_jobs", {"kind": "ROLLBACK", "state": "FAILED"}) == 0
    assert value("holdfast_build_info", {"version": "1.2.3"}) == 1


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


def test_before_the_first_audit_there_are_no_numbers():
    """Absent is not zero: zero orphan rows would look like good news."""
    text = generate_latest(Metrics("1").registry).decode()

    assert "holdfast_orphan_rows{" not in text
    assert "database=" not in text


def test_an_audit_becomes_numbers():
    """Relationships that could not be counted are absent, not zero; those for review are absent, too."""
    uncounted = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=MOMENT, reason="no privilege")
    counted, other, doubtful = a_relationship("a", orphans=8), a_relationship("b"), a_relationship("c", orphans=5)
    object.__setattr__(other, "orphan_rows", uncounted)
    object.__setattr__(doubtful, "tier", Tier.REVIEW)
    audit = LatestAudit(database="shop", end_time=MOMENT, duration_seconds=2.0, summary=SUMMARY, relationships=(counted, other, doubtful))

    found = _numbers(audit)

    assert found.orphan_rows == {counted.id: 8}
    assert (found.undeclared_relationships, found.missing_indexes, found.not_validated_keys) == (2, 2, 0)
    assert (found.audit_time, found.audit_seconds) == (MOMENT.timestamp(), 2.0)


async def test_a_failed_refresh_keeps_the_old_numbers_and_is_logged_once(capsys):
    """A store that is away for an hour must not write 1800 tracebacks, nor blank the dashboards."""
    answers = [Snapshot(databases=(numbers("old"),)), OSError("away"), OSError("away"), Snapshot(databases=(numbers("new"),))]
    seen = []
    metrics = Metrics("1")

    async def read():
        seen.append([item.database for item in metrics.snapshot.databases])
        if not answers:
            raise asyncio.CancelledError
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(asyncio.CancelledError):
        await refresh_forever(metrics, read, seconds=0)

    assert seen == [[], ["old"], ["old"], ["old"], ["new"]]
    assert capsys.readouterr().out.count("metrics_not_refreshed") == 1


def test_promtool_accepts_the_exposition():
    """Names, units and types as Prometheus wants them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    metrics = Metrics("1")
    metrics.snapshot = Snapshot(databases=(numbers(**{'public."Odd\nname"(id)->public.stations(id)': 8}),))
    metrics.rpc.expect("unary", "holdfast.v1.JobService", "GetJob")
    metrics.rpc.began("unary", "holdfast.v1.JobService", "GetJob")
    metrics.rpc.ended("unary", "holdfast.v1.JobService", "GetJob", "OK", 0.1)

    checked = subprocess.run([promtool, "check", "metrics"], input=generate_latest(metrics.registry), capture_output=True, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
