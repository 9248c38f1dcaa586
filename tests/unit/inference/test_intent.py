"""What applications declare: names found, relationships believed, everything else explained."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, OnDelete
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.candidates import conclude, form_hypotheses, infer_candidates
from holdfastd.inference.hints.intent import Matched, assume, match_intent
from holdfastd.inference.model import Evidence, Hypothesis, Intended, Relationship, Target, Tier
from holdfastd.inference.relationships import derive_relationships
from holdfastd.names import ColumnSet, TableName
from support.builders import a_catalog, a_foreign_key, a_table, columns


def intended(
    referencing: str, names: str, referenced: str, keys: str = "", on_delete: OnDelete | None = None, origin: str = "schema.prisma:41"
) -> Intended:
    """`intended("orders", "user_id", "users")`: tables may be `schema.name`."""
    ours, theirs = (TableName(*each.rpartition(".")[::2]) for each in (referencing, referenced))
    return Intended(
        referencing=ColumnSet(ours, tuple(names.split())),
        referenced=ColumnSet(theirs, tuple(keys.split())),
        on_delete=on_delete,
        origin=origin,
    )


def told(catalog: Catalog, *intents: Intended) -> tuple[Matched, dict[str, Relationship]]:
    """Audit a catalog without rows, knowing what applications declare; relationships by id."""
    matched = match_intent(catalog, intents)
    candidates = conclude(catalog, assume(form_hypotheses(catalog), matched.meant), matched.meant)
    return matched, {each.id: each for each in derive_relationships(catalog, candidates, {})}


def unknown(catalog: Catalog, *intents: Intended) -> list[Finding]:
    findings = derive_findings(catalog, (), match_intent(catalog, intents).unknown)
    return [each for each in findings if each.kind is FindingKind.UNKNOWN_INTENT]


@pytest.fixture
def silent() -> Catalog:
    """Tables whose names tell nothing."""
    return a_catalog(a_table("t1", "a1 integer not null", "a2 integer"), a_table("t9", "b text"), a_table("t8", "c integer"))


def test_a_declared_relationship_is_planned(silent):
    """Though nothing else speaks for it; the evidence says where it is declared."""
    _, found = told(silent, intended("t1", "a1", "t9", "id"))
    relationship = found["public.t1(a1)->public.t9(id)"]

    assert (relationship.tier, relationship.confidence) == (Tier.PLAN, 0.99)
    assert [(each.rule, each.text) for each in relationship.evidence] == [("declared_by_application", "schema.prisma:41 declares it")]


def test_no_intent_changes_nothing(silent):
    """An audit without declarations finds what it always found."""
    catalog = a_catalog(a_table("users", "name text"), a_table("orders", "user_id integer not null"))

    assert match_intent(catalog, ()) == Matched()
    assert told(catalog)[1].keys() == {"public.orders(user_id)->public.users(id)"}
    assert conclude(catalog, assume(form_hypotheses(catalog), ())) == infer_candidates(catalog)


def test_a_declaration_beats_what_names_say():
    """`user_id` means accounts when the application says so; users is no candidate any more."""
    catalog = a_catalog(a_table("users", "name text"), a_table("accounts", "name text"), a_table("orders", "user_id integer"))

    _, found = told(catalog, intended("orders", "user_id", "accounts"))

    assert list(found) == ["public.orders(user_id)->public.accounts(id)"]


def test_rows_do_not_outvote_a_declaration():
    """When rows lead elsewhere, the declared key stays the only candidate for the columns."""
    catalog = a_catalog(a_table("users"), a_table("accounts"), a_table("orders", "user_id integer"))
    ours = ColumnSet(TableName("public", "orders"), ("user_id",))
    (meant,) = match_intent(catalog, [intended("orders", "user_id", "accounts")]).meant
    elsewhere = Target(referenced=ColumnSet(TableName("public", "users"), ("id",)), probability=0.99)
    declared = Target(referenced=meant.referenced, probability=0.01, evidence=(Evidence(rule="values_missing", text="none is found"),))
    weighed = Hypothesis(referencing=ours, reference_probability=0.99, targets=(elsewhere, declared))

    (candidate,) = conclude(catalog, [weighed], [meant])

    assert (candidate.referenced, candidate.confidence) == (meant.referenced, 0.99)
    assert [each.rule for each in candidate.evidence] == ["declared_by_application", "values_missing"]


@pytest.mark.parametrize("action", [OnDelete.CASCADE, OnDelete.RESTRICT, OnDelete.SET_NULL, OnDelete.NO_ACTION])
def test_what_the_application_says_happens_is_suggested(silent, action):
    """The rationale says who said so."""
    (relationship,) = told(silent, intended("t1", "a2", "t9", on_delete=action))[1].values()

    assert relationship.suggested_on_delete is action
    assert relationship.rationale.startswith(f"schema.prisma:41 declares ON DELETE {action}.")


@pytest.mark.parametrize(
    ("action", "reason"), [(OnDelete.SET_NULL, "a1 is NOT NULL"), (OnDelete.SET_DEFAULT, "a1 is NOT NULL and has no default")]
)
def test_what_would_always_fail_is_not_suggested(silent, action, reason):
    """The rationale says what the application wants and why it cannot be."""
    (relationship,) = told(silent, intended("t1", "a1", "t9", on_delete=action))[1].values()

    assert relationship.suggested_on_delete is not action
    assert f"schema.prisma:41 declares ON DELETE {action}, which would fail: {reason}." in relationship.rationale


def test_a_wanted_restrict_stays_though_a_cascade_may_meet_it():
    """Where we would choose NO ACTION by ourselves, the application's RESTRICT stands, and the rationale tells what it may refuse."""
    catalog = a_catalog(a_table("p"), a_table("q", "a integer not null"), a_table("r", "b integer not null", "c integer not null"))
    intents = (
        intended("q", "a", "p", on_delete=OnDelete.CASCADE),
        intended("r", "b", "p", on_delete=OnDelete.CASCADE),
        intended("r", "c", "q", on_delete=OnDelete.RESTRICT),
    )

    relationship = told(catalog, *intents)[1]["public.r(c)->public.q(id)"]

    assert relationship.suggested_on_delete is OnDelete.RESTRICT
    assert "Deleting from p takes both along, which RESTRICT could refuse and NO ACTION would not." in relationship.rationale


