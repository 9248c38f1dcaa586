"""A policy file says what people mean, or which key is wrong."""

from pathlib import Path

import pytest
import yaml

from holdfast.cli.failures import InputError
from holdfast.cli.policy import parse_policy, read_policy_file
from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Override, Policy
from unit.cli.samples import RELATIONSHIPS

REPORTS = RELATIONSHIPS[2].id


def parsed(text: str) -> Policy:
    return parse_policy(yaml.safe_load(text), RELATIONSHIPS)


def test_all_keys():
    """Every key of the friendly form becomes its field."""
    policy = parsed("""
        relationships:
          reports.station_id: {include: true, on_delete: set null, orphans: repoint, repoint_to: ["1"]}
          reports.reviewed_by: {include: false}
    """)

    assert policy == Policy(
        overrides=[
            Override(
                relationship_id=REPORTS,
                include=True,
                on_delete=core.ON_DELETE_SET_NULL,
                orphan_action=core.ORPHAN_ACTION_REPOINT,
                repoint_to=["1"],
            ),
            Override(relationship_id=RELATIONSHIPS[3].id, include=False),
        ]
    )


def test_what_is_not_said_is_left_to_holdfast():
    """Absent is not false."""
    [override] = parsed("relationships: {reports.station_id: {orphans: leave}}").overrides

    assert not override.HasField("include")
    assert override.on_delete == core.ON_DELETE_UNSPECIFIED


@pytest.mark.parametrize("word", ["cascade", "CASCADE", "set null", "set_null", "SET-NULL", "no action"])
def test_on_delete_in_any_spelling(word: str):
    """PostgreSQL writes it with a space, YAML keys with an underscore."""
    [override] = parsed(f"relationships: {{reports.station_id: {{on_delete: {word}}}}}").overrides

    assert core.OnDelete.Name(override.on_delete) == "ON_DELETE_" + word.upper().replace(" ", "_").replace("-", "_")


def test_whole_numbers_are_keys_too():
    """A key written as a number arrives as text."""
    [override] = parsed("relationships: {reports.station_id: {orphans: repoint, repoint_to: 7}}").overrides

    assert override.repoint_to == ["7"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("relationship: {}", "unknown key 'relationship'; allowed: relationships"),
        ("relationships: {reports.station_id: {ondelete: cascade}}", "relationships.reports.station_id has an unknown key 'ondelete'"),
        ("relationships: {reports.station_id: {ondelete: cascade}}", "allowed: include, on_delete, orphans, repoint_to"),
        ("relationships: {reports.station_id: {on_delete: drop}}", "on_delete must be one of no_action, restrict, cascade"),
        ("relationships: {reports.station_id: {orphans: purge}}", "orphans must be one of delete, set_null, repoint, leave"),
        ("relationships: {reports.station_id: {include: maybe}}", "include must be true or false"),
        ("relationships: {reports.station_id: delete}", "relationships.reports.station_id must be a mapping"),
        ("relationships: [a]", "relationships must be a mapping"),
        ("relationships: {nothing.here: {include: true}}", "No relationship is called 'nothing.here'"),
        ("relationships: {reports.station_id: {repoint_to: []}}", "repoint_to must be a list"),
        ("relationships: {reports.station_id: {repoint_to: [1.5]}}", "repoint_to must be a list"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str):
    """The key, and what would be right."""
    with pytest.raises(InputError) as raised:
        parsed(text)

    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "is not YAML"),
        (b"- a", "must be a mapping"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"a: !!python/name:os.system x", "is not YAML"),
    ],
)
def test_unreadable_files(tmp_path: Path, content: bytes, words: str):
    """Not YAML, not a mapping, not text, not harmless: the file is named, and what to do."""
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)

    with pytest.raises(InputError, match=rf"policy\.yaml.*{words}.*holdfast init"):
        read_policy_file(path)


def test_empty_file_decides_nothing(tmp_path: Path):
    """An empty file is an empty policy."""
    path = tmp_path / "policy.yaml"
    path.touch()

    assert parse_policy(read_policy_file(path), RELATIONSHIPS) == Policy()


def test_missing_file_is_a_sentence(tmp_path: Path):
    """The path is in it."""
    with pytest.raises(InputError, match=r"nowhere\.yaml cannot be read: No such file"):
        read_policy_file(tmp_path / "nowhere.yaml")
