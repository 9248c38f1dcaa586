"""The report says what matters first, says nothing twice, and takes nothing from a database for more than text."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from holdfast.cli.report.blocks import Bar, Code, Grid, Heading, Items, Paragraph, Strong
from holdfast.cli.report.build import build_report
from holdfast.cli.report.findings import with_code
from holdfast.cli.report.gather import Facts
from holdfast.cli.report.html import render_html
from holdfast.cli.report.markdown import render_markdown
from holdfast.cli.report.triage import argument, first_things
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import core_pb2 as core
from support.scripted import ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AT, AUDIT, DATABASE, DECLARED, DOUBTFUL, ESTIMATED, FINDINGS, IGNORED, RELATIONSHIPS, relationship

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "`; DROP TABLE x; --",
    "a|b\\|c",
    "*bold* _em_ ~~gone~~",
    "[click](javascript:alert(1))",
    "https://evil.example/x",
    "&lt;b&gt; &amp;",
    "# title",
    "1. one",
    "- dash",
    "line\nbreak",
    "\x1b[31mred\u202e",
    "```",
    "<!-- no comment -->",
    "$x$",
)


def facts(relationships=(), findings=(), **changes):
    values = {"database": DATABASE, "audit": AUDIT, "relationships": tuple(relationships), "findings": tuple(findings)}
    return Facts(**values | changes)


def a_finding(kind, item=None, severity=core.SEVERITY_WARN, state=core.FINDING_STATE_OPEN):
    return core.Finding(kind=kind, severity=severity, state=state, relationship_id=item.id if item else "", message="It is so.")


UNCOUNTED = a_finding(core.FINDING_KIND_NOT_AUDITABLE, DECLARED)
SAMPLE = facts([*RELATIONSHIPS[:4], ESTIMATED, RELATIONSHIPS[5], DECLARED, DOUBTFUL], [FINDINGS[0], UNCOUNTED, IGNORED])


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        # Where a long name may break is up to the name.
        if tag != "wbr":
            self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def named(name):
    """A relationship and a finding in which everything that can have a name has this one."""
    columns = core.ColumnSet(schema=name, table=name, columns=[name])
    item = core.Relationship(
        id=f"{name}({name})->{name}({name})",
        referencing=columns,
        referenced=columns,
        tier=core.TIER_PLAN,
        rationale=name,
        state=core.RELATIONSHIP_STATE_UNDECLARED,
        orphan_rows=core.RowCount(value=3, exactness=core.EXACTNESS_EXACT, as_of=AT),
        orphan_details=core.OrphanDetails(blocked=name, seen_column=name),
    )
    review, uncounted = core.Relationship(), core.Relationship()
    review.CopyFrom(item)
    review.MergeFrom(core.Relationship(tier=core.TIER_REVIEW, evidence=[core.Evidence(text=name)]))
    uncounted.CopyFrom(item)
    uncounted.orphan_rows.CopyFrom(core.RowCount(exactness=core.EXACTNESS_NOT_COUNTED, reason=name))
    said = {"message": name, "consequence": name, "cure": name, "table": name, "severity": core.SEVERITY_ERROR}
    ignored = core.Ignored(reason=name, principal=name)
    return facts(
        [item, review, uncounted],
        [
            core.Finding(kind=core.FINDING_KIND_NO_PRIMARY_KEY, **said),
            core.Finding(kind=core.FINDING_KIND_DISABLED_KEY, **said),
            core.Finding(kind=core.FINDING_KIND_UNINDEXED_KEY, state=core.FINDING_STATE_IGNORED, ignored=ignored, **said),
        ],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_html(name):
    """The page has the tags and attributes that any page has, and no others; the name is there to be read."""
    page, plain = (Page(render_html(build_report(named(each)))) for each in (name, "plain"))

    assert page.tags == plain.tags
    assert page.attributes == plain.attributes
    assert not page.attributes & {"src", "href", "onerror", "onload"}
    if name.isprintable():
        assert name in page.text.replace("\u200b", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_markdown(name):
    """A viewer makes of it what it makes of plain words: no tag, link, title or cell more, and the name is there to be read."""
    viewer = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    page, plain = (Page(viewer.render(render_markdown(build_report(named(each))))) for each in (name, "plain"))

    assert page.tags == plain.tags
    if name.isprintable():
        assert name in page.text


@pytest.mark.parametrize("line", ["a `b` c", "``", "`", "a``b", " x ", "a|b", "a\\|b"])
def test_code_is_what_it_was_in_markdown(line):
    """Commands and statements are copied from there, out of tables, too."""
    viewer = MarkdownIt("gfm-like", {"linkify": False})
    text = Page(viewer.render(render_markdown([Paragraph(Code(line))]))).text.strip("\n")

    assert text.strip() == line.strip()


def test_addresses_do_not_become_links():
    """GitHub and others make links of what looks like one."""
    written = render_markdown([Paragraph("see https://evil.example, www.evil.example and me@evil.example")])

    assert not re.search(r"https://|www\.|me@", written)


def test_every_block_is_written_in_both():
    """What is in one is in the other."""
    document = [
        Heading(1, "Title"),
        Items(["one", ("two ", Strong("loud"))], numbered=True),
        Grid(("a", "n"), [("x", Bar(0.5, "50 %"))], numbers=("n",)),
    ]
    markdown, page = render_markdown(document), render_html(document)

    assert markdown.splitlines() == [
        "# Title",
        "",
        "1. one",
        "2. two **loud**",
        "",
        "| a | n |",
        "| --- | ---: |",
        "| x | █████░░░░░ 50 % |",
    ]
    assert Page(page).tags.count("li") == 2
    assert 'width="30.0"' in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")


def test_the_urgent_comes_first():
    """Orphan rows, then what would let more of them in."""
    texts = [todo.text for todo in first_things(SAMPLE)]

    assert texts[0].startswith("≈12,011 rows reference nothing, in 3 relationships: station_verifications.station_id")
    assert texts[1] == "6 keys are not declared: nothing stops the next orphan row."
    assert "1 relationship was not counted" in texts[-1]


def test_rows_under_two_constraints_are_told_once():
    """A relationship that is declared twice has no more orphan rows for that."""
    assert first_things(facts([RELATIONSHIPS[2]] * 2))[0].text.startswith("8 rows reference nothing, in 1 relationship:")


def test_what_somebody_lives_with_is_not_urgent():
    """Ignored findings are told further down, not first."""
    item = RELATIONSHIPS[2]
    kinds = (core.FINDING_KIND_ORPHAN_ROWS, core.FINDING_KIND_UNDECLARED_KEY, core.FINDING_KIND_UNINDEXED_KEY)
    accepted = [a_finding(kind, item, state=core.FINDING_STATE_IGNORED) for kind in kinds]

    assert len(first_things(facts([item], [a_finding(kind, item) for kind in kinds]))) == 3
    assert first_things(facts([item], accepted)) == []


def test_no_warning_goes_untold():
    """Nothing to do is said only when nothing but hints is open."""
    warning, hint = (a_finding(core.FINDING_KIND_INVALID_INDEX, severity=level) for level in (core.SEVERITY_WARN, core.SEVERITY_INFO))

    assert [todo.text for todo in first_things(facts([], [warning, warning]))] == ["Will hurt some day: invalid index (2)."]
    assert first_things(facts([], [hint])) == []


def test_many_orphans_of_one_table_hint_at_rows_missing_there():
    """A table that was loaded in part makes orphan rows everywhere."""
    pointing = [relationship(f"t{number}", "concept_id", "concepts", 5) for number in range(5)]

    assert "5 of these 5 reference concepts: rows may be missing there" in first_things(facts(pointing))[1].text
    assert len([todo for todo in first_things(facts(RELATIONSHIPS)) if "missing there" in todo.text]) == 0


def test_a_sound_database_has_a_short_report():
    """Nothing to do is said, and no section is empty."""
    sound = core.Relationship()
    sound.CopyFrom(DECLARED)
    sound.indexed = True
    sound.orphan_rows.exactness = core.EXACTNESS_EXACT
    headings = [block.text for block in build_report(facts([sound])) if isinstance(block, Heading)]

    assert headings == ["Audit of charging", "Summary", "What to do first"]
    assert "Nothing: no open finding is worse than INFO." in render_markdown(build_report(facts([sound])))


def test_the_report_says_what_is_known():
    """Each fact where a reader would look for it."""
    written = render_markdown(build_report(SAMPLE))
    for words in (
        "PostgreSQL 18.4",
        "**≈12,000 (11,400 to 12,600)**",
        "6 relationships exactly, 1 estimated from a sample, 1 not counted",
        "**≈12,011 rows reference nothing**",
        "the referenced row was deleted (7); a value that means none (0, -1, empty) (1)",
        "░░░░░░░░░ 0.4 %",
        "2023-11-14 to 2025-06-15",
        "8 of reports, 21 of report_photos",
        "The rows belong to the station.",
        "permission denied",
        "Nobody deletes users.",
        "2030-03-17",
        "1 relationship may be meant",
    ):
        assert words in written, words


def test_large_databases_stay_readable():
    """The rest is counted, and the report says where to see it."""
    many = [relationship(f"table_{number:04}", "x_id", f"other_{number}", 1) for number in range(2000)]
    found = [
        core.Finding(
            kind=core.FINDING_KIND_NO_PRIMARY_KEY, severity=core.SEVERITY_WARN, message=f"{number}.", consequence="So.", cure="Do."
        )
        for number in range(3000)
    ]
    written = render_markdown(build_report(facts(many, found)))

    assert len(written.splitlines()) < 250
    assert "And 1,975 more relationships with orphan rows: `holdfast relationships charging`" in written
    assert "And 2,992 more of this kind: `holdfast findings charging --severity warn`" in written


def test_statements_are_set_apart_whole_or_not_at_all():
    """Half a statement is worse than none."""
    assert with_code('Clean up, then run ALTER TABLE "a"."b" VALIDATE CONSTRAINT "x.y; z"; a plan does both.') == (
        "Clean up, then run ",
        Code('ALTER TABLE "a"."b" VALIDATE CONSTRAINT "x.y; z"'),
        "; a plan does both.",
        "",
    )
    assert Code('CREATE INDEX CONCURRENTLY ON "a"."b" ("c", "d (e)")') in with_code(
        'Run CREATE INDEX CONCURRENTLY ON "a"."b" ("c", "d (e)").'
    )
    assert not [
        part for part in with_code('Run ALTER TABLE "a" ALTER COLUMN "b" TYPE integer USING "b"::integer.') if isinstance(part, Code)
    ]
    assert Code('ALTER TABLE "a"."b" ENABLE TRIGGER ALL') in with_code('Run ALTER TABLE "a"."b" ENABLE TRIGGER ALL as a superuser.')
    assert not [part for part in with_code("Run CREATE INDEX CONCURRENTLY with the same columns.") if isinstance(part, Code)]


def test_one_schema_goes_without_saying():
    """Names of the schema that has most tables are short, and the head says so; never beside schema public."""
    item = core.Relationship()
    item.CopyFrom(RELATIONSHIPS[2])
    item.id = item.id.replace("public.", "cdm.")
    item.referencing.schema = item.referenced.schema = "cdm"
    short, mixed = (render_markdown(build_report(facts(items))) for items in ([item], [item, RELATIONSHIPS[0]]))

    assert "of schema cdm" in short
    assert "| reports.station_id → stations.id |" in short
    assert "| cdm.reports.station_id → cdm.stations.id |" in mixed


def test_commands_name_one_relationship():
    """The shortest name that no other relationship has, as a shell takes it."""
    other = core.Relationship()
    other.CopyFrom(RELATIONSHIPS[2])
    other.referencing.schema = "archive"
    other.id = other.id.replace("public", "archive")
    both = facts([RELATIONSHIPS[2], other])

    assert argument(facts(RELATIONSHIPS), RELATIONSHIPS[2]) == "reports.station_id"
    assert argument(both, other) == "archive.reports.station_id"
    assert argument(facts([RELATIONSHIPS[2], RELATIONSHIPS[2]]), RELATIONSHIPS[2]) == "reports.station_id"
    assert argument(facts([DECLARED]), DECLARED) == "'" + DECLARED.id + "'"


def test_report_is_written_to_stdout(ready: ScriptedServer, holdfast: Holdfast):
    """Whatever -o says: it is a document, not a message. All pages of one audit."""
    markdown, page = holdfast("report", "charging"), holdfast("report", "charging", "--format", "html", "--audit", AUDIT.id)
    asked = [request for request in ready.requests if isinstance(request, audit_pb.ListFindingsRequest)]

    assert (markdown.code, markdown.err, markdown.out.splitlines()[0]) == (0, "", "# Audit of charging")
    assert page.out.startswith("<!doctype html>")
    assert {(request.audit_id, request.include_ignored) for request in asked} == {(AUDIT.id, True)}


def test_audit_ends_with_what_matters(ready: ScriptedServer, holdfast: Holdfast):
    """The last lines are what to do, and what to type."""
    result = holdfast("audit", "charging")

    assert "1. 11 rows reference nothing, in 2 relationships: reports.station_id" in " ".join(result.out.split())
    assert "holdfast relationships charging reports.station_id" in result.out
    assert "2 findings: 1 ERROR, 1 WARN." in result.out
    assert "Next: holdfast report charging" in result.err