def test_what_the_database_declares_is_left_alone():
    """Declared by both: no candidate, no finding."""
    catalog = a_catalog(
        a_table("users"), a_table("orders", "u integer", foreign_keys=[a_foreign_key(columns("orders", "u"), columns("users", "id"))])
    )

    matched, found = told(catalog, intended("orders", "u", "users", on_delete=OnDelete.CASCADE))

    assert matched == Matched()
    assert [each.declared for each in found.values()] == [True]


def test_several_places_make_one_relationship(silent):
    """All of them are named; the first that says what happens decides, and who says otherwise is evidence."""
    intents = (
        intended("t1", "a1", "t9", origin="schema.prisma:1"),
        intended("t1", "a1", "public.t9", "id", OnDelete.CASCADE, "schema.ts:2"),
        intended("t1", "a1", "t9", on_delete=OnDelete.RESTRICT, origin="schema.rb:3"),
    )

    (relationship,) = told(silent, *intents)[1].values()

    assert [each.text for each in relationship.evidence] == [
        *(f"{origin} declares it" for origin in ("schema.prisma:1", "schema.ts:2", "schema.rb:3")),
        "schema.rb:3 declares ON DELETE RESTRICT instead",
    ]
    assert (relationship.suggested_on_delete, relationship.rationale.split()[0]) == (OnDelete.CASCADE, "schema.ts:2")


