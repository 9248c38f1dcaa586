"""Where lines end at the borders of the cards they reference: below what they come from, as far as there is room."""

from collections import defaultdict
from collections.abc import Mapping

from holdfastd.report.map.cards import PORT
from holdfastd.report.map.layout import Layout
from holdfastd.report.map.place import spread

_EDGE = 14.0
#: What can go straight pulls so much more than what bends anyway.
_STRAIGHT = 50.0


def choose_ports(layout: Layout) -> dict[int, float]:
    """Return the end of each line between two cards. Lines that come from one stand-in end at one place."""
    wanted: dict[tuple[int, bool], dict[int, float]] = defaultdict(dict)
    keys = {}
    for number in layout.ids:
        card, beside = layout.way[number][:2]
        is_card = beside < layout.rows.cards
        keys[number] = -1 - number if is_card else beside
        wanted[card, layout.up[number]][keys[number]] = layout.lane(number) if is_card else layout.x[beside]
    made = {
        (card, below): _spread(layout, card, entries, (layout.loops_of.get(card, 0) + 0.5) * loop_gap(layout, card) if below else 0.0)
        for (card, below), entries in wanted.items()
    }
    return {number: made[layout.way[number][0], layout.up[number]][key] for number, key in keys.items()}


def loop_gap(layout: Layout, card: int) -> float:
    """Return the distance of the ends of two lines that come back to their own card; 0 when there are none."""
    loops = layout.loops_of.get(card, 0)
    return min(PORT, layout.cards[card].width / 2 / (loops + 1)) if loops else 0.0


def loop_port(layout: Layout, number: int) -> float:
    """Return where a line ends that comes back to its own card: near the right end of the lower border."""
    card = layout.ends[number][0]
    return layout.x[card] + layout.cards[card].width / 2 - _EDGE - loop_gap(layout, card) * layout.exits[number].lane


def _spread(layout: Layout, card: int, entries: Mapping[int, float], taken: float) -> dict[int, float]:
    keys = sorted(entries, key=lambda key: (entries[key], key))
    half = layout.cards[card].width / 2
    low, high = layout.x[card] - half + _EDGE, layout.x[card] + half - _EDGE - taken
    gap = min(PORT, (high - low) / max(len(keys) - 1, 1))
    wanted = [min(max(entries[key], low), high) for key in keys]
    weights = [_STRAIGHT if want == entries[key] else 1.0 for want, key in zip(wanted, keys, strict=True)]
    last = len(keys) - 1
    return {
        key: min(max(at, low + gap * number), high - gap * (last - number))
        for number, (key, at) in enumerate(zip(keys, spread(wanted, weights, [gap] * last), strict=True))
    }
