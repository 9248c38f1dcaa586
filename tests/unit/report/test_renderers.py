"""Whatever a name holds, it is text: the document has the form that it has with plain names."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness, OrphanDetails, RowCount
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.inference.model import Evidence, OtherAction, Tier
from holdfastd.names import ColumnSet, TableName
from holdfastd.report.blocks import Bar, Code, Contents, Fold, Grid, Heading, Items, Level, Paragraph, Script, Strong
from holdfastd.report.build import render_report
from holdfastd.report.facts import ReportFormat
from holdfastd.report.html import render_html
from holdfastd.report.markdown import render_markdown
from support.builders import a_catalog, a_table
from unit.report.documents import Page, a_finding, a_relationship, applied, community, is_ignored, planned, relationships, some_facts

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
    "$x$ ${x} #{y}",
    "*/ ]]> </svg></style></pre>",
    "public.",
    "\u2028\x85\ufeff",
    "😀 \U00020000 ﷽",
    "x" * 63,
)
WHOLE = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def named(name: str):
    """Facts in which everything that can have a name has this one: schemas, tables, columns, reasons, people, hosts."""
    table = TableName(name, name)
    of_table = a_table("t", "other integer", row_estimate=10)
    renamed = replace(
        of_table,
        name=table,
        comment=name,
        columns=tuple(replace(column, name=name if column.name == "other" else "id") for column in of_table.columns),
    )
    catalog = a_catalog(renamed)
    base = a_relationship(a_catalog(of_table), "t", "other", "t", 3)
    columns, key = ColumnSet(table, (name,)), ColumnSet(table, ("id",))
    item = replace(
        base,
        referencing=columns,
        referenced=key,
        rationale=name,
        evidence=(Evidence(rule="name", text=name),),
        other_actions=(OtherAction(on_delete=OnDelete.RESTRICT, rationale=name),),
        orphan_details=OrphanDetails(distinct_values=1, share=0.3, seen_column=name),
    )
    plan = planned(catalog, [item])
    review = replace(item, tier=Tier.REVIEW, referenced=columns)
    uncounted = replace(review, orphan_rows=RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=base.orphan_rows.as_of, reason=name))
    said = {"message": name, "consequence": name, "cure": name, "table": table}
    findings = [a_finding(kind, None, Severity.ERROR, **said) for kind in (FindingKind.NO_PRIMARY_KEY, FindingKind.DISABLED_KEY)]
    lived_with = a_finding(FindingKind.UNINDEXED_KEY, item, **said)
    decision = replace(is_ignored(lived_with), reason=name, principal=name)
    subject = replace(some_facts().subject, host=name, role=name, database_name=name)
    return some_facts(
        [item, review, uncounted],
        [*((each, None) for each in findings), (lived_with, decision)],
        catalog,
        subject=subject,
        plan=replace(plan, author=name, reviewer=name),
        application=applied(plan, principal=name),
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_html(name):
    """The page is well formed, has no tag and no attribute that other pages lack, and leads nowhere but into itself."""
    page, plain = (Page(render_report(named(each), ReportFormat.HTML)) for each in (name, "plain"))

    assert set(page.tags) <= set(plain.tags)
    assert page.attributes <= plain.attributes
    assert not {attribute for attribute in page.attributes if attribute.startswith("on")} | (page.attributes & {"src", "srcset"})
    assert page.links == {f"#chapter-{place}" for place in range(1, page.tags.count("h2") + 1)}
    if name.isprintable() and name != "public.":
        assert name in page.text.replace("\u200b", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_in_markdown(name):
    """A viewer finds no HTML in it, no link but those of the contents, and as many chapters as the contents have."""
    tokens = WHOLE.parse(render_report(named(name), ReportFormat.MARKDOWN))
    inline = [child for token in tokens for child in token.children or ()]
    links = [child.attrGet("href") for child in inline if child.type == "link_open"]
    page = Page(WHOLE.render(render_report(named(name), ReportFormat.MARKDOWN)))

    assert not [token.type for token in (*tokens, *inline) if token.type.startswith(("html", "image"))]
    assert all(str(link).startswith("#") for link in links)
    assert len(links) == page.tags.count("h2")
    if name.isprintable() and name != "public.":
        assert name in page.text


@pytest.mark.parametrize("line", ["a `b` c", "``", "`", "a``b", " x ", "a|b", "a\\|b"])
def test_code_is_what_it_was_in_markdown(line):
    """Commands and statements are copied from there, out of tables, too."""
    viewer = MarkdownIt("gfm-like", {"linkify": False})
    in_text = Page(viewer.render(render_markdown([Paragraph(Code(line))]))).text.strip("\n")
    in_cell = Page(viewer.render(render_markdown([Grid(("a",), [(Code(line),)])]))).text.strip("\n").partition("\n")[2]

    assert in_text.strip() == line.strip()
    assert in_cell.strip() == line.strip()


@pytest.mark.parametrize("text", ["SELECT '```';", "a\n~~~\n````\nb", "</pre><b>x"])
def test_scripts_are_what_they_were(text):
    """Whatever fence or tag is in them."""
    viewer = MarkdownIt("gfm-like", {"linkify": False})
    page = Page(viewer.render(render_markdown([Script(text), Paragraph("after")])))

    assert page.text.strip() == f"{text}\n\nafter"
    assert text in Page(render_html([Script(text)])).text
    assert page.tags == ["pre", "code", "p"]


def test_addresses_do_not_become_links():
    """GitHub and others make links of what looks like one."""
    written = render_markdown([Paragraph("see https://evil.example, www.evil.example and me@evil.example")])

    assert not re.search(r"https://|www\.|me@", written)


def test_every_block_is_written_in_both():
    """What is in one is in the other."""
    document = [
        Heading(1, "Title"),
        Contents(["One thing"]),
        Items(["one", ("two ", Strong("loud"), Level("HIGH"))], numbered=True),
        Grid(("a", "n"), [("x", Bar(0.5, "50 %"))], numbers=("n",)),
        Fold("Folded", [Script("SELECT 1;")]),
        Fold("More", [Paragraph("hidden")], otherwise=("And more: ", Code("holdfast"))),
    ]
    markdown, page = render_markdown(document), render_html(document)

    assert markdown.splitlines() == [
        "# Title",
        "",
        "1. [One thing](#1-one-thing)",
        "",
        "1. one",
        "2. two **loud****HIGH**",
        "",
        "| a | n |",
        "| --- | ---: |",
        "| x | █████░░░░░ 50 % |",
        "",
        "**Folded**",
        "",
        "```sql",
        "SELECT 1;",
        "```",
        "",
        "And more: `holdfast`",
    ]
    assert Page(page).tags.count("details") == 2
    assert "hidden" in page
    assert 'width="30.0"' in page


def test_the_page_needs_nothing_else():
    """No address, no script, nothing to load; and a policy that would forbid it."""
    catalog = community()
    found = relationships(catalog)
    page = render_report(some_facts(found, (), catalog, plan=planned(catalog, found)), ReportFormat.HTML)

    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.findall(r"<(?:script|link|img|iframe|object)|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", page)


def test_headings_come_in_order_and_tables_have_headers():
    """Who listens to the page finds their way: no level is skipped, and each table's first cells say what they head."""
    catalog = community()
    found = relationships(catalog)
    plan = planned(catalog, found)
    page = render_report(some_facts(found, (), catalog, plan=plan, application=applied(plan)), ReportFormat.HTML)
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    body = page[page.index("<body>") :]

    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(re.findall(r"<th\b", body)) == len(re.findall(r'<th scope="(?:col|row)"', body))
    assert re.findall(r"<tr>(?!<th)", body) == []