def test_ten_places_of_one_relationship_are_enough(silent):
    """However often it is declared: each place is compared with those before, and all go into the evidence."""
    intents = [intended("t1", "a1", "t9", on_delete=action, origin=f"{action}:1") for action in OnDelete]
    intents += [intended("t1", "a1", "t9", origin=f"schema.rb:{number}") for number in range(100)]

    (meant,) = match_intent(silent, intents).meant

    assert len(meant.origins) == 10
    assert len(meant.objections) == len(OnDelete) - 1


def test_contradictions_are_for_review(silent):
    """Two applications, or an application and the database, that see different keys behind one column: somebody must decide."""
    _, found = told(silent, intended("t1", "a1", "t9"), intended("t1", "a1", "t8"))

    assert {(each.id, each.tier) for each in found.values()} == {
        ("public.t1(a1)->public.t9(id)", Tier.REVIEW),
        ("public.t1(a1)->public.t8(id)", Tier.REVIEW),
    }
    assert found["public.t1(a1)->public.t9(id)"].evidence[1].text == "the same columns are declared to reference public.t8(id)"


def test_an_impossible_key_says_why():
    """Believed, yet not planned: PostgreSQL could not compare the types."""
    catalog = a_catalog(a_table("t9", "id uuid not null"), a_table("t1", "a1 integer"))

    (relationship,) = told(catalog, intended("t1", "a1", "t9"))[1].values()

    assert (relationship.tier, relationship.confidence) == (Tier.REVIEW, 0.99)
    assert "no operator compares them" in relationship.obstacle


def test_a_composite_follows_the_order_of_its_key():
    """However the application lists the pairs, the relationship has one id."""
    catalog = a_catalog(a_table("k", "x integer", "y integer", key=("x", "y")), a_table("t1", "q integer", "p integer"))

    _, found = told(catalog, intended("t1", "q p", "k", "y x"), intended("t1", "p q", "k"))

    assert list(found) == ["public.t1(p, q)->public.k(x, y)"]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("orders", "uid"),
        ("public.orders", "uid"),
        ("ORDERS", "UID"),
        ('"orders"', '"uid"'),
        ("Public.Orders", "Uid"),
        ("orders", "uId"),
        ("orders", "u_id"),
    ],
)
def test_names_are_found_however_they_are_spelled(table, column):
    """Exact names first, then without quotes, then in any case."""
    catalog = a_catalog(a_table("users"), a_table("orders", "uid integer"), a_table("audit.orders", "uid integer"))

    assert match_intent(catalog, [intended(table, column, "users")]).meant[0].referencing == ColumnSet(
        TableName("public", "orders"), ("uid",)
    )


def test_exact_case_comes_first():
    """`Users` is not `users` where there are both."""
    catalog = a_catalog(a_table("users"), a_table("Users"), a_table("orders", "a integer", "A integer"))

    (meant,) = match_intent(catalog, [intended("orders", "A", "Users")]).meant

    assert (meant.referencing.columns, meant.referenced.table.name) == (("A",), "Users")


def test_a_name_that_postgresql_cut_is_found():
    """It keeps 63 bytes of a name."""
    long = "very_" * 14
    catalog = a_catalog(a_table("t9"), a_table(long[:63], "a1 integer"))

    assert len(match_intent(catalog, [intended(long, "a1", "t9")]).meant) == 1


