"""The policy file that `init` writes decides nothing as it stands, and what Holdfast decides once everything is uncommented."""

import re
from pathlib import Path

import pytest
import yaml

from holdfast.cli.draft import draft_policy
from holdfast.cli.policy import parse_policy, read_policy_file
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Policy
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.hostile_names import HOSTILE_NAMES
from unit.cli.samples import DECLARED, DOUBTFUL, ESTIMATED, RELATIONSHIPS


def uncommented(text: str) -> str:
    """Return the file with every decision in force: the # of the first column gone, below the head."""
    head, _, body = text.partition("\nrelationships:\n")
    return f"{head}\nrelationships:\n{re.sub('^#', '', body, flags=re.MULTILINE)}"


def decided(text: str, relationships: list[core.Relationship]) -> dict[str, tuple[bool, str, str]]:
    policy = parse_policy(yaml.safe_load(text), relationships)
    return {
        each.relationship_id: (each.include, core.OnDelete.Name(each.on_delete), core.OrphanAction.Name(each.orphan_action))
        for each in policy.overrides
    }


def test_as_written_it_decides_nothing(tmp_path: Path):
    """It loads, and leads to the plan that there would be without it."""
    path = tmp_path / "policy.yaml"
    path.write_text(draft_policy("shop", "audit-1", [*RELATIONSHIPS, DOUBTFUL, DECLARED]), encoding="utf-8")

    assert parse_policy(read_policy_file(path), RELATIONSHIPS) == Policy()


def test_uncommented_it_decides_as_holdfast_does():
    """Each line is valid, and says what would happen anyway: planned or not, ON DELETE, orphan rows."""
    known = [*RELATIONSHIPS, DOUBTFUL, DECLARED]
    found = decided(uncommented(draft_policy("shop", "audit-1", known)), known)

    assert found == {
        **{each.id: (True, core.OnDelete.Name(each.suggested_on_delete), _fate(each)) for each in RELATIONSHIPS},
        DOUBTFUL.id: (False, "ON_DELETE_SET_NULL", "ORPHAN_ACTION_SET_NULL"),
    }


def _fate(item: core.Relationship) -> str:
    fates = {core.ON_DELETE_CASCADE: "DELETE", core.ON_DELETE_SET_NULL: "SET_NULL"}
    return f"ORPHAN_ACTION_{fates.get(item.suggested_on_delete, 'LEAVE')}"


def test_reasons_and_counts_are_beside_the_decision():
    """Whoever decides needs no other window."""
    text = draft_policy("shop", "audit-1", [*RELATIONSHIPS, DOUBTFUL])

    for words in (
        "# Policy for database shop, from audit-1.",
        "# reports.station_id → stations.id: 8 orphan rows (0.4 % of the table)",
        "# CASCADE: The rows belong to the station.",
        "sure: station_id is named after stations.",
        "# Not planned unless you say so: Holdfast is not sure.",
    ):
        assert words in text, words
    assert max(map(len, text.splitlines())) <= 100


def test_what_cannot_be_planned_is_not_asked_for():
    """An obstacle is told, and uncommenting does not make the plan refuse."""
    blocked = core.Relationship()
    blocked.CopyFrom(RELATIONSHIPS[2])
    blocked.obstacle = "The types differ: text and bigint."
    text = draft_policy("shop", "audit-1", [blocked])

    assert "# Cannot be planned: The types differ: text and bigint." in text
    assert decided(uncommented(text), [blocked])[blocked.id][0] is False


def test_keys_that_are_not_validated_are_in_it():
    """Their ON DELETE is declared and no longer to be decided."""
    half = core.Relationship()
    half.CopyFrom(DECLARED)
    half.state, half.validated = core.RELATIONSHIP_STATE_NOT_VALIDATED, False
    text = draft_policy("shop", "audit-1", [half])

    assert decided(uncommented(text), [half]) == {half.id: (True, "ON_DELETE_UNSPECIFIED", "ORPHAN_ACTION_LEAVE")}


def test_names_that_fit_several_are_written_in_full():
    """The same table in two schemas: each gets the shortest name that is its own."""
    other = core.Relationship()
    other.CopyFrom(RELATIONSHIPS[2])
    other.id, other.referencing.schema = other.id.replace("public.reports", "old.reports"), "old"
    known = [RELATIONSHIPS[2], other]

    assert set(decided(uncommented(draft_policy("shop", "audit-1", known)), known)) == {each.id for each in known}


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_names_stay_names(name: str):
    """Whatever a table is called and whatever evidence quotes: it loads, and names the same relationship."""
    item = core.Relationship()
    item.CopyFrom(RELATIONSHIPS[2])
    item.id = f'public."{name}"("{name}")->public.stations(id)'
    item.referencing.table, item.referencing.columns[0], item.rationale = name, name, f"Because of {name}"
    text = draft_policy("shop", "audit-1", [item])

    assert parse_policy(yaml.safe_load(text), [item]) == Policy()
    assert set(decided(uncommented(text), [item])) == {item.id}


def test_nothing_open_and_nothing_at_all():
    """A file to begin with all the same."""
    for known in ([], [DECLARED], [ESTIMATED]):
        text = draft_policy("shop", "audit-1", known)

        assert parse_policy(yaml.safe_load(text), known) == Policy()


def test_init_overwrites_nothing(ready: ScriptedServer, holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that is there may hold decisions; --force says that it does not."""
    monkeypatch.chdir(tmp_path)
    first, again, forced = holdfast("init", "shop"), holdfast("init", "shop"), holdfast("init", "shop", "--force")

    assert (first.code, again.code, forced.code) == (0, 2, 0)
    assert "Wrote shop.policy.yaml." in first.out
    assert "shop.policy.yaml exists; give another --output, or --force" in again.err


@pytest.mark.parametrize("option", [("--output", "p.yaml"), ("-o", "p.yaml"), ("--output=p.yaml",)])
def test_init_writes_where_it_is_told(ready: ScriptedServer, holdfast: Holdfast, tmp_path: Path, monkeypatch, option: tuple[str, ...]):
    """--output is the global option, too, but no format is called p.yaml."""
    monkeypatch.chdir(tmp_path)
    written = holdfast("init", "shop", *option)

    assert written.code == 0
    assert (tmp_path / "p.yaml").read_text() == holdfast("init", "shop", "--output", "-").out
    assert isinstance(ready.requests[-1], audit_pb.ListRelationshipsRequest)
