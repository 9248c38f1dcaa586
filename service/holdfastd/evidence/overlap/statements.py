"""The SELECTs that compare a sample of values with keys, as text. Pure.

Many are asked in one statement: a round trip is often dearer than a look into an index. Of the values nothing but the lowest and the
highest whole number leaves the server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Operator, Table
from holdfastd.evidence.counting.gap_walk import GREATEST
from holdfastd.evidence.statements import from_only, key_match
from holdfastd.names import ColumnSet, identifier, identifiers

#: Distinct values in a sample, at most.
SAMPLED = 1_000
#: Rows of a key counted one by one, at most; above, the server's estimate does.
COUNTED = 10_000
#: Values of a key looked at to tell how it is written.
_LOOKED_AT = 100
_WHOLE = frozenset({"int2", "int4", "int8"})
#: Rows with one value, counted one by one, at most, where an index leads to them.
_COUNTED_SAME = 100
#: How a sample calls its own columns; no column of a target is called so.
_ROWS = '"rows of this value"'
_HOP = '"number of this hop"'
#: Rows that a sample of pages is to hold, so that enough of them differ.
_SAMPLED_ROWS = 20 * SAMPLED
#: Rows read at most; tables above so many are sampled by pages.
READ = 5 * _SAMPLED_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A key that a sample is looked up in."""

    referenced: ColumnSet
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Referencing columns and the keys their values are looked up in."""

    referencing: ColumnSet
    aims: tuple[Aim, ...]
    #: Hop from value to value through an index instead of reading rows.
    hops: bool = False


#: Lowest and highest value of a key of whole numbers.
Range = tuple[int, int]


def is_whole_number(table: Table, columns: tuple[str, ...]) -> bool:
    """Tell whether a key is one column of whole numbers."""
    if len(columns) != 1:
        return False
    kind = table.column(columns[0]).type
    return kind.base_schema == "pg_catalog" and kind.base_name in _WHOLE


def probe_sql(catalog: Catalog, probes: Sequence[Probe], ranges: Mapping[ColumnSet, Range]) -> str:
    """Return the SELECT of one row per probe: its number, values sampled, and in the order of its keys how many each holds.

    Of keys with a range also how many values lie in it, how many of those have a neighbour there, and the lowest and highest of them.
    """
    return "\nUNION ALL\n".join(_one_probe(catalog, number, probe, ranges) for number, probe in enumerate(probes))


def key_sql(catalog: Catalog, keys: Sequence[ColumnSet]) -> str:
    """Return the SELECT of one row per key: its number, rows counted, lowest and highest value, mean length, and whether all are digits."""
    return "\nUNION ALL\n".join(_one_key(catalog, number, key) for number, key in enumerate(keys))


def _one_probe(catalog: Catalog, number: int, probe: Probe, ranges: Mapping[ColumnSet, Range]) -> str:
    table = catalog.tables[probe.referencing.table]
    is_whole = is_whole_number(table, probe.referencing.columns)
    found = [f"{_is_found(catalog, probe.referencing, aim)} AS found_{place}" for place, aim in enumerate(probe.aims)]
    value = f"sample.{identifier(probe.referencing.columns[0])}::pg_catalog.int8" if is_whole else "NULL::pg_catalog.int8"
    bounds = [ranges.get(aim.referenced) if is_whole else None for aim in probe.aims]
    found += [
        f"{_is_next_found(catalog, aim, value) if bounds[place] else 'false'} AS near_{place}" for place, aim in enumerate(probe.aims)
    ]
    within = [_within(place, each) for place, each in enumerate(bounds)]
    hits = [f"pg_catalog.count(*) FILTER (WHERE looked.found_{place})" for place in range(len(probe.aims))]
    rows = [f"pg_catalog.sum(looked.rows) FILTER (WHERE looked.found_{place})" for place in range(len(probe.aims))]
    inside, near, lowest, highest = zip(*within, strict=True)
    # Materialized: each value is looked up once, however often the answer is counted.
    return f"""(WITH RECURSIVE {_sample(table, probe)},
looked AS MATERIALIZED (SELECT {value} AS value, sample.{_ROWS} AS rows, {", ".join(found)} FROM sample)
SELECT {number} AS number, pg_catalog.count(*) AS sampled, pg_catalog.sum(looked.rows)::pg_catalog.float8 AS rows,
       pg_catalog.sum(looked.rows::pg_catalog.float8 ^ 2) AS squares, {_array(hits)} AS found, {_array(rows)} AS found_rows,
       {_array(inside)} AS inside, {_array(near)} AS near, {_array(lowest)} AS lowest, {_array(highest)} AS highest
FROM looked)"""


def _within(place: int, bounds: Range | None) -> tuple[str, str, str, str]:
    """Return how many values lie in a range, how many of their neighbours the key holds, and the lowest and highest of them."""
    if bounds is None:
        return ("NULL",) * 4
    # In parentheses: the lowest bigint is one only together with its sign.
    inside = f"looked.value BETWEEN ({bounds[0]})::pg_catalog.int8 AND ({bounds[1]})::pg_catalog.int8"
    return (
        f"pg_catalog.count(*) FILTER (WHERE {inside})",
        f"pg_catalog.count(*) FILTER (WHERE {inside} AND looked.near_{place})",
        f"pg_catalog.min(looked.value) FILTER (WHERE {inside})",
        f"pg_catalog.max(looked.value) FILTER (WHERE {inside})",
    )


def _is_found(catalog: Catalog, referencing: ColumnSet, aim: Aim) -> str:
    match = key_match(catalog, referencing, aim.referenced, aim.operators, referencing_alias="sample")
    return f"EXISTS (SELECT FROM {from_only(catalog.tables[aim.referenced.table])} AS referenced WHERE {match})"


def _is_next_found(catalog: Catalog, aim: Aim, value: str) -> str:
    """Return whether a key of whole numbers holds a value's neighbour: where it does, finding the value itself means little."""
    table = catalog.tables[aim.referenced.table]
    column = f"referenced.{identifier(aim.referenced.columns[0])}"
    # The greatest bigint has no next number.
    following = f"nullif({value}, {GREATEST}) + 1"
    return f"EXISTS (SELECT FROM {from_only(table)} AS referenced WHERE {column} OPERATOR(pg_catalog.=) ({following}))"


