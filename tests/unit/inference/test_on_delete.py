"""Which ON DELETE is suggested, and why."""

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.advice.on_delete import advise
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


@pytest.mark.parametrize("name", ["order_payments", "orderrefund"])
def test_money_that_moved_stays_even_where_it_is_a_part(name):
    """An order that was paid is not deleted along with its payment."""
    found = advice(a_table("orders", "total numeric"), a_table(name, "order_id integer not null"), of=((name, "order_id"), "orders"))
    assert found.on_delete is OnDelete.RESTRICT


def test_what_was_sold_outlives_the_goods_though_it_is_a_link():
    """A line of an order links order and product, and goes with the order only."""
    lines = a_table("order_lines", "order_id integer", "product_id integer", key=("order_id", "product_id"))
    tables = (a_table("orders"), a_table("products"), lines)
    others = [(("order_lines", "order_id"), "orders"), (("order_lines", "product_id"), "products")]
    assert advice(*tables, of=others[1], others=others[:1]).on_delete is OnDelete.RESTRICT
    assert advice(*tables, of=others[0], others=others[1:]).on_delete is OnDelete.CASCADE


def test_what_was_seen_of_a_patient_blocks_the_deletion_of_the_patient():
    """Clinical rows are records, and people own no records."""
    tables = (a_table("patients", "name text"), a_table("drug_exposures", "patient_id integer not null"))
    assert advice(*tables, of=(("drug_exposures", "patient_id"), "patients")).on_delete is OnDelete.RESTRICT


def test_what_was_seen_keeps_its_meaning():
    """A measurement whose unit is gone says nothing, though it need not have one."""
    tables = (a_table("units", "name text", *[f"c{n} text" for n in range(6)]), a_table("measurements", "unit_id integer", "value numeric"))
    assert advice(*tables, of=(("measurements", "unit_id"), "units")).on_delete is OnDelete.RESTRICT


def test_rows_that_need_each_other_block():
    """A concept needs its class, a class needs the concept that names it: a cascade would take all."""
    classes = a_table("concept_classes", "concept_id integer not null", "name text")
    of, back = (("concept_classes", "concept_id"), "concepts"), (("concepts", "class_id"), "concept_classes")
    required, optional = (a_table("concepts", f"class_id {kind}", "name text") for kind in ("integer not null", "integer"))
    assert advice(classes, required, of=of, others=[back]).on_delete is OnDelete.RESTRICT
    assert advice(classes, optional, of=of, others=[back]).on_delete is OnDelete.CASCADE


def test_a_key_to_the_house_goes_with_its_owner():
    """A token without its user would let nobody in, or anybody."""
    tables = (USERS, a_table("api_tokens", "user_id integer", "owner text", *[f"c{n} text" for n in range(20)]))
    found = advice(*tables, of=(("api_tokens", "user_id"), "users"))
    assert found.on_delete is OnDelete.CASCADE
    assert "nobody should get in" in found.rationale


def test_a_ban_stays():
    """Who is banned stays banned, whoever is deleted."""
    banned = a_table("banned_addresses", "user_id integer", "address inet")
    assert advice(USERS, banned, of=(("banned_addresses", "user_id"), "users")).on_delete is OnDelete.SET_NULL
    required = a_table("banned_addresses", "user_id integer not null", "address inet")
    assert advice(USERS, required, of=(("banned_addresses", "user_id"), "users")).on_delete is OnDelete.RESTRICT


def test_a_team_does_not_go_with_its_picture():
    """What owns things stands alone, however small its rows."""
    tables = (a_table("images", "bytes bytea"), a_table("teams", "image_id integer", "name text"))
    assert advice(*tables, of=(("teams", "image_id"), "images")).on_delete is OnDelete.SET_NULL
    notes = a_table("notes", "image_id integer", "name text")
    assert advice(tables[0], notes, of=(("notes", "image_id"), "images")).on_delete is OnDelete.CASCADE


def test_two_tables_that_reference_each_other_do_not_take_each_other_along():
    """A cascade in both directions would go round."""
    tables = (a_table("configs", "cache_id integer"), a_table("caches", "config_id integer"))
    others = [(("caches", "config_id"), "configs")]
    assert advice(*tables, of=(("configs", "cache_id"), "caches"), others=others).on_delete is OnDelete.SET_NULL
    assert advice(*tables, of=(("configs", "cache_id"), "caches")).on_delete is OnDelete.CASCADE


def test_a_cascade_that_would_go_far_is_not_advised():
    """Twelve tables build on items: deleting an event should not empty them all."""
    wide = [f"c{n} text" for n in range(6)]
    users_of_items = [a_table(f"t{n}", "item_id integer not null") for n in range(12)]
    tables = (a_table("events", *wide), a_table("items", "event_id integer not null"), *users_of_items)
    others = [((f"t{n}", "item_id"), "items") for n in range(12)]
    assert advice(*tables, of=(("items", "event_id"), "events"), others=others).on_delete is OnDelete.RESTRICT
    assert advice(*tables, of=(("items", "event_id"), "events"), others=others[:11]).on_delete is OnDelete.CASCADE


