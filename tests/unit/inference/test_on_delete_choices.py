"""What else the ON DELETE advice says: other actions, what NULL would break, how far a cascade goes."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, OnDelete, Trigger
from holdfastd.inference.advice.on_delete import advise
from holdfastd.inference.advice.ownership import Relations
from support.builders import a_catalog, a_foreign_key, a_table, columns

USERS = a_table("users", "email text", "password text")


def advice(*tables, of, others=()):
    """Advice on `referencing -> referenced`; both are (table, column), the key is `id`."""
    pairs = [(columns(*left), columns(right, "id")) for left, right in (of, *others)]
    return advise(a_catalog(*tables), *pairs[0], pairs)


def declared(table, column, referenced, action, definition="integer"):
    """A table with one column, declared to reference another table's id."""
    key = a_foreign_key(columns(table, column), columns(referenced, "id"), action)
    return a_table(table, f"{column} {definition}", foreign_keys=[key])


def test_other_actions_come_best_first_each_with_when_to_choose_it():
    """Alternatives are what is left, and all of it can be carried out."""
    tables = (USERS, a_table("reports", "user_id integer", *[f"c{n} text" for n in range(20)]))
    found = advice(*tables, of=(("reports", "user_id"), "users"))
    assert [other.on_delete for other in found.alternatives] == [OnDelete.CASCADE, OnDelete.RESTRICT, OnDelete.NO_ACTION]
    assert found.alternatives[0].rationale == "Choose CASCADE if rows of reports may be deleted together with their user."
    logs = advice(USERS, a_table("logs", "user_id integer", *[f"c{n} text" for n in range(20)]), of=(("logs", "user_id"), "users"))
    assert [other.on_delete for other in logs.alternatives] == [OnDelete.RESTRICT, OnDelete.CASCADE, OnDelete.NO_ACTION]
    assert "what logs records may be deleted" in logs.alternatives[1].rationale


def test_cascade_comes_second_only_where_the_owner_is_one():
    """Whoever acted, and whatever is no owner, deletes nothing unless nothing else will do."""
    stations = a_table("stations", *[f"c{n} text" for n in range(6)])
    wide = [f"c{n} text" for n in range(20)]
    for column, target in (("station_id", "stations"), ("reviewer_id", "users")):
        found = advice(USERS, stations, a_table("reports", f"{column} integer", *wide), of=(("reports", column), target))
        assert [other.on_delete for other in found.alternatives] == [OnDelete.RESTRICT, OnDelete.CASCADE, OnDelete.NO_ACTION]


def test_set_null_is_the_first_choice_besides_a_cascade_that_need_not_be():
    """The column may be empty, so the row could stay."""
    found = advice(USERS, a_table("notes", "user_id integer", "text text"), of=(("notes", "user_id"), "users"))
    assert found.on_delete is OnDelete.CASCADE
    assert found.alternatives[0].on_delete is OnDelete.SET_NULL
    assert found.alternatives[0].rationale == (
        "Choose SET NULL if a row of notes should stay, with user_id empty, when its user is deleted."
    )


@pytest.mark.parametrize("action", OnDelete)
def test_set_null_is_never_offered_for_a_required_column(action):
    """Whatever is advised."""
    others = [((f"t{number}", "user_id"), "users") for number in range(3)]
    tables = (USERS, *(declared(f"t{number}", "user_id", "users", action, "integer not null") for number in range(3)))
    found = advice(*tables, a_table("notes", "user_id integer not null"), of=(("notes", "user_id"), "users"), others=others)
    assert OnDelete.SET_NULL not in {found.on_delete, *(other.on_delete for other in found.alternatives)}


def test_a_check_that_asks_for_a_value_rules_set_null_out():
    """The column looks nullable, and PostgreSQL would accept the key."""
    wide = [f"c{n} text" for n in range(20)]
    reports = a_table("reports", "user_id integer", *wide, checks=("CHECK ((num_nonnulls(user_id, c1) = 1))",))
    found = advice(USERS, reports, of=(("reports", "user_id"), "users"))
    assert found.on_delete is OnDelete.RESTRICT
    assert "a CHECK on reports asks for a value in user_id" in found.rationale
    assert OnDelete.SET_NULL not in {other.on_delete for other in found.alternatives}


def test_a_trigger_before_updates_is_a_caution():
    """It could refuse to forget the reference."""
    reports = a_table("reports", "user_id integer", *[f"c{n} text" for n in range(20)])
    reports = replace(reports, triggers=(Trigger(name="keep", enabled=True, type_bits=1 | 2 | 16),))
    found = advice(USERS, reports, of=(("reports", "user_id"), "users"))
    assert found.on_delete is OnDelete.SET_NULL
    assert found.rationale.endswith("Check first: the trigger keep runs before updates and could refuse or undo it.")


