"""Which ON DELETE is suggested, and why."""

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.on_delete import advise
from support.builders import a_catalog, a_foreign_key, a_table, columns

USERS = a_table("users", "email text", "password text")


def advice(*tables, of, others=()):
    """Advice on `referencing -> referenced`; both are (table, column), the key is `id`."""
    pairs = [(columns(*left), columns(right, "id")) for left, right in (of, *others)]
    return advise(a_catalog(*tables), *pairs[0], pairs)


def test_rows_that_belong_to_one_owner_go_with_it():
    """A required reference to a station is what a report is about."""
    tables = (a_table("stations", *[f"c{n} text" for n in range(6)]), a_table("reports", "station_id integer not null", "text text"))
    assert advice(*tables, of=(("reports", "station_id"), "stations")).on_delete is OnDelete.CASCADE


def test_optional_references_are_forgotten():
    """A charging session that may have no user survives the user."""
    tables = (USERS, a_table("stations", "name text"), a_table("sessions", "user_id integer", "station_id integer not null", "kwh numeric"))
    found = advice(*tables, of=(("sessions", "user_id"), "users"), others=[(("sessions", "station_id"), "stations")])
    assert found.on_delete is OnDelete.SET_NULL
    assert found.rationale == "sessions tells what happened, which stays true without the user; only the reference in user_id is lost."


def test_who_did_it_is_worth_less_than_the_row():
    """A reviewer who leaves takes no report along."""
    found = advice(USERS, a_table("reports", "reviewed_by integer"), of=(("reports", "reviewed_by"), "users"))
    assert found.on_delete is OnDelete.SET_NULL
    assert "only the attribution is lost" in found.rationale


def test_reference_data_in_use_is_not_deleted():
    """A vehicle model that a garage lists, whose rows have an owner, stays."""
    tables = (
        USERS,
        a_table("ev_vehicles", "brand text", "model text"),
        a_table("user_vehicles", "user_id integer not null", "ev_vehicle_id integer not null", "plate text"),
    )
    found = advice(*tables, of=(("user_vehicles", "ev_vehicle_id"), "ev_vehicles"), others=[(("user_vehicles", "user_id"), "users")])
    assert found.on_delete is OnDelete.RESTRICT
    assert found.rationale.startswith("ev_vehicles is reference data that describes rows of user_vehicles")


def test_parts_go_with_the_whole_and_lost_history_is_named():
    """A wallet's transactions go with the wallet, and the advice says that records are lost."""
    tables = (a_table("wallets", "balance numeric"), a_table("wallet_transactions", "wallet_id integer not null", "amount numeric"))
    found = advice(*tables, of=(("wallet_transactions", "wallet_id"), "wallets"))
    assert found.on_delete is OnDelete.CASCADE
    assert "This deletes what wallet_transactions records as well." in found.rationale


def test_financial_records_outlive_what_they_mention():
    """An invoice blocks the deletion of what it was written for, unless that owns it."""
    shipments = a_table("shipments", *[f"c{n} text" for n in range(6)])
    found = advice(shipments, a_table("invoices", "shipment_id integer not null"), of=(("invoices", "shipment_id"), "shipments"))
    assert found.on_delete is OnDelete.RESTRICT


def test_links_go_with_either_end():
    """A row of a link table means nothing without both."""
    tables = (a_table("posts"), a_table("tags"), a_table("posts_tags", "post_id integer", "tag_id integer", key=("post_id", "tag_id")))
    found = advice(*tables, of=(("posts_tags", "tag_id"), "tags"), others=[(("posts_tags", "post_id"), "posts")])
    assert found.on_delete is OnDelete.CASCADE


def test_deleting_a_part_never_deletes_the_whole():
    """An organisation that needs its settings is not deleted with them."""
    tables = (
        a_table("organisation_settings", "theme text"),
        a_table("organisations", "settings_id integer not null", unique=[("settings_id",)]),
    )
    assert advice(*tables, of=(("organisations", "settings_id"), "organisation_settings")).on_delete is OnDelete.RESTRICT


def test_a_required_reference_to_the_same_table_is_no_cascade():
    """A tree could vanish unnoticed."""
    assert advice(a_table("nodes", "parent_id integer not null"), of=(("nodes", "parent_id"), "nodes")).on_delete is OnDelete.RESTRICT


@pytest.mark.parametrize("name", ["reports", "wallets", "order_items", "posts_tags", "nodes", "logs"])
@pytest.mark.parametrize("column", ["user_id", "created_by", "parent_id", "owner_id"])
def test_required_columns_are_never_set_null(name, column):
    """SET NULL on a NOT NULL column would fail when it is needed."""
    table = a_table(name, f"{column} integer not null")
    assert advice(USERS, table, of=((name, column), "users")).on_delete is not OnDelete.SET_NULL


def test_a_pair_with_one_required_column_blocks():
    """When only some of the columns accept NULL, neither SET NULL nor CASCADE is right."""
    runs = a_table("runs", "tenant_id integer", "id integer", key=("tenant_id", "id"))
    steps = a_table("steps", "tenant_id integer not null", "run_id integer")
    found = advise(a_catalog(runs, steps), columns("steps", "tenant_id", "run_id"), columns("runs", "tenant_id", "id"), [])
    assert found.on_delete is OnDelete.NO_ACTION


def test_the_custom_of_the_house_comes_first():
    """When three declared keys on the same column to the same table agree, the fourth follows them."""
    declared = [
        a_table(
            f"t{number}",
            "user_id integer",
            foreign_keys=[a_foreign_key(columns(f"t{number}", "user_id"), columns("users", "id"), OnDelete.RESTRICT)],
        )
        for number in range(3)
    ]
    tables = (USERS, *declared, a_table("reports", "user_id integer", "text text"))
    others = [((f"t{number}", "user_id"), "users") for number in range(3)]
    found = advice(*tables, of=(("reports", "user_id"), "users"), others=others)
    assert (found.on_delete, found.rationale) == (OnDelete.RESTRICT, "3 of 3 declared keys on user_id to users here use RESTRICT.")
