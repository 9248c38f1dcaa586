"""The drawing as a drawing: all that there is, once, in its place, and nothing on top of anything else."""

import random
from collections import Counter
from itertools import combinations, pairwise, permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfastd.names import TableName
from holdfastd.report.map.cards import make_cards
from holdfastd.report.map.channels import levels
from holdfastd.report.map.draw import draw_map
from holdfastd.report.map.layers import downwards, layer
from holdfastd.report.map.order import arrange
from holdfastd.report.map.pack import shelve
from holdfastd.report.map.place import spread
from holdfastd.report.map.routes import lay_out
from support.builders import columns
from support.mapped import Box, a_relationship, from_text, outlines, read_map

PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30)


def drawn(pairs, count=12):
    """The map of tables t0, t1 … with one column for each pair (referencing, referenced)."""
    relationships = [
        a_relationship(columns(f"t{one}", f"c{number}"), columns(f"t{other}", "id"), orphan_rows=number % 3)
        for number, (one, other) in enumerate(pairs)
    ]
    return draw_map(outlines(*(f"t{number}" for number in range(count))), relationships), relationships


@given(PAIRS)
@settings(deadline=None, max_examples=80)
def test_every_relationship_is_drawn_once_from_card_to_card(pairs):
    """It begins at a side of the referencing card and ends at the upper or lower border of the referenced one."""
    drawing, relationships = drawn(pairs)

    seen = read_map(drawing.svg)
    assert Counter({name: len(lines) for name, lines in seen.lines.items()}) == Counter(each.id for each in relationships)
    for each in relationships:
        ((start, end),) = seen.lines[each.id]
        source, goal = (seen.cards[str(side.table)] for side in (each.referencing, each.referenced))
        assert min(abs(start[0] - source.x), abs(start[0] - source.right)) < 0.3
        assert source.y < start[1] < source.bottom
        assert goal.x < end[0] < goal.right
        assert min(abs(end[1] - goal.y), abs(end[1] - goal.bottom)) < 0.3


@given(PAIRS.filter(bool))
@settings(deadline=None, max_examples=80)
def test_no_line_runs_over_a_card(pairs):
    """Lines go up, down and sideways, between the cards and never across one."""
    _, relationships = drawn(pairs)
    names = sorted({side.table for each in relationships for side in (each.referencing, each.referenced)})
    cards, lines = make_cards(names, {}, relationships, "public")

    placed = lay_out(dict(enumerate(cards)), dict(enumerate(lines)))

    boxes = [Box(x, y, cards[number].width, cards[number].height) for number, (x, y) in placed.corners.items()]
    for way in placed.ways.values():
        for (x, y), (to_x, to_y) in pairwise(way):
            assert x == pytest.approx(to_x) or y == pytest.approx(to_y)
            part = Box(min(x, to_x), min(y, to_y), abs(x - to_x), abs(y - to_y))
            assert not [box for box in boxes if part.overlaps(Box(box.x + 1, box.y + 1, box.width - 2, box.height - 2))]


@given(PAIRS)
@settings(deadline=None, max_examples=80)
def test_no_two_cards_overlap(pairs):
    """Not in a component, not between components, not in the grid of tables without relationships; and all lie on the sheet."""
    seen = read_map(drawn(pairs)[0].svg)

    assert len(seen.cards) == 12
    assert not [pair for pair in combinations(seen.cards.values(), 2) if pair[0].overlaps(pair[1])]
    sheet = Box(0, 0, float(seen.root.get("width", 0)), float(seen.root.get("height", 0)))
    assert all(box.x >= 0 and box.y >= 0 and box.right <= sheet.width and box.bottom <= sheet.height for box in seen.cards.values())


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).map(lambda pair: (max(pair), min(pair))), max_size=30))
@settings(deadline=None, max_examples=60)
def test_what_is_referenced_stands_above(pairs):
    """Without cycles every relationship points upwards, whatever the order in which tables come."""
    drawing, relationships = drawn(pairs)

    seen = read_map(drawing.svg)
    for each in relationships:
        if each.referencing.table != each.referenced.table:
            assert seen.cards[str(each.referenced.table)].bottom < seen.cards[str(each.referencing.table)].y


