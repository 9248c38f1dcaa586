"""What a job that did not succeed leaves, in words."""

from datetime import UTC, datetime

import pytest

from holdfastd.errors import Cancelled, HoldfastError, Reason, Refused
from holdfastd.execute.explain import InForce, describe, unexplained
from holdfastd.jobs.model import Job, JobKind, JobState

LEFT = InForce(not_validated=("fk_a", "fk_b"), validated=("fk_c",), indexes=(), invalid_indexes=("a_idx",), backed_up=8)


def a_job(kind: JobKind) -> Job:
    return Job(
        id="job-2",
        kind=kind,
        state=JobState.RUNNING,
        database="shop",
        database_id="db-1",
        principal="ann",
        create_time=datetime(2026, 5, 4, tzinfo=UTC),
        plan_id="plan-1",
        application_id="" if kind is JobKind.APPLICATION else "job-1",
    )


@pytest.mark.parametrize(
    ("left", "kind", "text"),
    [
        (
            LEFT,
            JobKind.APPLICATION,
            "In force now: 2 keys NOT VALID (fk_a, fk_b), 1 key validated (fk_c), 1 invalid index (a_idx); 8 rows are in the backup.",
        ),
        (InForce(backed_up=1), JobKind.ROLLBACK, "No key and no index of the plan is in force; 1 row is still in the backup."),
        (InForce(indexes=("a_idx",)), JobKind.ROLLBACK, "Still in force: 1 index (a_idx)."),
        (InForce(), JobKind.APPLICATION, "No key and no index of the plan is in force."),
        (
            InForce(indexes=tuple(f"i{number}" for number in range(7))),
            JobKind.APPLICATION,
            "In force now: 7 indexes (i0, i1, i2, i3, i4 and 2 more).",
        ),
    ],
    ids=["all there is", "rows only", "after rows are back", "nothing", "many"],
)
def test_what_is_in_force_in_one_sentence(left: InForce, kind: JobKind, text: str) -> None:
    assert describe(left, kind) == text


@pytest.mark.parametrize(
    ("error", "kind", "end"),
    [
        (Cancelled(), JobKind.APPLICATION, "To go on, apply the plan again: `holdfast apply plan-1`; to undo it, roll back: `holdfast rollback job-2`."),
        (Cancelled(), JobKind.ROLLBACK, "To go on, roll back again: `holdfast rollback job-1`."),
        (Cancelled(), JobKind.RESTORE, "To go on, restore again: `holdfast restore job-1`."),
        (Refused("No.", reason=Reason.STEP_FAILED), JobKind.ROLLBACK, "Once that is cured, roll back again: `holdfast rollback job-1`."),
        (Refused("No.", reason=Reason.PLAN_DRIFTED), JobKind.APPLICATION, "To undo it, roll back: `holdfast rollback job-2`."),
    ],
    ids=["application", "rollback", "restore", "failed rollback", "drift"],
)  # fmt: skip
def test_every_end_says_what_to_do_next(error: HoldfastError, kind: JobKind, end: str) -> None:
    """Also when the target cannot be asked what is in force; a plan that does not fit any more is not offered again."""
    said = unexplained(error, a_job(kind)).message

    assert said.startswith("Cancelled before the first" if isinstance(error, Cancelled) else "No. What is in force could not be read.")
    assert said.endswith(end)
