"""What failpoints do when they are armed, and that they do nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfastd.execute.failpoints import FailpointReached, arm, reach


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


async def test_only_the_armed_visit_acts() -> None:
    """The first visit passes, the second does not."""
    arm("CLEAN_UP.begun#2=raise")
    await reach("CLEAN_UP.begun")
    await reach("CLEAN_UP.effected")

    with pytest.raises(FailpointReached):
        await reach("CLEAN_UP.begun")


async def test_trace_names_every_visit(tmp_path: Path) -> None:
    """A run without faults tells where one could have been."""
    arm("", str(tmp_path / "trace"))
    for name in ("A.begun", "B.begun", "A.begun"):
        await reach(name)

    assert (tmp_path / "trace").read_text().split() == ["A.begun#1", "B.begun#1", "A.begun#2"]


@pytest.mark.parametrize("specification", ["A.begun", "A.begun=explode", "A.begun#x=exit", "=exit", "A.begun=sleep:", "A.begun=sleep:soon"])
def test_typing_errors_are_refused(specification: str) -> None:
    """A failpoint that is never reached because of its spelling would prove nothing."""
    with pytest.raises(ValueError, match="is not NAME#VISIT=ACTION"):
        arm(specification)
