"""The gauges of a snapshot: in come numbers from the store, out go the families of a scrape."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily

from holdfastd.jobs.model import JobKind, JobState
from holdfastd.metrics.snapshot import AuditNumbers, Snapshot

Samples = Iterable[tuple[tuple[str, ...], float]]


def gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    """Return one family."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def gauges(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    """Yield every gauge of a snapshot. What is not known is absent."""
    yield from _databases(snapshot)
    yield from _audits(snapshot)
    yield from _jobs(snapshot)
    yield from _store(snapshot)


def _databases(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    reachable = (((one.database,), float(one.reachable)) for one in snapshot.databases)
    yield gauge("holdfast_database_reachable", "Whether the last connection to the database succeeded.", ("database",), reachable)
    missed: Samples = (((one.database,), one.missed_runs) for one in snapshot.databases if one.missed_runs is not None)
    yield gauge("holdfast_schedule_missed_runs", "Scheduled audits that were not started in time.", ("database",), missed)


def _audits(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    audited = [(one.database, one.audit) for one in snapshot.databases if one.audit is not None]
    rows = (((database, name), number) for database, audit in audited for name, number in audit.orphan_rows.items())
    yield gauge("holdfast_orphan_rows", "Orphan rows of a relationship at the last audit.", ("database", "relationship"), rows)
    tiers = (((database, tier.value), number) for database, audit in audited for tier, number in audit.candidates.items())
    yield gauge("holdfast_candidates", "Relationships that no foreign key declares, by tier.", ("database", "tier"), tiers)
    for name, text, value in _AUDIT_GAUGES:
        yield gauge(name, text, ("database",), (((database,), value(audit)) for database, audit in audited))


def _jobs(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    counts = {(kind, state): 0 for kind in JobKind for state in JobState}
    for group in snapshot.open_jobs:
        counts[group.kind, group.state] += group.jobs
    for ended in snapshot.ended_jobs:
        counts[ended.kind, ended.state] += ended.jobs
    samples: Samples = (((kind.value, state.value), number) for (kind, state), number in counts.items())
    yield gauge("holdfast_jobs", "Jobs in the store.", ("kind", "state"), samples)

    paused = dict.fromkeys((one.database for one in snapshot.databases), 0)
    held_back = dict(paused)
    for group in snapshot.open_jobs:
        if group.database in paused:
            paused[group.database] += group.paused
            held_back[group.database] += group.held_back
    yield gauge("holdfast_paused_jobs", "Unended jobs that somebody paused.", ("database",), _by_name(paused))
    yield gauge("holdfast_held_back_jobs", "Running jobs that wait for a lock or hold back.", ("database",), _by_name(held_back))

    oldest = [group.oldest.timestamp() for group in snapshot.open_jobs if group.oldest]
    queued = [((), min(oldest))] if oldest else []
    yield gauge(
        "holdfast_oldest_queued_job_timestamp_seconds", "Since when the job waits that nobody has worked on for longest.", (), queued
    )
    failed = (((one.database, one.kind.value), one.last.timestamp()) for one in snapshot.ended_jobs if one.state is JobState.FAILED)
    yield gauge("holdfast_job_last_failure_timestamp_seconds", "When a job failed last.", ("database", "kind"), failed)


def _store(snapshot: Snapshot) -> Iterator[GaugeMetricFamily]:
    read = [((), snapshot.time)] if snapshot.time else []
    yield gauge("holdfast_snapshot_timestamp_seconds", "When the numbers from the store were read.", (), read)
    head = snapshot.log_head
    entries = [((), head.sequence if head else 0)] if snapshot.time else []
    yield gauge("holdfast_audit_log_entries", "Sequence of the newest entry of the audit log.", (), entries)
    hashes = [((head.hash,), 1)] if head else []
    yield gauge("holdfast_audit_log_head_info", "The hash of the newest entry of the audit log.", ("hash",), hashes)


def _by_name(numbers: dict[str, int]) -> Samples:
    return (((name,), number) for name, number in numbers.items())


_AUDIT_GAUGES: tuple[tuple[str, str, Callable[[AuditNumbers], float]], ...] = (
    ("holdfast_series_dropped", "Relationships whose orphan rows are not exported.", lambda audit: audit.dropped),
    ("holdfast_not_validated_keys", "Foreign keys that are not validated, at the last audit.", lambda audit: audit.not_validated_keys),
    (
        "holdfast_undeclared_relationships",
        "Relationships that no foreign key declares, at the last audit.",
        lambda audit: audit.undeclared_relationships,
    ),
    (
        "holdfast_missing_indexes",
        "Relationships without a usable index on the referencing columns, at the last audit.",
        lambda audit: audit.missing_indexes,
    ),
    ("holdfast_audit_last_success_timestamp_seconds", "When the last succeeded audit ended.", lambda audit: audit.time),
    ("holdfast_audit_duration_seconds", "How long the last succeeded audit took.", lambda audit: audit.seconds),
)