@given(PAIRS)
@settings(deadline=None, max_examples=60)
def test_only_lines_that_close_a_cycle_run_the_other_way(pairs):
    """All lines, once turned, run downwards: layers exist; and a cycle of one line less has none that is turned."""
    lines = [(upper, lower) for upper, lower in pairs if upper != lower]

    turned = downwards(12, lines)

    layers = layer([100.0] * 12, turned, 450.0)
    assert all(layers[upper] < layers[lower] for upper, lower in turned)
    assert max(Counter(layers).values()) <= 4
    if all(upper < lower for upper, lower in lines):
        assert turned == lines


def test_one_line_of_a_cycle_runs_down():
    """Of three tables that reference each other in a circle, one relationship ends at the upper border of its card."""
    drawing, relationships = drawn([(0, 1), (1, 2), (2, 0)], count=3)

    seen = read_map(drawing.svg)
    at_top = [each for each in relationships if abs(seen.lines[each.id][0][1][1] - seen.cards[str(each.referenced.table)].y) < 0.3]
    assert len(at_top) == 1


def test_two_relationships_between_two_tables_are_two_lines():
    """Who reported and who reviewed are told apart: by row, by line and by end."""
    relationships = [from_text("reports.user_id -> users.id"), from_text("reports.reviewed_by -> users.id")]

    seen = read_map(draw_map(outlines("reports", "users"), relationships).svg)

    (one,), (other,) = (seen.lines[each.id] for each in relationships)
    assert one[0] != other[0]
    assert abs(one[1][0] - other[1][0]) >= 5


def test_a_table_that_references_itself_has_a_loop():
    """It leaves its card at the side and comes back from below."""
    relationship = from_text("customers.referred_by -> customers.id", nullable=True)

    seen = read_map(draw_map(outlines("customers"), [relationship]).svg)

    ((start, end),) = seen.lines[relationship.id]
    box = seen.cards["public.customers"]
    assert start[0] == pytest.approx(box.right, abs=0.2)
    assert end[1] == pytest.approx(box.bottom, abs=0.2)


def test_the_same_facts_make_the_same_bytes():
    """Order of the input does not matter either: a map can be compared with an older one."""
    chance = random.Random(5)
    pairs = [(chance.randrange(40), chance.randrange(40)) for _ in range(90)]
    relationships = [a_relationship(columns(f"t{one}", f"c{n}"), columns(f"t{other}", "id")) for n, (one, other) in enumerate(pairs)]
    tables = outlines(*(f"t{number}" for number in range(40)))
    first = draw_map(tables, relationships).svg

    chance.shuffle(relationships)

    assert draw_map(tables[::-1], relationships).svg == first


def test_components_stand_side_by_side():
    """Two small schemas in one database do not make one tall drawing."""
    seen = read_map(drawn([(1, 0), (3, 2)], count=4)[0].svg)

    assert seen.cards["public.t0"].y == seen.cards["public.t2"].y


def test_nothing_is_drawn_of_nothing():
    """No tables, no relationships: an empty sheet that is still a document."""
    drawing = draw_map((), ())

    assert drawing.omitted_tables == 0
    assert read_map(drawing.svg).cards == {}


def test_without_tables_the_relationships_name_them():
    """Audits made before tables were kept have a map as well."""
    relationship = from_text("orders.customer_id -> customers.id")

    assert set(read_map(draw_map((), [relationship]).svg).cards) == {"public.orders", "public.customers"}


def test_too_many_tables_are_chosen_by_what_matters(monkeypatch):
    """Orphan rows first, then their neighbours, then what most references; the rest is counted."""
    monkeypatch.setattr("holdfastd.report.map.choose.MOST_TABLES", 3)
    relationships = [
        from_text("a.hub_id -> hub.id"),
        from_text("b.hub_id -> hub.id"),
        from_text("c.hub_id -> hub.id"),
        from_text("hot.beside_id -> beside.id", orphan_rows=3),
    ]

    drawing = draw_map(outlines("a", "b", "beside", "c", "hot", "hub", "lonely"), relationships)

    seen = read_map(drawing.svg)
    assert set(seen.cards) == {"public.hot", "public.beside", "public.hub"}
    assert drawing.omitted_tables == 4
    assert "4 more tables are not drawn" in drawing.svg


