"""What `holdfast restore` and `holdfast backups` ask the service, and when they ask a person first."""

import pytest

from holdfast.v1 import backup_service_pb2 as backup_pb
from holdfast.v1 import migration_service_pb2 as migration_pb
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import JOB_ID, PLAN_ID, RELATIONSHIPS, RESPONSES

DAY = 86_400


def test_restore_names_its_relationships_and_follows_the_job(ready: ScriptedServer, holdfast: Holdfast) -> None:
    """Every --relationship is passed on; without --detach it waits for the end."""
    ready.answers["RestoreRows"] = RESPONSES["restore"]
    first, second = RELATIONSHIPS[0].id, RELATIONSHIPS[1].id
    result = holdfast("restore", JOB_ID, "--relationship", first, "--relationship", second)
    (asked,) = [request for request in ready.requests if isinstance(request, migration_pb.RestoreRowsRequest)]

    assert result.code == 0
    assert (asked.job_id, [*asked.relationship_ids], asked.relink) == (JOB_ID, [first, second], False)
    assert asked.request_id


def test_purging_asks_for_what_was_typed(ready: ScriptedServer, holdfast: Holdfast) -> None:
    """An age in days; without one, the service's own."""
    assert holdfast("backups", "purge", "charging", "--plan", PLAN_ID, "--older-than", "90d", "--yes").code == 0
    assert holdfast("backups", "purge", "charging", "--yes").code == 0
    named, unnamed = [request for request in ready.requests if isinstance(request, backup_pb.PurgeBackupsRequest)]

    assert (named.plan_id, named.older_than.seconds) == (PLAN_ID, 90 * DAY)
    assert not unnamed.HasField("older_than")


def test_nobody_purges_by_accident(ready: ScriptedServer, holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes a person must say so; a script that forgot it purges nothing."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    result = holdfast("backups", "purge", "charging")

    assert result.code == 2
    assert "--yes" in result.err
    assert ready.requests == []
