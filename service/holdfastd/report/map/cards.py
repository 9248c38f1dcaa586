"""Tables as cards: what is written on each and how large it is. In come tables and relationships, out come cards and lines between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, readable
from holdfastd.report.map.lettering import cut, short_number, width
from holdfastd.report.map.states import State, column_words, ends, heat, orphan_rows, state_of

#: Font sizes.
NAME, SMALL, TINY = 13.0, 11.0, 10.0
#: Heights: the part with the name, with a schema above it, and each row.
HEAD, TALL_HEAD, ROW, FOOT = 30.0, 42.0, 19.0, 5.0
_NARROWEST, _WIDEST = 136.0, 300.0
#: Room between two lines that end at one card, and the width up to which a card grows to give them that.
PORT, _BROADEST = 9.0, 420.0
_MARGIN = 12.0
_KEY_SIGN = 16.0


@dataclass(slots=True, kw_only=True)
class Line:
    """A relationship on the map."""

    relationship: Relationship
    #: Places of the two cards in their list.
    referencing: int
    referenced: int
    state: State
    heat: int
    orphans: int
    #: What its row says, and the width of the sign with the orphan rows before it; 0: there are none.
    label: str
    sign: str
    sign_width: float


@dataclass(slots=True, kw_only=True)
class Card:
    """A table on the map."""

    name: TableName
    #: Empty when the schema goes without saying.
    schema: str
    title: str
    #: Key columns and their type; both may be empty.
    key: str
    key_type: str
    #: Number of rows in short; empty when unknown.
    rows: str
    row_estimate: float
    width: float
    height: float
    orphans: int = 0
    heat: int = 0
    #: Lines that leave and enter it, by their place in their list.
    outgoing: list[int] = field(default_factory=list)
    incoming: list[int] = field(default_factory=list)

    @property
    def first_row(self) -> float:
        """Distance from the upper border to where the rows of lines begin."""
        return (TALL_HEAD if self.schema else HEAD) + (ROW if self.key else 0.0)


def make_cards(
    names: Sequence[TableName], known: Mapping[TableName, TableOutline], relationships: Sequence[Relationship], schema: str
) -> tuple[list[Card], list[Line]]:
    """Return the cards of the named tables and the lines between them; every relationship must be between two of them."""
    cards = [_card(name, known.get(name), schema) for name in names]
    place = {name: number for number, name in enumerate(names)}
    lines: list[Line] = []
    for relationship in relationships:
        referencing, referenced = (place[name] for name in ends(relationship))
        line = _line(relationship, referencing, referenced, cards[referencing])
        for card, list_ in ((cards[referencing], "outgoing"), (cards[referenced], "incoming")):
            getattr(card, list_).append(len(lines))
        if not cards[referenced].key:
            cards[referenced].key = cut(column_words(relationship.referenced), SMALL, _WIDEST - 2 * _MARGIN - _KEY_SIGN)
        cards[referencing].orphans += line.orphans
        cards[referencing].heat = max(cards[referencing].heat, line.heat)
        lines.append(line)
    for card in cards:
        _size(card, [lines[number] for number in card.outgoing])
    return cards, lines


def _card(name: TableName, table: TableOutline | None, schema: str) -> Card:
    types = {column.name: column.type for column in table.columns} if table else {}
    key = table.primary_key if table else ()
    estimate = table.row_estimate if table else -1.0
    room = _WIDEST - 2 * _MARGIN
    rows = _rows(estimate, room - width(readable(name.name), NAME, bold=True) - 10)
    words = cut(", ".join(readable(column) for column in key), SMALL, room - _KEY_SIGN)
    type_ = types.get(key[0], "") if len(key) == 1 else ""
    return Card(
        name=name,
        schema="" if name.schema == schema else cut(readable(name.schema), TINY, room),
        title=cut(readable(name.name), NAME, room - (width(rows, SMALL) + 10 if rows else 0), bold=True),
        key=words,
        key_type=cut(_short_type(type_), TINY, max(room - _KEY_SIGN - width(words, SMALL) - 8, 30)) if type_ else "",
        rows=rows,
        row_estimate=estimate,
        width=0.0,
        height=0.0,
    )


def _rows(estimate: float, room: float) -> str:
    """Return how many rows there are, without the word where the name needs its room; empty when unknown."""
    if estimate < 0:
        return ""
    words = f"{short_number(estimate)} row{'s' * (estimate != 1)}"
    return words if width(words, SMALL) <= room else words.partition(" ")[0]


def _short_type(type_: str) -> str:
    for long, short in (
        ("character varying", "varchar"),
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
    ):
        type_ = type_.replace(long, short)
    return type_


def _line(relationship: Relationship, referencing: int, referenced: int, card: Card) -> Line:
    orphans = orphan_rows(relationship)
    sign = short_number(orphans) if orphans else "" if relationship.orphan_rows.is_known else "?"
    sign_width = width(sign, TINY, bold=True) + 10 if sign else 0.0
    room = _WIDEST - 2 * _MARGIN - sign_width
    return Line(
        relationship=relationship,
        referencing=referencing,
        referenced=referenced,
        state=state_of(relationship),
        heat=heat(relationship, card.row_estimate),
        orphans=orphans,
        label=cut(column_words(relationship.referencing), SMALL, room),
        sign=sign,
        sign_width=sign_width,
    )


def _size(card: Card, outgoing: Sequence[Line]) -> None:
    head = width(card.title, NAME, bold=True) + (width(card.rows, SMALL) + 10 if card.rows else 0)
    key = _KEY_SIGN + width(card.key, SMALL) + (width(card.key_type, TINY) + 8 if card.key_type else 0)
    rows = [width(line.label, SMALL) + (line.sign_width + 5 if line.sign else 0) for line in outgoing]
    widest = max(head, key, width(card.schema, TINY), *rows, 0.0) + 2 * _MARGIN
    ports = min(len(card.incoming) * PORT + 2 * PORT, _BROADEST)
    card.width = 2 * round(max(min(widest, _WIDEST), _NARROWEST, ports) / 2)
    card.height = card.first_row + len(outgoing) * ROW + FOOT