def chain(action: OnDelete | None = None) -> Catalog:
    """Boards, cards, logs of cards: the second key declared when an action is given."""
    keys = [a_foreign_key(columns("card_logs", "card_id"), columns("cards", "id"), action)] if action else []
    logs = a_table("card_logs", "card_id integer not null", foreign_keys=keys)
    return a_catalog(a_table("boards", *[f"c{n} text" for n in range(6)]), a_table("cards", "board_id integer not null"), logs)


CHAIN = [(columns("cards", "board_id"), columns("boards", "id")), (columns("card_logs", "card_id"), columns("cards", "id"))]


@pytest.mark.parametrize(("action", "goes_on"), [(None, True), (OnDelete.CASCADE, True), (OnDelete.RESTRICT, False)])
def test_a_cascade_says_how_far_it_goes_and_what_it_deletes(action, goes_on):
    """A declared key counts as it says, another one as it is advised."""
    found = advise(chain(action), *CHAIN[0], CHAIN)
    assert found.on_delete is OnDelete.CASCADE
    assert ("The cascade goes on to card_logs and deletes what card_logs records." in found.rationale) is goes_on


def test_a_table_that_a_cascade_reaches_twice_is_told_once():
    """Cards go with boards and with lists, lists go with boards."""
    wide = [f"c{n} text" for n in range(6)]
    lists = a_table("lists", "board_id integer not null", *wide)
    cards = a_table("cards", "board_id integer not null", "list_id integer not null", *wide)
    tables = (USERS, a_table("boards", "user_id integer not null", *wide), lists, cards)
    others = [(("lists", "board_id"), "boards"), (("cards", "board_id"), "boards"), (("cards", "list_id"), "lists")]
    found = advice(*tables, of=(("boards", "user_id"), "users"), others=others)
    assert found.rationale.endswith("The cascade goes on to cards and lists.")


def test_two_rows_that_go_together_do_not_block_each_other():
    """RESTRICT could refuse what NO ACTION allows: deleting the workspace takes codes and cards along."""
    tables = (
        a_table("workspaces", "name text"),
        a_table("card_types", "workspace_id integer not null", "name text"),
        a_table("cards", "workspace_id integer not null", "type_id integer not null", *[f"c{n} text" for n in range(20)]),
    )
    of = (("cards", "type_id"), "card_types")
    others = [(("cards", "workspace_id"), "workspaces"), (("card_types", "workspace_id"), "workspaces")]
    found = advice(*tables, of=of, others=others)
    assert (found.on_delete, found.alternatives[0].on_delete) == (OnDelete.NO_ACTION, OnDelete.RESTRICT)
    assert "deleting from workspaces takes both along" in found.rationale
    kept = a_foreign_key(columns("card_types", "workspace_id"), columns("workspaces", "id"), OnDelete.NO_ACTION)
    found = advice(tables[0], replace(tables[1], foreign_keys=(kept,)), tables[2], of=of, others=others)
    assert found.on_delete is OnDelete.RESTRICT, "a declared key says itself what it takes along"


def test_nothing_is_said_of_keys_that_no_plan_makes():
    """A cascade does not go on through a relationship that is for review."""
    pairs = [(columns("boards", "user_id"), columns("users", "id")), (columns("lists", "board_id"), columns("boards", "id"))]
    wide = [f"c{n} text" for n in range(6)]
    boards, lists = a_table("boards", "user_id integer not null", *wide), a_table("lists", "board_id integer not null", *wide)
    catalog = a_catalog(USERS, boards, lists)

    assert "goes on to lists" in advise(catalog, *pairs[0], Relations.of(pairs)).rationale
    assert "goes on" not in advise(catalog, *pairs[0], Relations.of(pairs, doubtful=pairs[1:])).rationale


def test_part_of_a_pair_can_be_set_null_by_hand():
    """PostgreSQL 15 sets the columns that are named."""
    runs = a_table("runs", "tenant_id integer", "id integer", key=("tenant_id", "id"))
    catalog = a_catalog(runs, a_table("steps", "tenant_id integer not null", "run_id integer"))
    pair = columns("steps", "tenant_id", "run_id"), columns("runs", "tenant_id", "id")
    assert advise(catalog, *pair, []).rationale.endswith("By hand, SET NULL (run_id) would keep the row.")
    old = replace(catalog, identity=replace(catalog.identity, version_number=140_012))
    assert "By hand" not in advise(old, *pair, []).rationale
