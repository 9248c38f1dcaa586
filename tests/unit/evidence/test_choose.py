"""Which strategy is chosen, and what never is. Statistics in, a strategy and a reason out."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Table
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.counting.choose import choose, choose_all, possible_counts
from holdfastd.evidence.counting.model import ColumnStatistics, Strategy, Subject
from holdfastd.evidence.counting.run import part_blocks
from support.builders import a_catalog, a_table, columns

#: Ten million rows that point at a hundred thousand dense numbers, analysed and vacuumed, and no index on the column.
ROWS = ColumnStatistics(rows=10_000_000, pages=100_000, visible=1, distinct=2_000_000)
KEYS = ColumnStatistics(rows=100_000, pages=1_000, visible=1, distinct=100_000, lowest=1, highest=100_050, ordered_indexes=frozenset({1}))
INDEXED = frozenset({2})
LARGE = 3_000_000_000


#: The catalog's names of types that the builders call as format_type does.
NAMES = {"integer": "int4", "character": "bpchar", "timestamp without time zone": "timestamp"}


def subject(
    rows: ColumnStatistics = ROWS, keys: ColumnStatistics = KEYS, *, kind: str = "integer", key_kind: str = "", column: str = "c"
) -> Subject:
    catalog = a_catalog(a_table("t", f"c {kind}", f"d {kind}"), a_table("r", f"k {key_kind or kind} not null", key="k"))
    own, other = columns("t", column), columns("r", "k")
    operators = tuple(
        replace(each, left=named(each.left), right=named(each.right)) for each in resolve_operators(catalog, own, other) or ()
    )
    catalog = replace(catalog, tables={name: renamed(table) for name, table in catalog.tables.items()})
    tables = (catalog.tables[own.table], catalog.tables[other.table])
    return Subject(
        catalog=catalog,
        referencing=own,
        referenced=other,
        operators=operators,
        statistics={
            (tables[0].oid, tables[0].column(column).number): rows,
            (tables[1].oid, tables[1].column("k").number): keys,
        },
    )


def named(operand: tuple[str, str]) -> tuple[str, str]:
    return (operand[0], NAMES.get(operand[1], operand[1]))


def renamed(table: Table) -> Table:
    types = [replace(column.type, base_name=NAMES.get(column.type.base_name, column.type.base_name)) for column in table.columns]
    return replace(table, columns=tuple(replace(column, type=type_) for column, type_ in zip(table.columns, types, strict=True)))


@pytest.mark.parametrize("visible", [0, 1])
def test_an_indexed_column_and_dense_numbers_are_gap_walked(visible: float) -> None:
    """Vacuumed or not: rows outside gaps are never looked at."""
    chosen = choose(subject(replace(ROWS, ordered_indexes=INDEXED, visible=visible)))

    assert chosen.strategy is Strategy.GAP_WALK
    assert chosen.why == "the column is indexed and its 100000 referenced numbers leave at most 51 gaps"


def test_few_distinct_values_are_hopped_over() -> None:
    """Whatever their type."""
    chosen = choose(subject(replace(ROWS, ordered_indexes=INDEXED, distinct=200), kind="text"))

    assert (chosen.strategy, chosen.why) == (Strategy.LOOSE_SCAN, "the column is indexed and holds about 200 distinct values")


def test_many_distinct_values_are_not_believed() -> None:
    """ANALYZE saw 150,000 of a million: hopping would give up after a while, and the hash start only then."""
    chosen = choose(subject(replace(ROWS, ordered_indexes=INDEXED, distinct=150_000, visible=0), kind="text"))

    assert chosen.strategy is Strategy.HASH


def test_two_indexes_of_vacuumed_tables_are_merged() -> None:
    """Nothing beats reading two indexes of text side by side."""
    assert choose(subject(replace(ROWS, ordered_indexes=INDEXED), kind="text")).strategy is Strategy.MERGE


@pytest.mark.parametrize("side", ["rows", "keys"])
def test_unvacuumed_tables_are_neither_merged_nor_left_to_the_planner(side: str) -> None:
    """The trap: an index-only scan that visits the table for every row. The hash forbids the merge that the planner would choose."""
    rows = replace(ROWS, ordered_indexes=INDEXED, visible=0 if side == "rows" else 1)
    keys = replace(KEYS, visible=0 if side == "keys" else 1, rows=5_000_000)
    chosen = choose(subject(rows, keys, kind="text"))

    assert (chosen.strategy, chosen.settings["enable_mergejoin"]) == (Strategy.HASH, "off")


def test_dense_numbers_without_an_index_become_ranges() -> None:
    """And several keys of one table share the pass."""
    (choice,) = choose_all([subject(), subject(column="d")])

    assert (choice.count.strategy, len(choice.subjects)) == (Strategy.RANGES, 2)
    assert choice.count.why == "the referenced numbers leave at most 102 gaps, and 2 keys of the table share the pass"


def test_sparse_numbers_are_hashed() -> None:
    """Half of the numbers missing: as many gaps as keys."""
    assert choose(subject(keys=replace(KEYS, rows=5_000_000, highest=10_000_000))).strategy is Strategy.HASH


@pytest.mark.parametrize(
    "blind",
    [
        ColumnStatistics(),
        ColumnStatistics(rows=10_000_000, pages=100_000, visible=0, ordered_indexes=INDEXED),
    ],
    ids=["nothing noted", "pg_stats hidden"],
)
def test_without_statistics_the_plain_count_remains(blind: ColumnStatistics) -> None:
    """A role that may not read a column sees no pg_stats."""
    assert choose(subject(blind, replace(KEYS, lowest=None, highest=None))).strategy is Strategy.HASH


def test_small_tables_are_left_to_the_planner() -> None:
    """No choice is worth making below ten thousand rows."""
    rows, keys = replace(ROWS, rows=9_999, ordered_indexes=INDEXED, distinct=2), replace(KEYS, rows=9_999)

    assert choose(subject(rows, keys)).strategy is Strategy.HASH


@pytest.mark.parametrize("ordered_indexes", [INDEXED, frozenset()])
def test_few_rows_are_looked_up_among_many(ordered_indexes: frozenset[int]) -> None:
    """Hashing or merging a million keys for some thousand rows is most of the work."""
    rows = replace(ROWS, rows=9_000, distinct=8_000, ordered_indexes=ordered_indexes)
    chosen = choose(subject(rows, replace(KEYS, rows=1_000_000), kind="text"))

    assert (chosen.strategy, chosen.settings["enable_hashjoin"]) == (Strategy.PROBES, "off")


@pytest.mark.parametrize(("kind", "key_kind"), [("text", "character(9)"), ("integer", "numeric"), ("date", "timestamp without time zone")])
def test_unlike_types_are_not_merged(kind: str, key_kind: str) -> None:
    """Their indexes need not hold the same order."""
    rows = replace(ROWS, ordered_indexes=INDEXED)

    assert choose(subject(rows, kind=kind, key_kind=key_kind)).strategy is Strategy.HASH


def test_the_longest_count_comes_first() -> None:
    """So that no connection is left with it at the end."""
    short, long = subject(replace(ROWS, rows=20_000)), subject(kind="text", column="d")

    assert [choice.subjects[0] for choice in choose_all([short, long])] == [long, short]


def test_parts_repeat_little() -> None:
    """A part is as large as it takes for what each part repeats to stay a tenth of it."""
    count = choose(subject(keys=replace(KEYS, rows=5_000_000), kind="text"))
    size = 1_000_000

    step = part_blocks(count, size)

    assert count.repeated <= 0.1 * (count.cost - count.repeated) * step / size
    assert step < part_blocks(choose(subject(keys=replace(KEYS, rows=20_000_000), kind="text")), size)


@pytest.mark.parametrize(
    ("strategy", "rows", "keys", "kind"),
    [
        (Strategy.HASH, replace(ROWS, rows=LARGE), replace(KEYS, rows=LARGE, lowest=None), "text"),
        (Strategy.RANGES, replace(ROWS, rows=LARGE), KEYS, "integer"),
        (Strategy.MERGE, replace(ROWS, rows=LARGE, ordered_indexes=INDEXED, buckets=100), replace(KEYS, rows=LARGE), "text"),
        (Strategy.LOOSE_SCAN, replace(ROWS, rows=LARGE, ordered_indexes=INDEXED, buckets=100), replace(KEYS, rows=LARGE), "text"),
        (Strategy.GAP_WALK, replace(ROWS, rows=LARGE, ordered_indexes=INDEXED), replace(KEYS, rows=LARGE, highest=LARGE), "integer"),
        (Strategy.PROBES, replace(ROWS, rows=LARGE), replace(KEYS, rows=LARGE), "text"),
        (Strategy.PROBES, replace(ROWS, rows=LARGE, ordered_indexes=INDEXED, buckets=100), replace(KEYS, rows=LARGE), "text"),
    ],
)
def test_every_long_count_has_parts(strategy: Strategy, rows: ColumnStatistics, keys: ColumnStatistics, kind: str) -> None:
    """Whatever the strategy: minutes without a word are not acceptable."""
    (count,) = [count for count in possible_counts(subject(rows, keys, kind=kind)) if count.strategy is strategy]

    assert count.cost > 15_000
    assert bool(count.part_sql) != bool(count.part_sqls)
    assert len(count.part_sqls) != 1
