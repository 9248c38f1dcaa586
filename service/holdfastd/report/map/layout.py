"""Connected cards on their rows, and where each stands from left to right: the first half of a drawing.

In come cards and the lines between them. The steps are those of Sugiyama, Tagawa and Toda (1981): layers, order, places; `routes` then
draws the lines.
"""

from collections import defaultdict
from collections.abc import Mapping
from math import sqrt

from holdfastd.report.map.cards import Card, Line
from holdfastd.report.map.layers import downwards, layer
from holdfastd.report.map.order import Rows, arrange
from holdfastd.report.map.place import place
from holdfastd.report.map.sides import FIRST_LANE, LANE, Exit, choose_exits

#: Between two lines as much as between two lanes and two ports: then lines go straight on.
_CARD_GAP, _MIXED_GAP, _LINE_GAP = 22.0, 12.0, LANE
#: Wider than high: what a screen has, at the size of a usual card with its share of lines.
_RATIO = 1.7
_SHARE_OF_LINES = 70.0
_NARROWEST = 1_300.0
#: Stand-ins from which on lines to one card go together.
_MANY = 5_000


class Layout:
    """One drawing in the making: what every step reads and the next one needs."""

    def __init__(self, cards: Mapping[int, Card], lines: Mapping[int, Line]) -> None:
        """Put the cards on rows. `numbers`, `ids` and `loops` are those of cards, lines between two cards, and lines within one."""
        self.numbers = sorted(cards)
        self.cards = [cards[number] for number in self.numbers]
        place_of = {number: place for place, number in enumerate(self.numbers)}
        self.ids = [number for number in sorted(lines) if lines[number].referencing != lines[number].referenced]
        self.loops = [number for number in sorted(lines) if lines[number].referencing == lines[number].referenced]
        self.ends = {number: (place_of[lines[number].referencing], place_of[lines[number].referenced]) for number in lines}
        self.loops_of: dict[int, int] = defaultdict(int)
        for number in self.loops:
            self.loops_of[self.ends[number][0]] += 1
        #: Line -> whether it runs upwards, as all do that close no cycle.
        self.rows, self.up = self._rows()
        #: Line -> cards and stand-ins from the referenced to the referencing card.
        self.way = {number: way if self.up[number] else way[::-1] for number, way in zip(self.ids, self.rows.ways, strict=True)}
        self.exits: dict[int, Exit] = {}
        #: Middle of each card and stand-in.
        self.x: list[float] = []

    def _rows(self) -> tuple[Rows, dict[int, bool]]:
        pairs = [(self.ends[number][1], self.ends[number][0]) for number in self.ids]
        turned = downwards(len(self.cards), pairs)
        widths = [card.width + _CARD_GAP + 2 * FIRST_LANE + LANE * len(card.outgoing) for card in self.cards]
        area = sum(wide * (card.height + _SHARE_OF_LINES) for wide, card in zip(widths, self.cards, strict=True))
        layers = layer(widths, turned, max(sqrt(area * _RATIO), _NARROWEST))
        stand_ins = sum(layers[lower] - layers[upper] - 1 for upper, lower in turned)
        bundles = [self.ends[number][1] if stand_ins > _MANY else number for number in self.ids]
        return arrange(layers, turned, bundles), {
            number: pair == before for number, pair, before in zip(self.ids, turned, pairs, strict=True)
        }

    def place(self) -> None:
        """Place all twice: first with as many lanes on both sides, then with those that lines really take."""
        self.x = [0.0] * len(self.rows.layer)
        self._place()
        self._choose_exits()
        self._place()
        self._choose_exits()

    def _place(self) -> None:
        left, right, pins = [0.0] * len(self.rows.layer), [0.0] * len(self.rows.layer), self._pins()
        for number, card in enumerate(self.cards):
            exits = [self.exits[line] for line in card.outgoing if line in self.exits]
            for side, room in ((-1, left), (1, right)):
                lanes = max((each.lane + 1 for each in exits if each.side == side), default=0) if exits else (len(card.outgoing) + 1) // 2
                room[number] = card.width / 2 + (FIRST_LANE + LANE * (lanes - 1) if lanes else 0.0)
        cards = self.rows.cards

        def gap(one: int, other: int) -> float:
            return (_CARD_GAP, _MIXED_GAP, _LINE_GAP)[(one >= cards) + (other >= cards)]

        self.x = place(self.rows, left, right, gap, lambda one, other: pins.get((one, other), 0.0))

    def lane(self, number: int) -> float:
        """Where a line turns beside its referencing card."""
        card = self.ends[number][0]
        return self.x[card] + self.exits[number].offset(self.cards[card].width)

    def _pins(self) -> dict[tuple[int, int], float]:
        found: dict[tuple[int, int], list[float]] = defaultdict(list)
        for number in self.ids:
            if number in self.exits:
                way = self.way[number]
                found[way[-1], way[-2]].append(self.exits[number].offset(self.cards[way[-1]].width))
        return {pair: sum(offsets) / len(offsets) for pair, offsets in found.items()}

    def _choose_exits(self) -> None:
        mine: dict[int, list[int]] = defaultdict(list)
        for number, (referencing, _) in self.ends.items():
            mine[referencing].append(number)
        loops = set(self.loops)
        chosen: dict[int, Exit] = {}
        for card, numbers in mine.items():
            goals = {number: self.x[self.way[number][-2]] - self.x[card] for number in numbers if number not in loops}
            chosen |= choose_exits(
                [number for number in numbers if number not in loops and self.up[number]],
                [number for number in numbers if number not in loops and not self.up[number]],
                [number for number in numbers if number in loops],
                goals.__getitem__,
                self.cards[card].width,
                # Turn about: a long chain of tables stays upright.
                prefer=1 if self.rows.layer[card] % 2 else -1,
            )
        self.exits = chosen
