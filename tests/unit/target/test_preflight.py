"""What checks make of facts that a test cannot bring about on a real server: late standbys, full disks, wraparound that is near."""

import pytest

from holdfastd.errors import HoldfastError, Reason, Refused, Unavailable
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.model import OrphanAction
from holdfastd.target.preflight.activity import Vacuum, judge_vacuum
from holdfastd.target.preflight.check import Check, Outcome, duration, few, grant, size, some
from holdfastd.target.preflight.connection import failed_connection
from holdfastd.target.preflight.needs import CleanedRows
from holdfastd.target.preflight.relations import Relations
from holdfastd.target.preflight.replication import (
    Archive,
    Slot,
    Standby,
    judge_archive,
    judge_replication_slots,
    judge_standbys,
    judge_synchronous_standbys,
)
from holdfastd.target.preflight.room import Disk, Extent, Room, estimate_room, judge_disk, judge_temporary_files, judge_write_ahead_log

GIB = 1024**3
ORDERS, PART = TableName("s", "orders"), TableName("s", "orders_1")
ROOM = Room(indexes=3 * GIB, backup=GIB, wal=5 * GIB, largest_index=2 * GIB)


def standby(**facts: object) -> Standby:
    return Standby(**{"name": "a", "sync_state": "async", "is_streaming": True, "lag_bytes": 0.0, "lag_seconds": 0.0, **facts})


def archive(**facts: object) -> Archive:
    fine = {"is_on": True, "archived_seconds_ago": 30.0, "failed_seconds_ago": None, "running_backups": 0, "receivers": 0}
    return Archive(**{**fine, **facts})


def slot(**facts: object) -> Slot:
    return Slot(**{"name": "s", "active": True, "retained_bytes": 0.0, "horizon_age": 0, "is_lost": False, **facts})


@pytest.mark.parametrize(
    ("check", "outcome", "words"),
    [
        (judge_standbys([standby(), standby(name="b")], ""), Outcome.PASSED, "2 standbys follow"),
        (judge_standbys([standby(), standby(name="b", lag_bytes=2.0 * GIB)], ""), Outcome.WARNING, "b is 2.0 GB and 0 s behind"),
        (judge_standbys([standby(lag_seconds=300.0)], ""), Outcome.WARNING, "a is 0 B and 5 min behind"),
        (judge_standbys(None, "GRANT x"), Outcome.WARNING, "Could not be told"),
        (judge_synchronous_standbys("", None, ""), Outcome.PASSED, "no standby"),
        (judge_synchronous_standbys("a, b", [standby(sync_state="sync")], ""), Outcome.PASSED, "wait for 1"),
        (judge_synchronous_standbys("FIRST 2 (a, b)", [standby(sync_state="sync")], ""), Outcome.BLOCKS_APPLICATION, "asks for 2, and 1"),
        (
            judge_synchronous_standbys("*", [standby(sync_state="sync", is_streaming=False)], ""),
            Outcome.BLOCKS_APPLICATION,
            "asks for 1, and 0",
        ),
        (judge_synchronous_standbys("a", None, "GRANT x"), Outcome.WARNING, "Could not be told"),
        (judge_replication_slots([slot()]), Outcome.PASSED, "holds much back"),
        (judge_replication_slots([slot(active=False, retained_bytes=2.0 * GIB)]), Outcome.WARNING, "s (2.0 GB so far)"),
        (judge_replication_slots([slot(active=False, is_lost=True)]), Outcome.PASSED, "holds much back"),
        (judge_replication_slots([slot(horizon_age=20_000_000)]), Outcome.WARNING, "20,000,000 transactions"),
        (judge_archive(archive()), Outcome.PASSED, "archived 30 s ago"),
        (judge_archive(archive(running_backups=1)), Outcome.WARNING, "base backup is running"),
        (judge_archive(archive(is_on=False)), Outcome.WARNING, "not archived"),
        (judge_archive(archive(is_on=False, receivers=1)), Outcome.PASSED, "fetched by a receiver"),
        (judge_archive(archive(archived_seconds_ago=None)), Outcome.WARNING, "Nothing was archived yet"),
        (judge_archive(archive(failed_seconds_ago=5.0)), Outcome.WARNING, "fails, last 5 s ago, the last success 30 s ago"),
        (judge_archive(archive(failed_seconds_ago=500.0)), Outcome.PASSED, "archived 30 s ago"),
        (judge_disk(ROOM, Disk(is_here=True, free=10 * GIB), ""), Outcome.WARNING, "Only 10 GB are free. Needed are about 11 GB"),
        (judge_disk(ROOM, Disk(is_here=True, free=12 * GIB), ""), Outcome.PASSED, "12 GB are free"),
        (judge_disk(ROOM, Disk(is_here=False, free=None), ""), Outcome.WARNING, "runs elsewhere. Needed are about 11 GB"),
        (judge_temporary_files(ROOM, None), Outcome.PASSED, "not limited"),
        (judge_temporary_files(ROOM, 2 * GIB), Outcome.PASSED, "temp_file_limit is 2.0 GB"),
        (judge_temporary_files(ROOM, GIB), Outcome.WARNING, "would fail"),
        (judge_write_ahead_log(ROOM, 5 * GIB), Outcome.PASSED, "5.0 GB"),
        (judge_write_ahead_log(ROOM, GIB), Outcome.WARNING, "max_wal_size (1.0 GB)"),
    ],
)
def test_what_is_made_of_the_facts(check: Check, outcome: Outcome, words: str):
    """Each judgement on either side of where it turns."""
    assert check.outcome is outcome
    assert words in check.message


