"""Findings about partitions that lack a key, and about keys that only partitions declare."""

from dataclasses import replace

from holdfastd.catalog.model import Catalog, OnDelete, Partition, TableKind
from holdfastd.evidence.model import Exactness
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Candidate
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns, table_name

VISITS, USERS = columns("visits", "user_id"), columns("users", "id")
SITES = columns("sites", "id")


def a_partition(name: str, *targets: str) -> Partition:
    """Return a partition of visits that declares keys to these tables."""
    keys = {
        "users": replace(a_foreign_key(columns(name, "user_id"), USERS, OnDelete.CASCADE), on_update=OnDelete.SET_NULL),
        "sites": a_foreign_key(columns(name, "site_id"), SITES),
    }
    return Partition(name=table_name(name), foreign_keys=tuple(keys[target] for target in targets))


def a_site(*partitions: Partition) -> Catalog:
    visits = a_table("visits", "user_id integer", "site_id integer", indexes=[("user_id",), ("site_id",)])
    return a_catalog(a_table("users"), a_table("sites"), replace(visits, kind=TableKind.PARTITIONED, partitions=partitions))


def derive(catalog: Catalog) -> list[Finding]:
    """Return the findings, visits.user_id being inferred to reference users."""
    candidates = [Candidate(referencing=VISITS, referenced=USERS, confidence=0.95, evidence=())]
    relationships = derive_relationships(catalog, candidates, {})
    known = [replace(each, orphan_rows=replace(each.orphan_rows, exactness=Exactness.EXACT)) for each in relationships]
    return list(derive_findings(catalog, known))


def test_the_partition_that_was_forgotten() -> None:
    """The table as a whole does declare the key elsewhere, so it is not reported as undeclared."""
    (finding,) = derive(a_site(a_partition("v1", "users"), a_partition("v2", "users"), a_partition("V3")))

    assert (finding.kind, finding.severity, finding.part) == (FindingKind.PARTITION_WITHOUT_KEY, Severity.WARN, "V3")
    assert finding.message == (
        'Partition public."V3" of public.visits lacks the foreign key from (user_id) to public.users(id), which both siblings declare.'
    )
    assert finding.cure.startswith(
        'Run ALTER TABLE "public"."V3" ADD FOREIGN KEY ("user_id") REFERENCES "public"."users" ("id")'
        " ON DELETE CASCADE ON UPDATE SET NULL NOT VALID, clean up"
    )


def test_one_finding_names_all_keys_that_a_partition_lacks() -> None:
    (finding,) = derive(a_site(a_partition("v1", "users", "sites"), a_partition("v2", "users", "sites"), a_partition("v3")))

    assert finding.message.count("to public.") == 2
    assert finding.cure.count("ADD FOREIGN KEY") == 2


def test_what_few_partitions_declare_is_a_hint() -> None:
    partitions = [a_partition("v0", "users"), *(a_partition(f"v{number}") for number in range(1, 6))]
    findings = derive(a_site(*partitions))

    assert [(finding.kind, finding.severity) for finding in findings] == [(FindingKind.PARTITION_WITHOUT_KEY, Severity.INFO)] * 5


def test_a_partition_of_another_schema_is_named_with_it() -> None:
    (finding,) = derive(a_site(a_partition("v1", "users"), a_partition("old.v1")))

    assert finding.part == "old.v1"


def test_a_key_on_every_partition_is_missing_on_the_root_only() -> None:
    """The next partition will not have it."""
    (finding,) = derive(a_site(a_partition("v1", "users"), a_partition("v2", "users")))

    assert (finding.kind, finding.severity) == (FindingKind.UNDECLARED_KEY, Severity.INFO)
    assert "is declared on each of the 2 partitions of it, not on the table itself" in finding.message


def test_a_key_nowhere_is_undeclared() -> None:
    """And a plan makes it, partition by partition where it must."""
    (finding,) = derive(a_site())

    assert (finding.kind, finding.severity) == (FindingKind.UNDECLARED_KEY, Severity.WARN)
    assert finding.cure.startswith("Plan a foreign key with ON DELETE SET NULL.")


def test_what_the_root_declares_all_partitions_have() -> None:
    catalog = a_site(a_partition("v1", "users"), a_partition("v2"))
    visits = replace(catalog.tables[VISITS.table], foreign_keys=(a_foreign_key(VISITS, USERS),))
    relationships = derive_relationships(replace(catalog, tables={**catalog.tables, VISITS.table: visits}), (), {})

    assert derive_findings(replace(catalog, tables={**catalog.tables, VISITS.table: visits}), relationships) == ()
