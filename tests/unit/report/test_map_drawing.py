"""What the map tells: state, heat, need, numbers, words for those who listen; and that names are names, whatever is in them."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfastd.inference.model import Tier
from holdfastd.names import ColumnSet, TableName
from holdfastd.report.map.draw import draw_map
from holdfastd.report.map.lettering import cut, harmless, short_number, width
from holdfastd.report.map.states import heat
from holdfastd.report.map.style import _DARK, _LIGHT
from support.mapped import a_relationship, from_text, outlines, read_map

HOSTILE = (
    "<script>alert(1)</script>",
    "]]><x>",
    "a\"b'c`d",
    "line\nbreak\tand\rmore",
    "\x01\x1b[2J\x7f\x9b",
    "&amp;&#0;",
    "${x}#{y}*/--",
    "\u202egnp.exe\u2066",
    "😀𝕏漢字" * 4,
    "é" * 31,
    "\ufffe\uffff",
    " ",
)
TABLES = outlines("orders", "customers")


def the_group(svg, relationship):
    return next(each for each in read_map(svg).root.iter() if each.get("data-relationship") == relationship.id)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"declared": True, "validated": True}, "validated"),
        ({"declared": True}, "not-validated"),
        ({"declared": True, "validated": True, "enforced": False}, "not-enforced"),
        ({}, "undeclared"),
        ({"tier": Tier.REVIEW}, "review"),
    ],
)
def test_state_is_told_by_pattern_word_and_data(facts, state):
    """Not by colour alone: every state has a pattern of its own, says so in words, and carries it as data."""
    relationship = from_text("orders.customer_id -> customers.id", **facts)

    svg = draw_map(TABLES, [relationship], include_review=True).svg

    group = the_group(svg, relationship)
    patterns = dict(re.findall(r"\.holdfast-map \.([a-z-]+) \.way\{stroke-dasharray:([^}]+)\}", svg))
    assert group.get("data-state") == state
    assert state in group.get("class", "").split()
    assert state.replace("-", " ") in group.get("aria-label", "")
    assert len(set(patterns.values())) == len(patterns) == 5


def test_relationships_for_review_are_drawn_when_asked_for():
    """They are guesses of which Holdfast is not sure."""
    relationship = from_text("orders.customer_id -> customers.id", tier=Tier.REVIEW)

    assert relationship.id in read_map(draw_map(TABLES, [relationship], include_review=True).svg).lines
    assert read_map(draw_map(TABLES, [relationship]).svg).lines == {}


def test_nullable_and_required_ends_differ():
    """An open end may be empty, a filled one never is."""
    required, nullable = from_text("orders.customer_id -> customers.id"), from_text("orders.agent_id -> customers.id", nullable=True)

    svg = draw_map(TABLES, [required, nullable]).svg

    assert "required" in the_group(svg, required).get("class", "")
    assert "nullable" in the_group(svg, nullable).get("class", "")


@pytest.mark.parametrize(
    ("orphans", "rows", "degree"),
    [(0, 100, 0), (1, 1_000_000, 1), (10, 1_000_000, 2), (1, 10, 4), (8, 200, 3), (1_000, -1, 3), (100_000, 10**9, 4), (None, 10, 0)],
)
def test_heat_grows_with_number_and_share(orphans, rows, degree):
    """One orphan row of ten is worse than one of a million; a hundred thousand are bad in any table."""
    assert heat(from_text("a.b_id -> b.id", orphan_rows=orphans), rows) == degree


def test_orphan_rows_are_on_the_line_and_on_the_card():
    """The number stands where the line begins, the table's sum on its card, both as data."""
    relationship = from_text("orders.customer_id -> customers.id", orphan_rows=1_234)

    svg = draw_map(TABLES, [relationship]).svg

    group = the_group(svg, relationship)
    texts = [each.text for each in group.iter("{http://www.w3.org/2000/svg}text")]
    card = next(each for each in read_map(svg).root.iter() if each.get("data-table") == "public.orders")
    assert group.get("data-orphans") == card.get("data-orphans") == "1234"
    assert "1.2k" in texts
    assert "1,234 orphan rows" in group.get("aria-label", "")


def test_what_was_not_counted_is_no_zero():
    """A question mark, in words: not counted."""
    relationship = from_text("orders.customer_id -> customers.id", orphan_rows=None)

    group = the_group(draw_map(TABLES, [relationship]).svg, relationship)

    assert "not counted" in group.get("aria-label", "")
    assert [each.text for each in group.iter("{http://www.w3.org/2000/svg}text")] == ["?", "customer_id"]


