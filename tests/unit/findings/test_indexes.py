"""Findings about indexes: what the definitions prove to be superfluous, what is near but does not serve, what is invalid."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, Index, TableKind
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.redundant import redundant_indexes
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, an_index, columns

PLAIN = "btree (a)"


def defined(name: str, keys: str, *, unique: bool = False, constraint: str = "", usable: bool = True) -> Index:
    """Return an index as PostgreSQL prints it: `btree (a, lower(b)) INCLUDE (c) WHERE (d > 0)`."""
    method, _, rest = keys.partition(" ")
    inside, _, tail = rest.partition(" INCLUDE ")
    inside, _, where = inside.partition(" WHERE ")
    included, _, more = tail.partition(" WHERE ")
    elements = inside.strip("()").split(", ")
    known = [element.split(" ")[0] if element.replace(" DESC", "").isidentifier() else "" for element in elements]
    index = an_index(*known, name=name, unique=unique, method=method, predicate=where or more or None)
    return replace(
        index,
        key_columns=tuple(replace(column, name=column.name or None) for column in index.key_columns),
        included_columns=tuple(included.strip("()").split(", ")) if included else (),
        constraint_name=constraint,
        is_usable=usable,
        definition=f'CREATE {"UNIQUE " if unique else ""}INDEX {name} ON public."t (x) USING" USING {keys}',
    )


def with_indexes(*indexes: Index, kind: TableKind = TableKind.TABLE) -> Catalog:
    table = a_table("t", "a integer", "b integer", "c integer", "d integer")
    return a_catalog(replace(table, indexes=(*table.indexes, *indexes), kind=kind))


def gone(*indexes: Index) -> list[tuple[str, str]]:
    (table,) = with_indexes(*indexes).tables.values()
    return [(index.name, cover.name) for index, cover in redundant_indexes(table)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (PLAIN, PLAIN, True),
        (PLAIN, "btree (a, b)", True),
        (PLAIN, "btree (b, a)", False),
        (PLAIN, "btree (a DESC)", False),
        (PLAIN, "btree (a text_pattern_ops, b)", False),
        (PLAIN, "hash (a)", False),
        (PLAIN, "btree (a, b) WHERE (c > 0)", False),
        ("btree (a) WHERE (c > 0)", "btree (a)", False),
        ("btree (a) WHERE (c > 0)", "btree (a) WHERE (c > 0)", True),
        ("btree (a) WHERE (c > 0)", "btree (a, b) WHERE (c > 0)", False),
        ("btree (lower(a))", "btree (lower(a))", True),
        ("btree (lower(a))", "btree (lower(a), b)", False),
        ("btree (a) INCLUDE (b)", "btree (a, b)", True),
        ("btree (a) INCLUDE (b)", "btree (a, c)", False),
        ("btree (a) INCLUDE (b)", "btree (a)", False),
        ("hash (a)", "hash (a)", True),
        ("gin (a)", "gin (a, b)", False),
        ("btree (coalesce(a, 1), b)", "btree (coalesce(a, 2), b)", False),
        ("btree (((a || ', ('::text)))", "btree (((a || ', ('::text)))", True),
    ],
)
def test_an_index_is_redundant_when_the_definitions_prove_it(one: str, other: str, *, expected: bool) -> None:
    """Same elements from the first on, same method and predicate; partial and expression indexes only if all is the same."""
    assert (("one", "other") in gone(defined("other", other), defined("one", one))) == expected


def test_of_equals_the_needed_one_stays_and_then_the_older() -> None:
    first, second = defined("first", PLAIN), defined("second", PLAIN)

    assert gone(second, first) == [("second", "first")]
    assert gone(first, defined("needed", PLAIN, unique=True)) == [("first", "needed")]
    assert gone(first, replace(second, constraint_name="x")) == [("first", "second")]


def test_what_is_needed_or_unusable_neither_goes_nor_covers() -> None:
    """A unique index enforces something, and an invalid one serves nothing."""
    wide = defined("wide", "btree (a, b)")

    assert gone(defined("one", PLAIN, unique=True), wide) == []
    assert gone(defined("one", PLAIN), replace(wide, is_usable=False)) == []
    assert gone(defined("one", PLAIN, usable=False), wide) == []
    assert gone(defined("one", PLAIN), replace(wide, definition="")) == []


def test_of_several_beginnings_each_names_one_that_stays() -> None:
    assert gone(defined("a", PLAIN), defined("ab", "btree (a, b)"), defined("abc", "btree (a, b, c)")) == [("a", "abc"), ("ab", "abc")]


def findings(catalog: Catalog) -> list[Finding]:
    return list(derive_findings(catalog, derive_relationships(catalog, (), {})))


def test_a_redundant_index_is_dropped_without_locking() -> None:
    """Only on a partitioned table does PostgreSQL refuse CONCURRENTLY."""
    indexes = defined("one", PLAIN), defined("other", "btree (a, b)")
    (finding,) = findings(with_indexes(*indexes))
    (partitioned,) = findings(with_indexes(*indexes, kind=TableKind.PARTITIONED))

    assert (finding.kind, finding.severity, finding.part) == (FindingKind.REDUNDANT_INDEX, Severity.INFO, "one")
    assert finding.cure == 'Run DROP INDEX CONCURRENTLY "public"."one".'
    assert partitioned.cure.startswith('Run DROP INDEX "public"."one" when')


def test_an_invalid_index_is_built_again() -> None:
    (finding,) = findings(with_indexes(defined("one", PLAIN, unique=True, usable=False)))

    assert (finding.kind, finding.severity, finding.part) == (FindingKind.INVALID_INDEX, Severity.WARN, "one")
    assert 'run DROP INDEX CONCURRENTLY "public"."one", then CREATE UNIQUE INDEX CONCURRENTLY one ON public.' in finding.cure


@pytest.mark.parametrize("name", ["one_ccnew", "one_ccold", "one_ccnew2"])
def test_what_a_failed_reindex_left_is_only_dropped(name: str) -> None:
    """The index that was to be rebuilt is still there."""
    (finding,) = findings(with_indexes(defined(name, PLAIN, usable=False)))

    assert finding.cure.endswith(f'run DROP INDEX CONCURRENTLY "public"."{name}".')


def test_an_incomplete_index_of_a_partitioned_table_is_completed() -> None:
    (finding,) = findings(with_indexes(defined("one", PLAIN, usable=False), kind=TableKind.PARTITIONED))

    assert 'ALTER INDEX "public"."one" ATTACH PARTITION' in finding.cure


def referencing(*indexes: Index, targets: tuple[str, ...] = ("u",)) -> list[Finding]:
    """Return the findings about missing indexes of t(a, b), which references each of the targets."""
    keys = [replace(a_foreign_key(columns("t", "a", "b"), columns(target, "x", "y")), name=f"to_{target}") for target in targets]
    table = a_table("t", "a integer", "b integer", "c integer", foreign_keys=keys)
    referenced = [a_table(target, "x integer", "y integer", key=("x", "y")) for target in targets]
    catalog = a_catalog(replace(table, indexes=(*table.indexes, *indexes)), *referenced)
    return [finding for finding in findings(catalog) if finding.kind is FindingKind.UNINDEXED_KEY]


@pytest.mark.parametrize(
    ("indexes", "near"),
    [
        ((), ""),
        ((defined("i", "btree (a, c)"),), ': index "i" covers only (a)'),
        ((defined("i", "btree (c, a, b)"),), ""),
        ((defined("i", "btree (a, b)", usable=False),), ': index "i" is invalid'),
    ],
)
def test_a_missing_index_tells_what_comes_near(indexes: tuple[Index, ...], near: str) -> None:
    (finding,) = referencing(*indexes)

    assert finding.message == f"No usable index serves lookups by public.t(a, b){near}."


def test_a_key_beyond_planning_is_not_planned_for_its_index() -> None:
    """Declared and valid: a plan leaves it alone, so only the statement helps."""
    (finding,) = referencing()

    assert finding.cure == 'Run CREATE INDEX CONCURRENTLY ON "public"."t" ("a", "b").'


def test_an_invalid_index_is_rebuilt_rather_than_doubled() -> None:
    (finding,) = referencing(defined("i", "btree (a, b)", usable=False))

    assert "DROP INDEX CONCURRENTLY" in finding.cure
    assert finding.cure.count("CREATE INDEX") == 1


def test_one_missing_index_is_one_finding() -> None:
    """Two keys on the same columns want the same index."""
    (finding,) = referencing(targets=("u", "v"))

    assert "Each row deleted from public.u or public.v reads the whole of public.t" in finding.consequence


def test_indexes_of_tables_that_are_not_ours_are_left_alone() -> None:
    """A partition's or an extension's index cannot be dropped, and a backup's is nobody's concern."""
    catalog = with_indexes(defined("one", PLAIN), defined("other", PLAIN), defined("bad", PLAIN, usable=False))
    (name,) = catalog.tables

    assert len(findings(catalog)) == 2
    assert findings(replace(catalog, tables={name: replace(catalog.tables[name], only_referenced=True)})) == []
