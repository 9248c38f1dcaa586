"""The access file in force: read again when it changes, and kept when the new one cannot be meant."""

import asyncio

import pytest

from holdfastd.config.model import ConfigError
from holdfastd.identity.access_file import AccessFile

ADA, BOB = "principals:\n  ada: {roles: [admin]}\n", "principals:\n  bob: {roles: [viewer]}\n"


async def test_a_changed_file_is_in_force(tmp_path):
    """And whoever rests on the edition before is told."""
    path = tmp_path / "access.yaml"
    path.write_text(ADA)
    access = AccessFile(path)
    before = access.edition

    (tmp_path / "new").write_text(BOB)
    (tmp_path / "new").rename(path)
    await access.look()

    assert set(access.edition.roster.principals) == {"bob"}
    assert before.replaced.is_set()
    assert not access.edition.replaced.is_set()


async def test_calls_go_on_while_the_file_is_read(tmp_path):
    """Thousands of principals take seconds, in which leases would be lost."""
    path = tmp_path / "access.yaml"
    path.write_text(ADA)
    access, went_on = AccessFile(path), asyncio.Event()
    path.write_text(BOB)

    asyncio.get_running_loop().call_soon(went_on.set)
    await access.look()

    assert went_on.is_set()
    assert set(access.edition.roster.principals) == {"bob"}


@pytest.mark.parametrize("bad", [b"", b"principals: {ada: {roles: [king]}}", b"\xff"])
async def test_a_bad_file_leaves_the_old_one_in_force(tmp_path, bad):
    """And a good one is taken after it."""
    path = tmp_path / "access.yaml"
    path.write_text(ADA)
    access = AccessFile(path)

    path.write_bytes(bad)
    await access.look()
    assert set(access.edition.roster.principals) == {"ada"}

    path.unlink()
    await access.look()
    assert set(access.edition.roster.principals) == {"ada"}

    path.write_text(BOB)
    await access.look()
    assert set(access.edition.roster.principals) == {"bob"}


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "cannot be read (No such file"), ("principals: 5", "line 1: principals: must be a mapping")]
)
def test_a_service_does_not_start_with_a_bad_file(tmp_path, content, complaint):
    """One sentence that names the file."""
    path = tmp_path / "access.yaml"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigError) as refused:
        AccessFile(path)

    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)