def test_everything_that_can_be_chosen_is_reached_by_key_and_told_in_words():
    """Tables and relationships are buttons with a name; the map says what it is."""
    svg = draw_map(TABLES, [from_text("orders.customer_id -> customers.id")]).svg

    root = read_map(svg).root
    chosen = [each for each in root.iter() if "data-table" in each.attrib or "data-relationship" in each.attrib]
    assert len(chosen) == 3
    assert all(each.get("tabindex") == "0" and each.get("role") == "button" and each.get("aria-label") for each in chosen)
    assert root.get("role") == "graphics-document"
    assert root.get("aria-label") == "Relationship map: 2 tables, 1 relationship, 0 orphan rows"


def test_the_legend_shows_what_occurs_and_no_more():
    """A sign without a meaning is noise; a sign that nobody used, too."""
    svg = draw_map(TABLES, [from_text("orders.customer_id -> customers.id", orphan_rows=2)]).svg

    legend = svg[svg.index('class="legend"') :]
    assert ">undeclared<" in legend
    assert "orphan rows" in legend
    assert "validated<" not in legend


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_names(name):
    """Whatever a name holds, the document is well-formed and holds no element that we did not draw."""
    table, other = TableName(name, name), TableName("public", name + "2")
    relationship = a_relationship(ColumnSet(table, (name,)), ColumnSet(other, ("id", name)), orphan_rows=1)

    svg = draw_map(outlines(table, other), [relationship, relationship]).svg

    root = ET.fromstring(svg)  # noqa: S314 (our own)
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text"}
    assert not [key for each in root.iter() for key in each.attrib if key.startswith("on") or "href" in key]
    assert all(text == harmless(text) for each in root.iter() if each.tag.endswith("}text") and (text := each.text))


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=63))
@settings(deadline=None, max_examples=60)
def test_any_name_can_be_drawn(name):
    """Of all that PostgreSQL takes as a name."""
    table = TableName("public", name)

    svg = draw_map(outlines(table), [a_relationship(ColumnSet(table, (name,)), ColumnSet(table, ("id",)))]).svg

    ET.fromstring(svg.encode())  # noqa: S314 (our own)


def test_the_map_loads_and_runs_nothing():
    """It may stand in any page and any mail: no script, no address but that of SVG itself."""
    svg = draw_map(TABLES, [from_text("orders.customer_id -> customers.id")]).svg

    assert re.findall(r"https?://[^\s\"'<]+", svg) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in svg
    assert "@import" not in svg
    assert "url(" not in svg


def test_every_style_lies_under_the_map():
    """Put into a page, the map does not restyle it."""
    svg = draw_map(TABLES, ()).svg

    style = svg[svg.index("<style>") + 7 : svg.index("</style>")]
    selectors = [part.strip() for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",") if not part.strip().startswith("@")]
    assert selectors
    assert all(".holdfast-map" in each for each in selectors)


@pytest.mark.parametrize("colours", [_LIGHT, _DARK], ids=["light", "dark"])
def test_contrast_is_enough(colours):
    """4.5 for text, 3 for lines and their signs, on every ground they lie on: WCAG 2.2, level AA."""
    for text in ("text", "muted"):
        assert min(contrast(colours[text], colours[ground]) for ground in ("ground", "card", "head")) >= 4.5
    lines = ("kept", "open", "off", "review", "accent", "heat-1", "heat-2", "heat-3", "heat-4")
    assert min(contrast(colours[line], colours[ground]) for line in lines for ground in ("ground", "card")) >= 3
    assert min(contrast(colours[f"heat-{degree}"], colours["on-heat"]) for degree in range(1, 5)) >= 4.5


def contrast(one, other):
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.text(max_size=80), st.floats(40, 300))
@settings(deadline=None)
def test_text_is_cut_to_its_room(text, room):
    """With an ellipsis, and never in the middle of nothing."""
    shown = cut(text, 11, room)

    assert width(shown, 11) <= room or shown == "…"
    assert shown == harmless(text) or shown.endswith("…")


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (1_000, "1k"), (12_400, "12.4k"), (999_600, "1M"), (3_000_000, "3M"), (1.25e9, "1.2G"), (2e12, "2T")],
)
def test_numbers_are_short(number, shown):
    """A card has room for four signs."""
    assert short_number(number) == shown


def test_the_whole_of_a_long_name_is_told():
    """Cut on the card, whole in the title."""
    table = outlines("a_table_with_a_name_of_sixty_three_bytes_that_nobody_can_fit_on_a_card")[0]

    svg = draw_map([replace(table, row_estimate=5)], ()).svg

    assert f"<title>public.{table.name.name}" in svg
    assert "…" in svg