def test_an_address_is_described_by_a_city_and_describes_a_store():
    """Reference data may have reference data of its own."""
    tables = (
        a_table("cities", "name text"),
        a_table("addresses", "city_id integer not null", "street text", *[f"c{n} text" for n in range(6)]),
        a_table("stores", "address_id integer not null"),
    )
    found = advice(*tables, of=(("stores", "address_id"), "addresses"), others=[(("addresses", "city_id"), "cities")])
    assert found.on_delete is OnDelete.RESTRICT


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
    nodes = a_table("nodes", "parent_id integer not null", *[f"c{n} text" for n in range(6)])
    assert advice(nodes, of=(("nodes", "parent_id"), "nodes")).on_delete is OnDelete.RESTRICT


def test_a_row_with_a_required_owner_outlives_its_author():
    """A small note on a task belongs to the task; who wrote it may go."""
    wide = [f"c{n} text" for n in range(6)]
    tables = (USERS, a_table("tasks", *wide), a_table("notes", "task_id integer not null", "user_id integer", "text text"))
    found = advice(*tables, of=(("notes", "user_id"), "users"), others=[(("notes", "task_id"), "tasks")])
    assert found.on_delete is OnDelete.SET_NULL
    alone = a_table("notes", "user_id integer", "text text")
    assert advice(USERS, alone, of=(("notes", "user_id"), "users")).on_delete is OnDelete.CASCADE


def test_of_two_references_to_the_same_owner_neither_owns_the_row():
    """Who warned and who was warned: the row tells of both."""
    warnings = a_table("warnings", "user_id integer", "target_user_id integer", *[f"c{n} text" for n in range(8)])
    others = [(("warnings", "target_user_id"), "users")]
    assert advice(USERS, warnings, of=(("warnings", "user_id"), "users"), others=others).on_delete is OnDelete.SET_NULL
    assert advice(USERS, warnings, of=(("warnings", "user_id"), "users")).on_delete is OnDelete.CASCADE


def test_what_many_tables_build_on_stands_alone():
    """Eight tables need providers: a provider does not go with a site."""
    tables = (a_table("sites", "name text"), a_table("providers", "site_id integer", "name text"))
    users_of_providers = [a_table(f"t{n}", "provider_id integer not null") for n in range(8)]
    others = [((f"t{n}", "provider_id"), "providers") for n in range(8)]
    found = [advice(*tables, *users_of_providers, of=(("providers", "site_id"), "sites"), others=others[:count]) for count in (7, 8)]
    assert [each.on_delete for each in found] == [OnDelete.CASCADE, OnDelete.SET_NULL]


def test_books_that_mention_each_other_stay_together():
    """A refund that forgot its payment could not be explained."""
    tables = (a_table("payments", "amount numeric"), a_table("refunds", "payment_id integer", "amount numeric"))
    assert advice(*tables, of=(("refunds", "payment_id"), "payments")).on_delete is OnDelete.RESTRICT


def test_a_customer_owns_no_books():
    """Rentals outlive their customer; what is no record goes along."""
    for name, action in (("rentals", OnDelete.RESTRICT), ("wishes", OnDelete.CASCADE)):
        tables = (a_table("customers", "name text"), a_table(name, "customer_id integer not null", "day date"))
        assert advice(*tables, of=((name, "customer_id"), "customers")).on_delete is action


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


def declared(table, column, referenced, action, definition="integer"):
    """A table with one column, declared to reference another table's id."""
    key = a_foreign_key(columns(table, column), columns(referenced, "id"), action)
    return a_table(table, f"{column} {definition}", foreign_keys=[key])


def test_the_custom_of_the_house_deletes_no_records():
    """That three lighter tables go with their user is no reason for a fourth that keeps a log."""
    others = [((f"t{number}", "user_id"), "users") for number in range(3)]
    tables = (USERS, *(declared(f"t{number}", "user_id", "users", OnDelete.CASCADE) for number in range(3)))
    for name, action in (("notes", OnDelete.CASCADE), ("audit_logs", OnDelete.SET_NULL)):
        wide = [f"c{n} text" for n in range(20)]
        found = advice(*tables, a_table(name, "user_id integer", *wide), of=((name, "user_id"), "users"), others=others)
        assert found.on_delete is action


def test_a_key_has_no_vote_in_its_own_case():
    """Two others are not enough."""
    others = [((f"t{number}", "user_id"), "users") for number in range(3)]
    tables = (USERS, *(declared(f"t{number}", "user_id", "users", OnDelete.RESTRICT) for number in range(3)))
    assert "declared keys" not in advice(*tables, of=others[0], others=others[1:]).rationale


def test_the_other_references_of_a_row_are_its_company():
    """When three nullable references of a table cascade, the fourth does."""
    names = ("documents", "rooms", "links", "views")
    keys = [a_foreign_key(columns("chats", f"{name}_id"), columns(name, "id"), OnDelete.CASCADE) for name in names[:3]]
    chats = a_table("chats", *(f"{name}_id integer" for name in names), *[f"c{n} text" for n in range(20)], foreign_keys=keys)
    found = advice(*(a_table(name) for name in names), chats, of=(("chats", "views_id"), "views"))
    assert found.on_delete is OnDelete.CASCADE
    assert found.rationale == "3 of 3 other declared keys on nullable columns of chats here use CASCADE."
