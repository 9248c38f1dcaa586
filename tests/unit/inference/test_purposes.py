"""What a table seems to be for: structure first, names second, nothing where nothing tells."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import outline
from holdfastd.inference.candidates import conclude, form_hypotheses
from holdfastd.inference.model import Tier
from holdfastd.inference.purposes.assign import with_purposes
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_table
from support.mapped import from_text

USERS = a_table("users", "email text", "password_hash text")


def purposes(*tables, relationships=None):
    """Table -> purpose, with the relationships that Holdfast infers unless others are given."""
    catalog = a_catalog(*tables)
    if relationships is None:
        relationships = derive_relationships(catalog, conclude(catalog, form_hypotheses(catalog)), {})
    return {table.name.name: table.purpose for table in with_purposes(outline(catalog), relationships)}


def test_people_who_log_in_are_accounts():
    """An e-mail address and a password, whatever the table is called."""
    assert purposes(USERS)["users"] == "user accounts"
    assert purposes(a_table("editors", "email text", "password text"))["editors"] == "people: editors"


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("sessions", ("sid text not null", "sess jsonb not null", "expire timestamp without time zone not null")),
        ("django_session", ("session_key text not null", "session_data text", "expire_date timestamp with time zone")),
        ("sessions", ("id text", "user_id bigint", "payload text", "last_activity integer")),
    ],
)
def test_session_stores_are_known_by_their_columns(name, columns):
    """Express, Django and Laravel keep web sessions so."""
    assert purposes(a_table(name, *columns, key=columns[0].split()[0]))[name] == "web session storage"


def test_a_session_of_another_kind_is_no_web_session():
    """A charging session is something that happened."""
    told = purposes(a_table("stations", "name text"), a_table("charging_sessions", "station_id integer not null", "started_at date"))

    assert told["charging_sessions"] == "records of charging sessions, per station"


def test_what_only_two_references_make_joins_them():
    """Two required references and little else."""
    told = purposes(
        a_table("film", "title text"),
        a_table("actor", "name text"),
        a_table("film_actor", "film_id integer not null", "actor_id integer not null", key=("film_id", "actor_id")),
    )

    assert told["film_actor"] == "joins actor and film"


def test_reference_data_is_referenced_and_references_nothing():
    """And has a label; a table with more rows than those that reference it has is none."""
    models = a_table("ev_models", "brand text not null", "model text not null", "year integer", "battery real")
    used = a_table("user_vehicles", "user_id integer not null", "ev_model_id integer not null", "nickname text", "plate text", "c text")

    told = purposes(USERS, models, used)
    many = purposes(USERS, replace(models, row_estimate=1e6), replace(used, row_estimate=10))

    assert told["ev_models"] == "reference data: catalogue of ev models"
    assert told["user_vehicles"] == "vehicles of users, described by ev_models"
    assert "reference data" not in many["ev_models"]


def test_a_code_that_labels_nothing_is_no_label():
    """A table of flows with an auth_code is no list of codes."""
    flows = a_table("flow", "auth_code text", "challenge text")
    tokens = a_table("tokens_seen", "flow_id integer not null", "a text")

    assert "reference data" not in purposes(flows, tokens, relationships=[from_text("tokens_seen.flow_id -> flow.id")])["flow"]


def test_logs_say_of_what():
    """Changes where a column tells of a change, events elsewhere."""
    told = purposes(
        USERS,
        a_table("trust_events", "user_id integer not null", "delta integer not null", "reason text", "at date", "more text"),
        a_table("audit_log", "actor text", "at date", "what text"),
    )

    assert told["trust_events"] == "log of trust changes, per user"
    assert told["audit_log"] == "audit log"


@pytest.mark.parametrize(
    ("table", "purpose"),
    [
        (a_table("alembic_version", "version_num text", key="version_num"), "bookkeeping of a migration tool"),
        (a_table("_backup_orders", "id integer", key=""), "backup copy of rows"),
        (a_table("email_outbox", "body text"), "outbox of emails"),
        (a_table("jobs", "attempts integer", "run_at date", "payload jsonb"), "queue of jobs"),
        (a_table("settings", "key text", "value text"), "settings"),
        (a_table("uploads", "file_name text", "content_type text"), "files: uploads"),
        (a_table("audit_log_entries", "payload jsonb"), "audit log"),
        (a_table("wibbles", "a integer", "b integer"), ""),
        (a_table("", "a integer", key=""), ""),
    ],
)
def test_a_table_alone(table, purpose):
    """Names and columns tell of some; a word that means nothing gets no meaning."""
    assert purposes(table)[table.name.name] == purpose


def test_a_partitioned_table_says_so():
    """It is what it is, in parts."""
    assert purposes(replace(a_table("event_log", "at date"), kind=TableKind.PARTITIONED))["event_log"] == "log of events, partitioned"


def test_relationships_for_review_tell_nothing():
    """What may be wrong is not repeated as a fact."""
    tables = (USERS, a_table("wibbles", "user_id integer not null", "a integer", "b integer", "c integer"))

    believed = purposes(*tables, relationships=[from_text("wibbles.user_id -> users.id")])
    doubted = purposes(*tables, relationships=[from_text("wibbles.user_id -> users.id", tier=Tier.REVIEW)])

    assert (believed["wibbles"], doubted["wibbles"]) == ("wibbles of users", "")


def test_the_comment_is_left_alone():
    """What the owner wrote is kept apart and wins where both are shown."""
    told = with_purposes(outline(a_catalog(replace(USERS, comment="Who may log in"))), ())[0]

    assert (told.comment, told.purpose) == ("Who may log in", "user accounts")


def test_what_several_tables_reference_joins_nothing():
    """A store has an address and a manager, and is a thing of its own."""
    store = a_table("store", "address_id integer not null", "staff_id integer not null")
    users = [a_table(name, "store_id integer not null", "c text", "d text", "e text") for name in ("shelf", "sale")]

    assert not purposes(a_table("address", "street text"), a_table("staff", "wage integer"), store, *users)["store"].startswith("joins")


def test_codes_own_nothing_and_letters_say_nothing():
    """A note with the code of its kind is no note on codes, its log is not per code, and `b` is not a list of bs."""
    kinds = a_table("kind", "name text")
    told = purposes(
        kinds,
        a_table("note", "kind_id integer not null", "c text", "d text"),
        a_table("note_event", "kind_id integer not null", "c text", "d text"),
        a_table("a", "x text"),
        a_table("b", "a_id integer"),
    )

    assert told["kind"].startswith("reference data")
    assert "kind" not in told["note"] + told["note_event"]
    assert told["b"] == ""
