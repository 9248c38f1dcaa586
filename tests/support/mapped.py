"""Relationships and outlines for maps and reports, in one line each; and what is drawn where on a map, read back from its SVG."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.catalog.outline import TableOutline, outline
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Relationship, Risk, Tier
from holdfastd.names import ColumnSet, TableName
from support.builders import a_catalog, a_table

_SVG = "{http://www.w3.org/2000/svg}"
_AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def a_relationship(
    referencing: ColumnSet,
    referenced: ColumnSet,
    *,
    orphan_rows: int | None = 0,
    declared: bool = False,
    validated: bool = False,
    enforced: bool = True,
    nullable: bool = False,
    tier: Tier = Tier.PLAN,
    constraint_name: str = "",
) -> Relationship:
    """Return a relationship; orphan rows None: nobody counted."""
    exactness = Exactness.NOT_COUNTED if orphan_rows is None else Exactness.EXACT
    return Relationship(
        referencing=referencing,
        referenced=referenced,
        declared=declared,
        validated=validated,
        enforced=declared and enforced,
        constraint_name=constraint_name,
        declared_on_delete=OnDelete.NO_ACTION if declared else None,
        nullable=nullable,
        confidence=1.0,
        tier=Tier.DECLARED if declared else tier,
        evidence=(),
        orphan_rows=RowCount(value=orphan_rows or 0, exactness=exactness, as_of=_AS_OF),
        risk=Risk.UNRATED,
        suggested_on_delete=OnDelete.NO_ACTION,
        rationale="",
        indexed=True,
        obstacle="",
        operators=(),
    )


def from_text(text: str, **facts: object) -> Relationship:
    """Return a relationship from `orders.customer_id -> customers.id`, names in schema public unless they have one."""
    sides = [side.strip().rsplit(".", 1) for side in text.split("->")]
    referencing, referenced = (
        ColumnSet(TableName(*(["public", *table.split(".")][-2:])), tuple(columns.strip("()").split(", "))) for table, columns in sides
    )
    return a_relationship(referencing, referenced, **facts)  # type: ignore[arg-type]


def outlines(*names: str | TableName, rows: float = 100.0) -> tuple[TableOutline, ...]:
    """Return tables with an integer key `id` and nothing else."""
    made = [name if isinstance(name, TableName) else TableName(*(["public", *name.split(".")][-2:])) for name in names]
    plain: Catalog = a_catalog(a_table("plain"))
    like = outline(plain)[0]
    return tuple(
        TableOutline(name=name, kind=like.kind, columns=like.columns, primary_key=("id",), row_estimate=rows) for name in sorted(made)
    )


@dataclass(frozen=True, slots=True)
class Box:
    """A card on the map."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def overlaps(self, other: "Box") -> bool:
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


@dataclass(frozen=True, slots=True)
class Map:
    """What is on a map: cards by table, and for each relationship where its lines begin and end."""

    root: ET.Element
    cards: Mapping[str, Box]
    lines: Mapping[str, list[tuple[tuple[float, float], tuple[float, float]]]]


def read_map(svg: str) -> Map:
    """Read a map back. Whatever is no well-formed XML fails here."""
    root = ET.fromstring(svg)  # noqa: S314 (our own)
    cards, lines = {}, defaultdict(list)
    for group in root.iter(f"{_SVG}g"):
        if (table := group.get("data-table")) is not None:
            assert table not in cards
            box = next(each for each in group if each.get("class") == "box")
            cards[table] = Box(*(float(box.get(name, "nan")) for name in ("x", "y", "width", "height")))
        elif (relationship := group.get("data-relationship")) is not None:
            by_class = {each.get("class"): each.get("d", "") for each in group}
            lines[relationship].append((_first(by_class["way"]), _first(by_class["tip"])))
    return Map(root=root, cards=cards, lines=dict(lines))


def _first(path: str) -> tuple[float, float]:
    match = re.match(r"M(-?[\d.]+) (-?[\d.]+)", path)
    assert match, path
    return float(match[1]), float(match[2])
