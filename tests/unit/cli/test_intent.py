"""`holdfast audit NAME --intent SOURCE`: what travels, what people are told, what ends the command."""

import pytest

from holdfast.v1.core_pb2 import ON_DELETE_CASCADE
from unit.intent.test_prisma import SHOP


def test_all_sources_travel_with_the_request(ready, holdfast, tmp_path, monkeypatch):
    """Several may be named; people hear how much each declares, and what could not be read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.prisma").write_text(SHOP)
    (tmp_path / "schema.rb").write_text(
        'create_table "users" do |t|\nend\ncreate_table "orders" do |t|\n'
        "  t.references :user, foreign_key: { on_delete: :cascade }\n  t.references :gizmo\nend\n"
    )

    ended = holdfast("audit", "charging", "--detach", "--intent", str(tmp_path / "schema.prisma"), "--intent", "rails:schema.rb")
    sent = ready.requests[-1].options.intent

    assert len(sent) == 7
    assert (sent[-1].referencing.table, list(sent[-1].referencing.columns), sent[-1].on_delete) == (
        "orders",
        ["user_id"],
        ON_DELETE_CASCADE,
    )
    said = " ".join((ended.out + ended.err).split())
    assert "schema.prisma declares 6 relationships." in said
    assert "schema.rb declares 1 relationship." in said
    assert "schema.rb:5: no table of this file is named after gizmo_id of orders; to_table would say which." in said


def test_a_source_that_cannot_be_read_ends_the_command(ready, holdfast, tmp_path):
    """Before anything is asked of the service, in one sentence."""
    asked = len(ready.requests)
    ended = holdfast("audit", "charging", "--detach", "--intent", str(tmp_path / "nowhere.prisma"))

    assert (ended.code, len(ready.requests)) == (2, asked)
    assert "nowhere.prisma; name one, or say prisma:PATH" in " ".join(ended.err.split())


@pytest.mark.parametrize("options", [[], ["--estimate-after", "60s"]])
def test_without_sources_nothing_is_declared(ready, holdfast, options):
    """An audit as ever."""
    holdfast("audit", "charging", "--detach", *options)

    assert len(ready.requests[-1].options.intent) == 0