def test_orphan_rows_count_more_than_neighbours(monkeypatch):
    """A hub beside a table with orphan rows gives way to the two tables that they are about."""
    monkeypatch.setattr("holdfastd.report.map.choose.MOST_TABLES", 2)
    relationships = [from_text(f"{each}.hub_id -> hub.id") for each in ("a", "b", "hot")] + [from_text("hot.z_id -> z.id", orphan_rows=1)]

    assert set(read_map(draw_map((), relationships).svg).cards) == {"public.hot", "public.z"}


def test_names_of_one_table_in_two_schemas_are_two_cards():
    """The schema that goes without saying is not written; the other one is."""
    svg = draw_map(outlines("shop.orders", "shop.customers", "old.orders"), ()).svg

    assert set(read_map(svg).cards) == {"shop.orders", "shop.customers", "old.orders"}
    assert ">old.orders<" in svg
    assert ">shop.orders<" not in svg
    assert TableName("shop", "orders") != TableName("old", "orders")


@given(st.lists(st.tuples(st.floats(-1000, 1000), st.floats(0.1, 50)), min_size=1, max_size=12))
@settings(deadline=None)
def test_places_are_apart_and_as_near_as_can_be(wanted):
    """Order and distance hold; who has room stands where he wants to."""
    made = spread([want for want, _ in wanted], [weight for _, weight in wanted], [10.0] * (len(wanted) - 1))

    assert all(right - left >= 10 - 1e-6 for left, right in pairwise(made))
    free = all(right - left >= 10 for (left, _), (right, _) in pairwise(wanted))
    assert not free or made == pytest.approx([want for want, _ in wanted])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=25, unique=True))
@settings(deadline=None)
def test_no_two_lines_go_sideways_on_one_level_at_one_place(ends):
    """Otherwise two relationships would look like one."""
    hops = [(upper * 20.0, lower * 20.0 + 10) for upper, lower in ends]

    made, count = levels(hops)

    assert all(level < count for level in made)
    for (one, first), (other, second) in combinations(zip(hops, made, strict=True), 2):
        assert first != second or max(one) < min(other) or max(other) < min(one)


@pytest.mark.parametrize(
    "lines",
    [
        [(0, 5), (0, 7), (1, 4), (1, 7), (2, 4), (3, 4), (3, 5), (3, 6)],
        [(0, 4), (0, 5), (0, 6), (1, 6), (1, 7), (2, 4), (2, 6), (3, 6)],
        [(0, 7), (1, 6), (2, 5), (3, 4)],
    ],
)
def test_crossings_that_need_not_be_are_not(lines):
    """As few as in the best of all orders, found by trying them all."""
    rows = arrange([0] * 4 + [1] * 4, lines, range(len(lines))).rows

    assert crossings(rows, lines) == min(crossings(each, lines) for each in product(permutations(range(4)), permutations(range(4, 8))))


def crossings(rows, lines):
    upper, lower = ({each: number for number, each in enumerate(row)} for row in rows)
    return sum((upper[a] - upper[c]) * (lower[b] - lower[d]) < 0 for (a, b), (c, d) in combinations(lines, 2))


def test_shelves_are_as_wide_as_a_screen():
    """Not one long row, not one high column."""
    _, wide, high = shelve([(100.0, 100.0)] * 24, gap=10, ratio=1.6, narrowest=100)

    assert 1 < wide / high < 2.5


@given(st.lists(st.tuples(st.floats(1, 500), st.floats(1, 500)), max_size=20))
@settings(deadline=None)
def test_shelves_hold_everything_apart(sizes):
    """Rectangles stay apart and inside."""
    corners, wide, high = shelve(sizes, gap=10, ratio=1.6, narrowest=100)

    boxes = [Box(x, y, *size) for (x, y), size in zip(corners, sizes, strict=True)]
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(box.right <= wide + 1e-6 and box.bottom <= high + 1e-6 for box in boxes)