@pytest.mark.parametrize(
    ("intent", "table", "part", "message"),
    [
        (intended("orders", "pod_id", "podz"), "public.podz", "", "Table public.podz, which schema.prisma:41 names, does not exist; did you mean public.pods?"),
        (intended("app.orders", "pod_id", "pods"), "app.orders", "", "Table app.orders, which schema.prisma:41 names, does not exist; did you mean public.orders?"),
        (intended("orders", "pod_idd", "pods"), "public.orders", "pod_idd", "Column pod_idd of public.orders, which schema.prisma:41 names, does not exist; did you mean pod_id?"),
        (intended("orders", "pod_id", "pods", "uuid"), "public.pods", "uuid", "Column uuid of public.pods, which schema.prisma:41 names, does not exist."),
        (intended("orders", "pod_id", "logs"), "public.orders", "pod_id", "public.logs has no primary key, and no other columns of it are named (declared at schema.prisma:41)."),
        (intended("orders", "pod_id", "pair"), "public.orders", "pod_id", "public.orders(pod_id) cannot reference the 2 columns of public.pair(a, b) (declared at schema.prisma:41)."),
        (intended("orders", "pod_id", "twice"), "one.twice", "", "twice may be one.twice or two.twice, and no schema says which (declared at schema.prisma:41)."),
        (intended("orders", "id", "orders"), "public.orders", "id", "public.orders(id) is declared to reference itself (declared at schema.prisma:41)."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_finding(intent, table, part, message):
    """It names the place, what is missing, and what is called alike."""
    catalog = a_catalog(
        a_table("pods"),
        a_table("orders", "pod_id integer"),
        a_table("logs", "x integer", key=""),
        a_table("pair", "a integer", "b integer", key=("a", "b")),
        a_table("one.twice"),
        a_table("two.twice"),
    )

    (finding,) = unknown(catalog, intent)

    assert (str(finding.table), finding.part, finding.severity) == (table, part, Severity.WARN)
    assert finding.message == message


def test_one_missing_table_is_one_finding(silent):
    """However many declarations name it; a wrong schema must not bury the audit."""
    intents = [intended("t1", "a1", "nowhere", origin=f"schema.ts:{line}") for line in range(1, 51)]

    (finding,) = unknown(silent, *intents)

    assert finding.message == "Table public.nowhere, which schema.ts:1 and 49 more places name, does not exist."


def test_a_view_is_told_and_no_fault(silent):
    """Prisma has relations of views; no foreign key can be put on them."""
    catalog = replace(silent, relation_names={"public": frozenset({"v", "t1", "t8", "t9"})})

    (finding,) = unknown(catalog, intended("v", "a1", "t9"))

    assert finding.severity is Severity.INFO
    assert "but a view, a partition or the like" in finding.message


def test_a_partition_is_no_place_for_a_key(silent):
    """What only stands in the catalog because something references it is not ours to change."""
    table = TableName("public", "t1")
    catalog = replace(silent, tables={**silent.tables, table: replace(silent.tables[table], only_referenced=True)})

    (finding,) = unknown(catalog, intended("t1", "a1", "t9"))

    assert finding.message == "public.t1 is a partition or belongs to an extension (declared at schema.prisma:41)."


def test_thousands_of_wrong_names_take_no_time():
    """A schema of another database: similar names are looked for a bounded number of times."""
    catalog = a_catalog(*(a_table(f"table_{number}", "a1 integer") for number in range(500)))

    matched = match_intent(catalog, [intended(f"tabel_{number}", "a1", "table_1") for number in range(2_000)])

    assert len(matched.unknown) == 2_000
    assert sum(bool(each.alike) for each in matched.unknown) <= 50


@pytest.mark.parametrize(
    "name",
    ['"', '""', 'a"b', "'; DROP TABLE x; --", "<script>", "*/", "`${x}`", "#{x}", "a\nb", "\U0001f600" * 15, "\u202eabc", "%s", "x" * 63],
)
def test_any_name_can_be_declared_and_found(name):
    """Whatever a database calls its tables and columns, and whatever an application calls what is not there."""
    catalog = a_catalog(replace(a_table("t9"), name=TableName("public", name)), a_table("t1", "a1 integer"))
    goal = ColumnSet(TableName("", name), ())
    found = Intended(referencing=ColumnSet(TableName("", "t1"), ("a1",)), referenced=goal)
    lost = Intended(referencing=ColumnSet(TableName(name, name), (name,)), referenced=goal)

    matched = match_intent(catalog, [found, lost])

    assert [each.referenced.table.name for each in matched.meant] == [name]
    assert len(derive_findings(catalog, (), matched.unknown)) == 1
