"""Findings from relationships: which, how bad, in which order, and that each has its page."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Candidate, Relationship, Tier
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns

NOW = datetime(2024, 5, 1, tzinfo=UTC)
NONE = RowCount(value=0, exactness=Exactness.EXACT, as_of=NOW)
SOME = RowCount(value=1234, exactness=Exactness.EXACT, as_of=NOW)
ORDERS, USERS = columns("orders", "user_id"), columns("users", "id")
KEY = a_foreign_key(ORDERS, USERS)
BOTH = f"{ORDERS}->{USERS}"

PAGES = Path(__file__).resolve().parents[3] / "docs" / "findings"


def a_shop(*, indexed: bool = True, key: bool = False, user_id: str = "integer", users_key: str | tuple[str, ...] = "id") -> Catalog:
    """Return users and orders, without a finding unless asked for one."""
    return a_catalog(
        a_table("users", "id integer", "name text not null", key=users_key),
        a_table("orders", f"user_id {user_id}", indexes=[("user_id",)] if indexed else [], foreign_keys=[KEY] if key else []),
    )


def with_keys(*keys: ForeignKey) -> Catalog:
    """Return a shop that declares these keys."""
    catalog = a_shop()
    return replace(catalog, tables={**catalog.tables, ORDERS.table: replace(catalog.tables[ORDERS.table], foreign_keys=keys)})


def between(catalog: Catalog, count: RowCount = NONE, *, confidence: float = 0.95) -> tuple[Relationship, ...]:
    """Return the one relationship of a shop, declared or inferred."""
    candidates = [] if catalog.foreign_keys else [Candidate(referencing=ORDERS, referenced=USERS, confidence=confidence, evidence=())]
    return derive_relationships(catalog, candidates, {BOTH: count})


def found(catalog: Catalog, relationships: tuple[Relationship, ...]) -> list[tuple[FindingKind, Severity]]:
    return [(finding.kind, finding.severity) for finding in derive_findings(catalog, relationships)]


def test_a_sound_database_has_no_findings() -> None:
    """Declared, validated, indexed, counted, nothing missing."""
    catalog = a_shop(key=True)

    assert derive_findings(catalog, between(catalog)) == ()


def test_an_undeclared_key_warns_when_it_would_be_planned() -> None:
    """Below that confidence it is only good to know."""
    catalog = a_shop()

    assert found(catalog, between(catalog)) == [(FindingKind.UNDECLARED_KEY, Severity.WARN)]
    assert found(catalog, between(catalog, confidence=0.5)) == [(FindingKind.UNDECLARED_KEY, Severity.INFO)]


def test_orphan_rows_are_errors_where_the_relationship_is_certain() -> None:
    """A doubtful relationship does not become a certain problem by not fitting."""
    declared, inferred = a_shop(key=True), a_shop()

    assert found(declared, between(declared, SOME)) == [(FindingKind.ORPHAN_ROWS, Severity.ERROR)]
    assert found(inferred, between(inferred, SOME))[0] == (FindingKind.ORPHAN_ROWS, Severity.ERROR)
    assert found(inferred, between(inferred, SOME, confidence=0.5)) == [
        (FindingKind.ORPHAN_ROWS, Severity.INFO),
        (FindingKind.UNDECLARED_KEY, Severity.INFO),
    ]


def test_a_missing_index_warns_unless_the_relationship_is_in_doubt() -> None:
    """Nobody builds an index for a guess."""
    declared, inferred = a_shop(key=True, indexed=False), a_shop(indexed=False)

    assert found(declared, between(declared)) == [(FindingKind.UNINDEXED_KEY, Severity.WARN)]
    assert (FindingKind.UNINDEXED_KEY, Severity.WARN) in found(inferred, between(inferred))
    assert FindingKind.UNINDEXED_KEY not in {kind for kind, _ in found(inferred, between(inferred, confidence=0.5))}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"validated": False}, [(FindingKind.NOT_VALIDATED_KEY, Severity.WARN)]),
        ({"validated": False, "enforced": False}, [(FindingKind.NOT_ENFORCED_KEY, Severity.WARN)]),
        ({"triggers_enabled": False}, [(FindingKind.NOT_ENFORCED_KEY, Severity.ERROR)]),
        (
            {"triggers_enabled": False, "validated": False},
            [(FindingKind.NOT_ENFORCED_KEY, Severity.ERROR), (FindingKind.NOT_VALIDATED_KEY, Severity.WARN)],
        ),
    ],
)
def test_keys_that_do_not_protect(changes: dict[str, bool], expected: list[tuple[FindingKind, Severity]]) -> None:
    """Not enforced says all; disabled triggers are worse, because the catalog calls the key valid."""
    catalog = with_keys(replace(KEY, **changes))

    assert found(catalog, between(catalog)) == expected


def test_types_that_cannot_be_compared() -> None:
    """No key can be made, so none is called missing, and not counting the rows needs no finding of its own."""
    catalog = a_shop(user_id="text")
    unknown = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=NOW, reason="no operator")

    assert found(catalog, between(catalog, unknown)) == [(FindingKind.TYPE_MISMATCH, Severity.WARN)]
    assert found(catalog, between(catalog, unknown, confidence=0.5)) == [(FindingKind.TYPE_MISMATCH, Severity.INFO)]


def test_nothing_unique_to_reference() -> None:
    """The table lacks a primary key as well, which is a finding about the table."""
    catalog = a_shop(users_key=())

    assert found(catalog, between(catalog)) == [
        (FindingKind.NO_PRIMARY_KEY, Severity.WARN),
        (FindingKind.REFERENCED_NOT_UNIQUE, Severity.WARN),
    ]


def test_rows_that_could_not_be_counted() -> None:
    """The reason is repeated; a relationship that nobody tried to count has none."""
    catalog = a_shop(key=True)
    refused = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=NOW, reason="row security hides rows")

    (finding,) = derive_findings(catalog, between(catalog, refused))

    assert (finding.kind, finding.severity) == (FindingKind.NOT_AUDITABLE, Severity.WARN)
    assert finding.message == "The orphan rows of public.orders(user_id) were not counted: row security hides rows."
    assert derive_findings(catalog, between(catalog, replace(refused, reason=""))) == ()


def test_tables_that_need_no_primary_key() -> None:
    """Foreign tables cannot have one; books of migration tools are not ours to judge."""
    bare = a_table("log", "at date", key=())
    catalog = a_catalog(
        replace(bare, kind=TableKind.FOREIGN), a_table("schema_migrations", "version text", key=()), a_table("x", "a text", key=())
    )

    assert [str(finding.table) for finding in derive_findings(catalog, ())] == ["public.x"]


def test_the_worst_come_first_then_by_id() -> None:
    """So that a page of findings starts with what hurts now."""
    catalog = a_shop(indexed=False, users_key=("id", "name"))
    relationships = (*between(a_shop(indexed=False, key=True), SOME),)
    findings = derive_findings(
        replace(catalog, tables={**catalog.tables, **a_catalog(a_table("a", "b text", key=())).tables}), relationships
    )

    assert [(finding.severity, finding.id) for finding in findings] == sorted(
        ((finding.severity, finding.id) for finding in findings), key=lambda pair: (-pair[0], pair[1])
    )
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARN, Severity.WARN]


def test_a_key_declared_twice_gives_each_finding_once() -> None:
    """Two constraints on the same columns are one relationship; the worse finding stands."""
    twin = replace(KEY, oid=1, name="twin", validated=False)
    catalog = with_keys(KEY, twin)

    assert found(catalog, between(catalog, SOME)) == [
        (FindingKind.ORPHAN_ROWS, Severity.ERROR),
        (FindingKind.NOT_VALIDATED_KEY, Severity.WARN),
    ]


def test_sentences_of_orphan_rows() -> None:
    """Numbers agree with their verbs; doubt is said."""
    catalog = a_shop()
    one = replace(SOME, value=1)

    def message(count: RowCount, confidence: float) -> str:
        findings = derive_findings(catalog, between(catalog, count, confidence=confidence))
        return next(finding.message for finding in findings if finding.kind is FindingKind.ORPHAN_ROWS)

    assert message(SOME, 0.95) == "1234 rows of public.orders reference nothing in public.users(id) through user_id."
    assert (
        message(one, 0.5) == "1 row of public.orders references nothing in public.users(id) through user_id, if the relationship is meant."
    )


def every_kind() -> list[Finding]:
    """Return findings of as many kinds as there are."""
    changes: list[dict[str, bool]] = [{"validated": False}, {"validated": False, "enforced": False}, {"triggers_enabled": False}]
    catalogs = [a_shop(indexed=False), a_shop(user_id="text"), a_shop(users_key=()), *(with_keys(replace(KEY, **each)) for each in changes)]
    refused = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=NOW, reason="a reason")
    return [finding for catalog in catalogs for count in (SOME, refused) for finding in derive_findings(catalog, between(catalog, count))]


def test_every_kind_speaks_in_three_sentences() -> None:
    """Each of the three is there, starts like a sentence and ends like one."""
    findings = every_kind()

    assert {finding.kind for finding in findings} == set(FindingKind)
    for finding in findings:
        for text in (finding.message, finding.consequence, finding.cure):
            assert re.fullmatch(r"[A-Z0-9a-z].*[^.]\.", text), text


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_its_page(kind: FindingKind) -> None:
    """With the same headings on each."""
    page = (PAGES / f"{kind.lower()}.md").read_text()

    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Summary", "Why it matters", "How we detect it", "How to resolve", "False positives"]


def test_every_page_has_its_kind() -> None:
    """A kind that is gone takes its page along."""
    assert {page.stem for page in PAGES.glob("*.md")} == {kind.lower() for kind in FindingKind}


def test_tiers_are_as_these_tests_think() -> None:
    """0.95 is planned, 0.5 is not."""
    catalog = a_shop()

    assert [between(catalog)[0].tier, between(catalog, confidence=0.5)[0].tier] == [Tier.PLAN, Tier.REVIEW]
