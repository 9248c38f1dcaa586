"""Findings about orphan rows: what is known about them is said, and nothing that is not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfastd.catalog.model import Catalog, TableKind
from holdfastd.evidence.model import HIDDEN_ROWS, CausedRows, Exactness, OrphanCause, OrphanDetails, RowCount, TakenRows
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Candidate, Evidence, Relationship
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns, table_name

NOW = datetime(2024, 5, 1, tzinfo=UTC)
TEN = RowCount(value=10, exactness=Exactness.EXACT, as_of=NOW)
ORDERS, USERS, NOTES = columns("orders", "user_id"), columns("users", "id"), columns("notes", "user_id")
KEY = a_foreign_key(ORDERS, USERS)


def a_shop(*, declared: bool = False) -> Catalog:
    """Return users, and orders and notes of users."""
    return a_catalog(
        replace(a_table("users"), owner="Anna"),
        a_table("orders", "user_id integer", indexes=[("user_id",)], foreign_keys=[KEY] if declared else []),
        a_table("notes", "user_id integer", indexes=[("user_id",)]),
    )


def between(
    catalog: Catalog, count: RowCount, details: OrphanDetails | None = None, *, confidence: float = 0.95, notes: bool = False
) -> list[Relationship]:
    """Return orders to users, and notes to users where asked for, with this count."""
    sources = [] if catalog.foreign_keys else [ORDERS]
    sources += [NOTES] if notes else []
    candidates = [Candidate(referencing=each, referenced=USERS, confidence=confidence, evidence=()) for each in sources]
    counts = {f"{each}->{USERS}": count for each in (ORDERS, NOTES)}
    return [replace(each, orphan_details=details) for each in derive_relationships(catalog, candidates, counts)]


def the(kind: FindingKind, catalog: Catalog, relationships: list[Relationship]) -> Finding:
    (finding,) = [finding for finding in derive_findings(catalog, relationships) if finding.kind is kind]
    return finding


def message(count: RowCount, details: OrphanDetails | None = None) -> str:
    catalog = a_shop()
    return the(FindingKind.ORPHAN_ROWS, catalog, between(catalog, count, details)).message


def caused(**rows: int) -> tuple[CausedRows, ...]:
    return tuple(CausedRows(cause=OrphanCause[cause], rows=number, distinct_values=1) for cause, number in rows.items())


def test_values_that_stand_for_none_are_set_null() -> None:
    """Deleting rows that only lack a reference would be harm."""
    catalog = a_shop()
    most, few = (caused(SENTINEL=number, DELETED=10 - number) for number in (6, 4))
    cures = [
        the(FindingKind.ORPHAN_ROWS, catalog, between(catalog, TEN, OrphanDetails(distinct_values=2, causes=each))).cure
        for each in (most, few)
    ]

    assert "plan to set NULL, which is what most of these values stand for" in cures[0]
    assert "delete, set NULL, repoint" in cures[1]


def test_a_doubtful_relationship_that_no_value_speaks_for_has_no_orphan_rows() -> None:
    """Then it is likelier none."""
    catalog, missing = a_shop(), (Evidence(rule="values_missing", text="none of its 10 values is found"),)

    for confidence, expected in ((0.5, 0), (0.95, 1)):
        relationships = [replace(each, evidence=missing) for each in between(catalog, TEN, confidence=confidence)]
        assert sum(each.kind is FindingKind.ORPHAN_ROWS for each in derive_findings(catalog, relationships)) == expected


def test_an_estimate_says_so() -> None:
    """Between which numbers the truth lies, too."""
    estimate = replace(TEN, exactness=Exactness.ESTIMATED)

    assert message(estimate).startswith("About 10 rows of public.orders reference nothing")
    assert message(replace(estimate, low=7, high=14)).startswith("About 10 rows (between 7 and 14) of public.orders reference nothing")
    assert message(replace(TEN, low=10, high=10)).startswith("10 rows of public.orders reference nothing")


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.99999, "99.9 %"), (0.0534, "5.3 %"), (0.05, "5 %"), (0.0001, "less than 0.1 %")]
)
def test_the_share_is_never_rounded_away(share: float, text: str) -> None:
    details = OrphanDetails(distinct_values=1, share=share)

    assert message(TEN, details).startswith(f"10 rows of public.orders, {text} of all, reference nothing")


@pytest.mark.parametrize(
    ("causes", "text"),
    [
        (caused(DELETED=10), "; all reference rows that were deleted."),
        (caused(DELETED=7, SENTINEL=3), "; most reference rows that were deleted and 3 hold values that stand for none."),
        (caused(SENTINEL=1, UNKNOWN=9), "; 1 holds a value that stands for none."),
        (caused(UNKNOWN=10), "through user_id."),
        (caused(NEVER_EXISTED=5, WRONG_TYPE=5), "; 5 hold values that the key never had and 5 hold ids of another kind."),
    ],
)
def test_causes_are_counted_and_unknown_ones_not_named(causes: tuple[CausedRows, ...], text: str) -> None:
    assert message(TEN, OrphanDetails(distinct_values=3, causes=causes)).endswith(text)


def test_one_row_with_one_cause() -> None:
    details = OrphanDetails(distinct_values=1, causes=caused(DELETED=1))

    assert message(replace(TEN, value=1), details).endswith("; it references a row that was deleted.")


def test_times_are_dates() -> None:
    """From when to when; one day is one day."""
    seen = OrphanDetails(distinct_values=3, seen_column="made_at", first_seen=datetime(2019, 3, 5, tzinfo=UTC), last_seen=NOW)

    assert message(TEN, seen).endswith("; by made_at the oldest is from 2019-03-05, the newest from 2024-05-01.")
    assert message(TEN, replace(seen, first_seen=NOW)).endswith("; by made_at from 2024-05-01.")


def test_the_price_of_deleting_is_told_when_it_is_more_than_the_rows() -> None:
    catalog = a_shop()
    details = OrphanDetails(distinct_values=1, taken=(TakenRows(table=table_name("orders"), rows=10),))
    more = replace(details, taken=(*details.taken, TakenRows(table=table_name("notes"), rows=50)))

    def cure(told: OrphanDetails) -> str:
        return the(FindingKind.ORPHAN_ROWS, catalog, between(catalog, TEN, told)).cure

    assert cure(details).endswith("or leave the key not validated.")
    assert cure(more).endswith("; deleting them would delete or change 60 rows in 2 tables, themselves included.")
    assert cure(replace(more, blocked="a key forbids it.")).endswith("; deleting them cannot work, because a key forbids it.")


def test_orphan_rows_under_a_valid_key_come_with_the_select_that_shows_them() -> None:
    catalog = a_shop(declared=True)
    finding = the(FindingKind.ORPHANS_UNDER_VALID_KEY, catalog, between(catalog, TEN))

    assert finding.severity is Severity.ERROR
    assert finding.message.endswith('through user_id, though the catalog calls foreign key "orders_user_id_fkey" valid.')
    assert 'SELECT * FROM ONLY "public"."orders" AS referencing WHERE referencing."user_id" IS NOT NULL AND NOT EXISTS' in finding.cure


@pytest.mark.parametrize("changes", [{"validated": False}, {"validated": False, "enforced": False}])
def test_under_any_other_key_they_are_orphan_rows(changes: dict[str, bool]) -> None:
    catalog = a_shop(declared=True)
    orders = replace(catalog.tables[ORDERS.table], foreign_keys=(replace(KEY, **changes),))
    changed = replace(catalog, tables={**catalog.tables, ORDERS.table: orders})

    assert the(FindingKind.ORPHAN_ROWS, changed, between(changed, TEN)).severity is Severity.ERROR


def hidden(table: str, role: str = "auditor") -> RowCount:
    reason = (
        f'{HIDDEN_ROWS} {table} from role "{role}", so a count would be wrong; run ALTER ROLE "{role}" BYPASSRLS, or audit as another role'
    )
    return RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=NOW, reason=reason)


def test_one_table_that_hides_rows_is_one_finding() -> None:
    """However many relationships it keeps from being counted."""
    catalog = a_shop()
    relationships = between(catalog, hidden("public.users"), notes=True)
    finding = the(FindingKind.ROWS_HIDDEN, catalog, relationships)

    assert (finding.id, finding.severity) == ("rows_hidden:public.users", Severity.WARN)
    assert "the orphan rows of 2 relationships could not be counted" in finding.message
    assert finding.cure.startswith(
        'Run ALTER ROLE "auditor" BYPASSRLS, or audit as another role that sees all rows, such as the owner "Anna"'
    )
    assert FindingKind.NOT_AUDITABLE not in {each.kind for each in derive_findings(catalog, relationships)}


def test_each_table_that_hides_rows_is_a_finding() -> None:
    catalog = a_shop()
    first, second = between(catalog, hidden("public.users"), notes=True)
    findings = derive_findings(catalog, [first, replace(second, orphan_rows=hidden("public.orders"))])

    assert [each.id for each in findings if each.kind is FindingKind.ROWS_HIDDEN] == [
        "rows_hidden:public.orders",
        "rows_hidden:public.users",
    ]


@pytest.mark.parametrize(("confidence", "severity"), [(0.95, Severity.WARN), (0.5, Severity.INFO)])
def test_a_reason_with_a_statement_is_the_cure(confidence: float, severity: Severity) -> None:
    """Nobody is warned about the rows of a guess."""
    catalog = a_shop()
    refused = replace(TEN, exactness=Exactness.NOT_COUNTED, reason="role x may not read t; run GRANT y")
    finding = the(FindingKind.NOT_AUDITABLE, catalog, between(catalog, refused, confidence=confidence))

    assert finding.severity is severity
    assert finding.message == "The orphan rows of public.orders(user_id) were not counted: role x may not read t."
    assert finding.cure == "Run GRANT y, then audit again."


def test_a_foreign_table_is_nobodys_fault() -> None:
    """Nothing can be declared, indexed or counted here, and one hint says so."""
    catalog = a_shop()
    foreign = replace(catalog.tables[USERS.table], kind=TableKind.FOREIGN)
    changed = replace(catalog, tables={**catalog.tables, USERS.table: foreign})
    refused = replace(TEN, value=0, exactness=Exactness.NOT_COUNTED, reason="public.users is a foreign table")
    findings = derive_findings(changed, between(changed, refused))

    assert [(each.kind, each.severity) for each in findings] == [(FindingKind.NOT_AUDITABLE, Severity.INFO)]