@pytest.mark.parametrize(
    ("vacuum", "outcome", "words"),
    [
        (Vacuum(table=ORDERS, frozen_share=0.5), Outcome.PASSED, "No vacuum is in the way"),
        (Vacuum(table=ORDERS, frozen_share=0.5, pid=7, never_yields=False), Outcome.PASSED, "gives way to the steps"),
        (Vacuum(table=ORDERS, frozen_share=0.96), Outcome.WARNING, "may start at any moment"),
        (Vacuum(table=ORDERS, frozen_share=0.5, pid=7, never_yields=True), Outcome.WARNING, "gives way to nobody: s.orders (pid 7)"),
        (Vacuum(table=ORDERS, frozen_share=0.5, pid=7), Outcome.WARNING, "Could not be told"),
    ],
)
def test_vacuum(vacuum: Vacuum, outcome: Outcome, words: str):
    """Ordinary autovacuum yields, the one against wraparound does not, and what is hidden may be either."""
    check = judge_vacuum([vacuum], "GRANT pg_read_all_stats TO me")

    assert check.outcome is outcome
    assert words in check.message


def test_room_is_counted_once_for_a_partitioned_table():
    """Its index is made of those of its partitions; the largest of them is what sorting takes."""
    relations = Relations(names={1: ORDERS, 2: PART}, oids={ORDERS: (1, 2), PART: (2,)})
    extent = Extent(relations=relations, bytes={2: 100_000}, rows={2: 1000.0}, widths={(2, "a"): 4, (1, "a"): 4})
    builds = [ColumnSet(ORDERS, ("a",)), ColumnSet(PART, ("a",))]
    cleaned = CleanedRows(table=PART, orphan_rows=10, backed_up_rows=10, takes_others=False, action=OrphanAction.DELETE, reached=())

    room = estimate_room(extent, builds, [cleaned])

    assert room.indexes == room.largest_index == pytest.approx(1000 * 20 / 0.9)
    assert room.backup == pytest.approx(10 * (100 * 1.5 + 200))
    assert room.wal == pytest.approx(room.indexes + room.backup + 10 * 132)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Unavailable("Away.", reason=Reason.TARGET_UNREACHABLE), "connection"),
        (Refused("No.", reason=Reason.TARGET_LOGIN_REFUSED), "connection"),
        (Refused("A pooler.", reason=Reason.TARGET_POOLED), "direct_connection"),
        (Refused("Another.", reason=Reason.TARGET_CHANGED), "target_identity"),
        (Refused("Not there.", reason=Reason.HOST_NOT_ALLOWED), "connection"),
        (Refused("Not so.", reason=Reason.TARGET_TLS_REQUIRED), "connection"),
    ],
)
def test_a_session_that_cannot_be_had_is_a_check(error: HoldfastError, name: str):
    """With a cure; and an application would be refused for the same reason."""
    check = failed_connection(error)

    assert (check.id, check.outcome, check.reason) == (name, Outcome.BLOCKS_AUDIT, error.reason)
    assert check.cure


def test_a_pooler_that_is_known_by_name_comes_with_the_server_behind_it():
    """Whoever copied the wrong line of a hosting company's page gets the right one."""
    check = failed_connection(Refused("A pooler.", reason=Reason.TARGET_POOLED, facts={"direct": "db.example.org:5432"}))

    assert check.cure == "Register the DSN of the server itself (db.example.org:5432)."


def test_other_errors_stay_errors():
    """A defect of ours is not a check that failed."""
    error = HoldfastError("Oh.", reason=Reason.INTERNAL)

    with pytest.raises(HoldfastError) as caught:
        failed_connection(error)
    assert caught.value is error


def test_words():
    """Numbers and lists as a tired reader takes them in."""
    assert [size(value) for value in (0, 1023, 1024, 10 * 1024, 1.5 * GIB, 2000 * 1024 * GIB)] == [
        "0 B", "1023 B", "1.0 kB", "10 kB", "1.5 GB", "2000 TB",
    ]  # fmt: skip
    assert [duration(value) for value in (0, 119, 120, 7200, 172_800)] == ["0 s", "119 s", "2 min", "2 h", "2 d"]
    assert some(["a"], "table") == "table a"
    assert some("abcdef", "table") == "6 tables, among them a, b, c, d, e"
    assert few("abcdefg") == "a, b, c, d, e, and 2 more"
    many = [TableName("s", f"t{number}") for number in range(21)]
    assert grant("SELECT", many, "me") == 'GRANT SELECT ON ALL TABLES IN SCHEMA "s" TO "me"'
