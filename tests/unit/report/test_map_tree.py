"""The map as text: what people draw by hand in documents."""

from holdfastd.inference.model import Tier
from holdfastd.names import ColumnSet, TableName
from holdfastd.report.map.tree import tree
from support.mapped import a_relationship, from_text, outlines

RELATIONSHIPS = (
    from_text("reports.station_id -> stations.id", orphan_rows=8),
    from_text("reports.user_id -> users.id", nullable=True),
    from_text("stations.added_by_user_id -> users.id", nullable=True, declared=True, validated=True),
    from_text("reports.maybe_id -> stations.id", tier=Tier.REVIEW),
)


def test_what_hangs_on_a_table_stands_under_it():
    """Referenced tables in order of how much hangs on them, each relationship with its need, its state and its orphan rows."""
    assert tree(outlines("reports", "stations", "users"), RELATIONSHIPS) == (
        "users (id: integer)",
        "├── reports.user_id (nullable, undeclared)",
        "└── stations.added_by_user_id (nullable)",
        "",
        "stations (id: integer)",
        "└── reports.station_id (required, undeclared): 8 orphan rows",
    )


def test_relationships_for_review_are_there_when_asked_for():
    """They say so."""
    lines = tree(outlines("reports", "stations", "users"), RELATIONSHIPS, include_review=True)

    assert "├── reports.maybe_id (required, for review)" in lines


def test_not_counted_is_said():
    """It is no zero."""
    lines = tree((), [from_text("a.b_id -> b.id", orphan_rows=None)])

    assert lines == ("b (id)", "└── a.b_id (required, undeclared): orphan rows not counted")


def test_other_schemas_and_composite_keys_are_written_out():
    """The schema of most tables goes without saying."""
    lines = tree(outlines("a", "b", "old.c"), [from_text("old.c.(x, y) -> a.(p, q)")])

    assert lines == ("a (p, q)", "└── old.c.(x, y) (required, undeclared)")


def test_nothing_has_no_tree():
    """No relationships, no lines."""
    assert tree(outlines("a"), ()) == ()


def test_a_name_stays_on_its_line():
    """A newline or a control character in a name neither ends the line nor hides the rest."""
    table = TableName("public", "a\n├── b\x1b[2J\u202e")

    lines = tree((), [a_relationship(ColumnSet(table, ("```\nx",)), ColumnSet(table, ("id",)))])

    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
