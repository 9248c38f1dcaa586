"""Which undeclared relationships are found, and which are not."""

import pytest

from holdfastd.inference.candidates import infer_candidates
from support.builders import a_catalog, a_column, a_foreign_key, a_table, columns


def found(*tables):
    """Candidates as `referencing -> referenced` without the schema, in the order of their referencing columns."""
    return [candidate.id.replace("public.", "") for candidate in infer_candidates(a_catalog(*tables))]


USERS = a_table("users", "id uuid", "email text", "password text")
STATIONS = a_table("stations", "name text")


@pytest.mark.parametrize(
    ("tables", "relationship"),
    [
        ((STATIONS, a_table("reports", "station_id integer not null")), "reports(station_id)->stations(id)"),
        ((STATIONS, a_table("Reports", '"stationId" integer not null')), '"Reports"("stationId")->stations(id)'),
        ((a_table("people"), a_table("visits", "person_id integer not null")), "visits(person_id)->people(id)"),
        ((a_table("addresses"), a_table("orders", "billing_address_id integer")), "orders(billing_address_id)->addresses(id)"),
        (
            (a_table("order_statuses", "name text"), a_table("orders", "status_id integer not null")),
            "orders(status_id)->order_statuses(id)",
        ),
        ((a_table("comments", "parent_id integer", indexes=[("parent_id",)]),), "comments(parent_id)->comments(id)"),
        ((USERS, a_table("reports", "reviewed_by uuid")), "reports(reviewed_by)->users(id)"),
        ((USERS, a_table("pods", "owner_id uuid")), "pods(owner_id)->users(id)"),
        ((a_table("customers", "id uuid", "referred_by uuid"), USERS), "customers(referred_by)->customers(id)"),
        (
            (a_table("artist"), a_table("work"), a_table("l_artist_work", "entity0 integer not null", "entity1 integer not null")),
            "l_artist_work(entity1)->work(id)",
        ),
        ((a_table("hosts", "hostid integer", key="hostid"), a_table("items", "hostid integer not null")), "items(hostid)->hosts(hostid)"),
        (
            (a_table("currencies", "code character(3)", key="code"), a_table("prices", "currency_code character(3) not null")),
            "prices(currency_code)->currencies(code)",
        ),
    ],
)
def test_a_name_leads_to_its_table(tables, relationship):
    """Plain names, roles, context, self references, actors, lists, key names and natural keys are read as people mean them."""
    assert relationship in found(*tables)


def test_the_longest_name_wins():
    """`user_vehicle_id` is a user vehicle, neither a user nor a vehicle."""
    tables = (USERS, a_table("vehicles"), a_table("user_vehicles"), a_table("sessions", "user_vehicle_id integer not null"))
    assert found(*tables) == ["sessions(user_vehicle_id)->user_vehicles(id)"]


def test_a_table_of_reviewers_beats_the_users_table():
    """An actor's name that is a table's name leads there."""
    tables = (a_table("users", "email text", "password text"), a_table("reviewers"), a_table("reports", "reviewer_id integer not null"))
    assert found(*tables) == ["reports(reviewer_id)->reviewers(id)"]


def test_people_are_found_by_what_they_have():
    """Editors with an e-mail address and a password are this schema's users, whatever they are called."""
    tables = (
        a_table("editors", "email text", "password text", "name text"),
        a_table("edits", "created_by_id integer not null", indexes=[("created_by_id",)]),
    )
    assert found(*tables) == ["edits(created_by_id)->editors(id)"]


def test_columns_of_one_name_mean_one_table():
    """What names alone leave open, declared keys on columns of the same name decide."""
    declared = [
        a_table(f"t{number}", "kind integer not null", foreign_keys=[a_foreign_key(columns(f"t{number}", "kind"), columns("cvterm", "id"))])
        for number in range(4)
    ]
    assert found(a_table("cvterm"), *declared, a_table("feature", "kind integer not null")) == ["feature(kind)->cvterm(id)"]


def test_declared_keys_are_no_candidates():
    """Columns that carry a declared key are left out."""
    key = a_foreign_key(columns("reports", "station_id"), columns("stations", "id"))
    assert found(STATIONS, a_table("reports", "station_id integer not null", foreign_keys=[key])) == []


def test_polymorphic_pairs_are_no_candidates():
    """An id with a type beside it points into several tables."""
    assert found(a_table("subjects"), a_table("comments", "subject_id integer not null", "subject_type text not null")) == []


def test_ids_of_other_systems_are_no_candidates():
    """`stripe_customer_id` is a name at Stripe's."""
    assert found(a_table("customers"), a_table("payments", "stripe_customer_id text not null")) == []


@pytest.mark.parametrize(
    "definition",
    ["comments integer not null", "rating smallint not null", "postal_code text", "version integer not null", "session_id text"],
)
def test_ordinary_columns_are_no_candidates(definition):
    """Counters, ratings, codes and opaque ids are not taken for references."""
    assert found(a_table("comments"), a_table("posts", definition)) == []


def test_values_made_by_the_table_are_no_references():
    """An id drawn from a sequence is the table's own, even where its name extends another table's."""
    own = a_column("id integer not null default nextval('artist_meta_id_seq')")
    assert own.default
    assert found(a_table("artist"), a_table("artist_meta", "id integer not null default nextval('s')", "rating smallint")) == []


def test_bookkeeping_and_backups_neither_reference_nor_are_referenced():
    """A backup copy holds the same columns and means nothing."""
    assert found(STATIONS, a_table("_backup_orphan_reports", "station_id integer not null", key=())) == []


def test_a_type_that_cannot_be_compared_costs_confidence():
    """A uuid written as text stays a candidate, less sure than one of the right type."""
    right, wrong = (
        infer_candidates(a_catalog(USERS, a_table("reports", f"user_id {kind} not null")))[0] for kind in ("uuid", "character varying(36)")
    )
    assert wrong.confidence < right.confidence


def test_a_table_without_any_key_is_still_meant():
    """`customers.id` is what customer_id means although nothing makes it unique."""
    customers = a_table("customers", "id integer not null", "name text", key=())
    [candidate] = infer_candidates(a_catalog(customers, a_table("orders", "customer_id integer not null")))
    assert candidate.referenced == columns("customers", "id")


def test_evidence_says_what_was_seen():
    """Each candidate tells the name rule and the type in words."""
    [candidate] = infer_candidates(a_catalog(STATIONS, a_table("reports", "station_id integer not null")))
    assert [(each.rule, each.text) for each in candidate.evidence] == [
        ("exact", "station_id is named after public.stations"),
        ("fit_same", "its type is that of public.stations(id)"),
    ]


def test_no_column_has_two_candidates():
    """There is one best target per referencing columns."""
    tables = (a_table("users"), a_table("auth_users"), a_table("orders", "user_id integer not null"))
    referencing = [candidate.referencing for candidate in infer_candidates(a_catalog(*tables))]
    assert len(referencing) == len(set(referencing)) == 1


def test_names_without_a_letter_are_names():
    """PostgreSQL takes anything: signs, emoji, one space."""
    names = ("_", "$", "😀", " ", "->", '"')
    tables = [a_table(name, *(f'"{other}" integer' for other in names if other not in (name, '"')), "x_id integer") for name in names]
    assert infer_candidates(a_catalog(*tables, a_table("x"))) != ()