def _array(expressions: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(expressions)}]::pg_catalog.int8[]"


def _sample(table: Table, probe: Probe) -> str:
    """Return the WITH clause of the distinct values that are looked up, the most frequent first, and in how many rows each is."""
    columns = identifiers(probe.referencing.columns)
    if probe.hops:
        return _hops(table, identifier(probe.referencing.columns[0]))
    present = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in probe.referencing.columns)
    # Limited, too: estimates are old, or missing.
    read = f"SELECT {columns} FROM {from_only(table)}{_pages(table)} WHERE {present} LIMIT {READ}"
    return (
        f"sample AS MATERIALIZED (SELECT {columns}, pg_catalog.count(*) AS {_ROWS} FROM ({read}) AS read"
        f" GROUP BY {columns} ORDER BY {_ROWS} DESC LIMIT {SAMPLED})"
    )


def _hops(table: Table, column: str) -> str:
    own = from_only(table)
    return f"""hop ({column}, {_HOP}) AS (
    (SELECT first.{column}, 1 FROM {own} AS first WHERE first.{column} IS NOT NULL ORDER BY first.{column} LIMIT 1)
    UNION ALL
    SELECT (SELECT next.{column} FROM {own} AS next WHERE next.{column} > hop.{column} ORDER BY next.{column} LIMIT 1), hop.{_HOP} + 1
    FROM hop
    WHERE hop.{column} IS NOT NULL AND hop.{_HOP} < {SAMPLED}
), sample AS MATERIALIZED (
    SELECT hop.{column}, (
        SELECT pg_catalog.count(*) FROM (SELECT FROM {own} AS same WHERE same.{column} = hop.{column} LIMIT {_COUNTED_SAME}) AS counted
    ) AS {_ROWS}
    FROM hop
    WHERE hop.{column} IS NOT NULL
)"""


def _pages(table: Table) -> str:
    """Return the TABLESAMPLE of a large table: the same pages every time, so that two audits of the same rows say the same."""
    if table.row_estimate <= READ:
        return ""
    return f" TABLESAMPLE pg_catalog.system ({100 * _SAMPLED_ROWS / table.row_estimate:.6f}) REPEATABLE (0)"


def _one_key(catalog: Catalog, number: int, key: ColumnSet) -> str:
    table = catalog.tables[key.table]
    own, column = from_only(table), identifier(key.columns[0])
    counted = f"(SELECT pg_catalog.count(*) FROM (SELECT FROM {own} LIMIT {COUNTED + 1}) AS counted)"
    lowest = highest = "NULL::pg_catalog.int8"
    length, digits = "NULL::pg_catalog.float8", "NULL::pg_catalog.bool"
    source = ""
    if is_whole_number(table, key.columns):
        lowest = f"(SELECT pg_catalog.min(first.{column}) FROM {own} AS first)::pg_catalog.int8"
        highest = f"(SELECT pg_catalog.max(last.{column}) FROM {own} AS last)::pg_catalog.int8"
    elif len(key.columns) == 1:
        length = "pg_catalog.avg(pg_catalog.length(value.written))::pg_catalog.float8"
        digits = "pg_catalog.bool_and(value.written OPERATOR(pg_catalog.~) '^[0-9]+$')"
        # Under any collation: a nondeterministic one knows no regular expressions.
        written = f'key.{column}::pg_catalog.text COLLATE pg_catalog."C"'
        source = f" FROM (SELECT {written} AS written FROM {own} AS key LIMIT {_LOOKED_AT}) AS value"
    return f"""(SELECT {number} AS number, {counted} AS rows, {lowest} AS lowest, {highest} AS highest,
       {length} AS length, {digits} AS digits{source})"""
