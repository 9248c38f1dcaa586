"""Findings from relationships: which, how bad, in which order, and that each has its page."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.inference.model import Alternative, Candidate, Relationship, Tier
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

    assert found(declared, between(declared, SOME)) == [(FindingKind.ORPHANS_UNDER_VALID_KEY, Severity.ERROR)]
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
        ({"triggers_enabled": False}, [(FindingKind.DISABLED_KEY, Severity.ERROR)]),
        (
            {"triggers_enabled": False, "validated": False},
            [(FindingKind.DISABLED_KEY, Severity.ERROR), (FindingKind.NOT_VALIDATED_KEY, Severity.WARN)],
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


@pytest.mark.parametrize(
    ("changes", "told", "consequence"),
    [
        ({"is_usable": False}, ': "users_name_key" is invalid.', "several rows at once."),
        ({"is_immediate": False}, ': "users_name_key" is deferrable.', "No foreign key can point there."),
        ({"predicate": "(id > 0)"}, ': "users_name_key" is partial.', "several rows at once."),
    ],
)
def test_an_index_that_is_almost_enough_is_named(changes: dict[str, object], told: str, consequence: str) -> None:
    """So that nobody builds a second one beside it without having seen it."""
    referenced = columns("users", "name")
    users = a_table("users", "name text", unique=[("name",)])
    indexes = tuple(replace(index, **changes) if index.name == "users_name_key" else index for index in users.indexes)
    catalog = a_catalog(replace(users, indexes=indexes), a_table("orders", "user_id text", "x text", indexes=[("user_id",)]))
    candidate = Candidate(referencing=ORDERS, referenced=referenced, confidence=0.95, evidence=())
    (finding,) = [each for each in derive_findings(catalog, derive_relationships(catalog, [candidate], {})) if each.relationship_id]

    assert finding.kind is FindingKind.REFERENCED_NOT_UNIQUE
    assert finding.message.endswith(told)
    assert finding.consequence.endswith(consequence)


def test_a_unique_index_on_a_partitioned_table_is_not_built_concurrently() -> None:
    """PostgreSQL refuses that, and a unique index without the partition key."""
    catalog = a_shop(users_key=())
    users = replace(catalog.tables[USERS.table], kind=TableKind.PARTITIONED)
    split = replace(catalog, tables={**catalog.tables, USERS.table: users})
    (finding,) = [each for each in derive_findings(split, between(split)) if each.kind is FindingKind.REFERENCED_NOT_UNIQUE]

    assert 'run CREATE UNIQUE INDEX ON "public"."users" ("id") when writes can wait' in finding.cure


def test_columns_that_many_want_to_reference_are_one_finding() -> None:
    """One index is missing; the surest relationship carries it."""
    catalog = a_catalog(
        a_table("users", "id integer", key=()), a_table("orders", "user_id integer", "buyer_id integer", "payer_id integer")
    )
    candidates = [
        Candidate(referencing=columns("orders", name), referenced=USERS, confidence=confidence, evidence=())
        for name, confidence in (("buyer_id", 0.6), ("user_id", 0.95), ("payer_id", 0.7))
    ]
    findings = derive_findings(catalog, derive_relationships(catalog, candidates, {}))

    (finding,) = [each for each in findings if each.kind is FindingKind.REFERENCED_NOT_UNIQUE]
    assert (finding.relationship_id, finding.severity) == (BOTH, Severity.WARN)
    assert finding.message.startswith("public.orders(user_id) and 2 other relationships seem to reference public.users(id),")


def test_other_targets_are_named_where_they_are_close() -> None:
    """Half as likely is close."""
    catalog = a_shop()
    (relationship,) = between(catalog, confidence=0.5)
    others = tuple(Alternative(referenced=columns(name, "id"), confidence=value) for name, value in (("people", 0.3), ("things", 0.1)))
    (finding,) = derive_findings(catalog, [replace(relationship, alternatives=others)])

    assert finding.message.startswith("public.orders(user_id) may reference public.users(id) or public.people(id), but")
    assert finding.cure.startswith("If the relationship is meant, include it by policy in a plan with ON DELETE")


@pytest.mark.parametrize(
    ("text", "key", "sql"),
    [
        ("text", "integer", 'ALTER COLUMN "user_id" TYPE integer USING "user_id"::integer, then audit'),
        (
            "text default '1'",
            "integer",
            'ALTER COLUMN "user_id" DROP DEFAULT, ALTER COLUMN "user_id" TYPE integer USING "user_id"::integer, '
            'then set the default of "user_id" again and audit',
        ),
        ("character varying(40)", "uuid", 'ALTER COLUMN "user_id" TYPE uuid USING "user_id"::uuid, then'),
    ],
)
def test_a_type_mismatch_comes_with_the_statement_and_its_price(text: str, key: str, sql: str) -> None:
    catalog = a_catalog(a_table("users", f"id {key}"), a_table("orders", f"user_id {text}", indexes=[("user_id",)]))
    (finding,) = derive_findings(catalog, between(catalog))

    assert finding.cure.startswith(f'Run ALTER TABLE "public"."orders" {sql}')
    assert "ACCESS EXCLUSIVE" in finding.cure


def test_unequal_collations_are_made_equal() -> None:
    """The type stays; only the collation changes."""
    catalog = a_catalog(a_table("users", "id text"), a_table("orders", "user_id text", indexes=[("user_id",)]))
    (relationship,) = between(catalog)
    collated = {
        name: replace(table, columns=tuple(replace(column, collation=("My", collation)) for column in table.columns))
        for (name, table), collation in zip(catalog.tables.items(), ("one", "two"), strict=True)
    }
    (finding,) = derive_findings(replace(catalog, tables=collated), [replace(relationship, obstacle="unlike collations.")])

    assert 'ALTER COLUMN "user_id" TYPE text COLLATE "My"."one", then' in finding.cure


def test_what_a_partitions_columns_imply_is_its_roots_matter() -> None:
    """The root's candidate says it; an extension's table is not ours."""
    catalog = a_shop()
    guest = replace(catalog.tables[ORDERS.table], only_referenced=True)

    assert derive_findings(replace(catalog, tables={**catalog.tables, ORDERS.table: guest}), between(catalog, SOME)) == ()


def test_an_unlogged_table_must_be_logged_first() -> None:
    catalog = a_shop()
    unlogged = replace(catalog.tables[USERS.table], persistence="u")
    changed = replace(catalog, tables={**catalog.tables, USERS.table: unlogged})
    (finding,) = derive_findings(changed, between(changed))

    assert finding.cure.startswith('Run ALTER TABLE "public"."users" SET LOGGED')


@pytest.mark.parametrize(
    ("unique", "nullable", "expected"),
    [(True, False, Severity.INFO), (True, True, Severity.WARN), (False, False, Severity.WARN)],
)
def test_a_unique_index_may_do_for_a_primary_key(expected: Severity, *, unique: bool, nullable: bool) -> None:
    """Then only the name is missing, and the statement gives it."""
    table = a_table("codes", f"code text{'' if nullable else ' not null'}", key=(), unique=[("code",)] if unique else [])
    (finding,) = derive_findings(a_catalog(table), ())

    assert (finding.kind, finding.severity) == (FindingKind.NO_PRIMARY_KEY, expected)
    assert ('ADD PRIMARY KEY USING INDEX "codes_code_key".' in finding.cure) == (expected is Severity.INFO)
    assert ("nothing to point at" in finding.consequence) == (not unique)


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


def test_a_key_declared_twice_is_one_finding() -> None:
    """That it is not validated does not matter: it can go. What is wrong with the other one does."""
    catalog = with_keys(KEY, replace(KEY, oid=1, name="twin", validated=False))

    assert found(catalog, between(catalog, SOME)) == [
        (FindingKind.ORPHANS_UNDER_VALID_KEY, Severity.ERROR),
        (FindingKind.DUPLICATE_KEY, Severity.INFO),
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


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_its_page(kind: FindingKind) -> None:
    """With the same headings on each."""
    page = (PAGES / f"{kind.lower()}.md").read_text()

    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Summary", "Why it matters", "Example", "How we detect it", "How to resolve", "False positives"]


def test_every_page_has_its_kind() -> None:
    """A kind that is gone takes its page along; README.md lists them."""
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} == {kind.lower() for kind in FindingKind}


def test_tiers_are_as_these_tests_think() -> None:
    """0.95 is planned, 0.5 is not."""
    catalog = a_shop()

    assert [between(catalog)[0].tier, between(catalog, confidence=0.5)[0].tier] == [Tier.PLAN, Tier.REVIEW]
