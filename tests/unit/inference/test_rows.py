"""What rows make of hypotheses: information counts, not containment; orphan rows sink nothing; nothing seen changes nothing."""

import pytest

from holdfastd.evidence.model import Overlap
from holdfastd.inference.model import Evidence, Hypothesis, Target
from holdfastd.inference.rows.weigh import weigh_rows, weight_of
from holdfastd.names import relationship_id
from support.builders import a_catalog, a_table, columns

USERS, TEAMS = columns("users", "id"), columns("teams", "id")
OWNER = columns("orders", "owner_id")
CATALOG = a_catalog(
    a_table("users", "name text"),
    a_table("teams", "name text"),
    a_table("orders", "owner_id integer", "users_id integer"),
    a_table("old_orders", "owner_id integer"),
    a_table("drafts", "owner_id integer"),
)


def think(referencing=OWNER, reference=0.5, **shares: float) -> Hypothesis:
    keys = {"users": USERS, "teams": TEAMS}
    said = (Evidence(rule="named", text="a name"),)
    targets = tuple(Target(referenced=keys[name], probability=share, evidence=said) for name, share in (shares or {"users": 0.9}).items())
    return Hypothesis(referencing=referencing, reference_probability=reference, targets=targets)


def seen(found: int, sampled: int, **more) -> Overlap:
    """Ids without gaps in a table of 10,000 rows, unless said otherwise."""
    whole = {"density": 1.0, "inside": found / sampled if sampled else None, "chance": 1.0, "spread": 0.9}
    return Overlap(**{"found": found, "sampled": sampled, "referenced_rows": 10_000, **whole, **more})


UUID = {"density": None, "inside": None, "chance": 1e-6, "spread": None}


def weigh(hypothesis: Hypothesis, *overlaps: Overlap) -> Hypothesis:
    keys = [relationship_id(hypothesis.referencing, target.referenced) for target in hypothesis.targets]
    return weigh_rows(CATALOG, [hypothesis], dict(zip(keys, overlaps, strict=False)))[0]


def confidence(hypothesis: Hypothesis) -> float:
    return hypothesis.reference_probability * hypothesis.targets[0].probability


def test_one_uuid_says_more_than_a_hundred_small_numbers():
    assert weight_of(seen(3, 3, **UUID)) > weight_of(seen(100, 100, spread=0.01)) + 2


def test_small_numbers_found_among_ids_say_next_to_nothing():
    """A rating of 1 to 5 is found in every table."""
    assert weight_of(seen(5, 5, spread=0.0005)) < 0.5


def test_ids_from_all_over_the_key_say_more_than_those_of_its_beginning():
    assert weight_of(seen(1000, 1000, spread=0.98)) > weight_of(seen(1000, 1000, spread=0.02)) + 1


def test_a_key_with_gaps_says_more_than_one_without():
    assert weight_of(seen(20, 20, density=0.01, chance=0.01)) > weight_of(seen(20, 20)) + 1


@pytest.mark.parametrize("share", [1, 10, 40])
@pytest.mark.parametrize("kind", [{}, UUID, {"density": 0.2, "chance": 0.2}], ids=["ids", "uuids", "ids with gaps"])
def test_orphan_rows_do_not_sink_a_relationship(share, kind):
    found = 10 * (100 - share)
    # Orphans lie outside the key's range: the others lie in it.
    overlap = seen(found, 1000, varied=1000.0, found_rows=found / 1000, **kind)
    assert confidence(weigh(think(reference=0.9), overlap)) >= confidence(think(reference=0.9))


def test_many_rare_wrong_values_weigh_no_more_than_their_rows():
    rare = seen(3, 900, found_rows=0.9, varied=4.0, density=0.1, chance=0.1, inside=3 / 900)
    assert weight_of(rare) > 0


@pytest.mark.parametrize(("sampled", "most"), [(5, -1), (100, -3), (1000, -4.5)])
def test_none_found_is_next_to_a_veto_the_more_there_are(sampled, most):
    assert weight_of(seen(0, sampled, varied=float(sampled))) < most


def test_four_values_or_one_that_most_rows_have_are_no_veto():
    """0 for "none" in nearly all rows is one value, however many others there are."""
    assert weight_of(seen(0, 4)) > -1.5
    assert weight_of(seen(0, 500, varied=1.1)) > -1


def test_nothing_to_see_changes_nothing_and_is_told():
    for overlap, text in (
        (seen(0, 0), "no row has a value here: only the catalog speaks"),
        (seen(0, 9, referenced_rows=0), "public.users is empty: only the catalog speaks"),
    ):
        after = weigh(think(), overlap)
        assert (after.reference_probability, after.targets[0].probability) == (pytest.approx(0.5), pytest.approx(0.9))
        assert after.targets[0].evidence[-1] == Evidence(rule="no_rows", text=text)
    unseen = weigh(think(), Overlap(sampled=0, found=0, unseen="the role may not read all rows of public.users"))
    assert confidence(unseen) == pytest.approx(0.45)
    assert unseen.targets[0].evidence[-1].text == "nobody looked at rows: the role may not read all rows of public.users"
    assert weigh(think()).targets == think().targets


def test_rows_choose_between_keys_and_keep_the_sum_of_probabilities():
    after = weigh(think(users=0.7, teams=0.2), seen(0, 50, varied=50.0), seen(50, 50))
    assert [each.referenced for each in after.targets] == [TEAMS, USERS]
    assert sum(each.probability for each in after.targets) < 1
    assert after.targets[0].evidence[0].rule == "named"


def test_an_empty_key_loses_against_one_that_holds_the_values_but_not_alone():
    beside = weigh(think(users=0.6, teams=0.3), seen(0, 9, referenced_rows=0), seen(9, 9, **UUID))
    alone = weigh(think(users=0.6, teams=0.3), seen(0, 9, referenced_rows=0), seen(0, 9, varied=9.0))
    assert beside.targets[0].referenced == TEAMS
    assert alone.targets[0].referenced == USERS


def test_what_is_found_is_told_in_numbers():
    for overlap, text in (
        (seen(963, 1000), "963 of 1000 sampled values are found in public.users(id), where any number of that size would be"),
        (seen(2, 3, is_whole=True, **UUID), "2 of its 3 values are found in public.users(id)"),
        (seen(1, 1, is_whole=True, **UUID), "its only value is found in public.users(id)"),
        (seen(0, 7), "none of 7 sampled values is found in public.users(id)"),
    ):
        assert weigh(think(), overlap).targets[0].evidence[-1].text == text


def test_what_rows_confirm_is_carried_to_columns_of_that_name():
    """Two tables have no rows: one was thought of before, one was not."""
    owner, old = think(reference=0.3), think(columns("old_orders", "owner_id"), reference=0.3)
    overlaps = {relationship_id(OWNER, USERS): seen(40, 40, **UUID), relationship_id(old.referencing, USERS): seen(0, 0)}
    carried = {each.referencing.table.name: each for each in weigh_rows(CATALOG, [owner, old], overlaps)}

    assert set(carried) == {"orders", "old_orders", "drafts"}
    assert confidence(carried["old_orders"]) > 0.5 > confidence(old)
    assert carried["drafts"].targets[0].evidence == (
        Evidence(rule="values_found_elsewhere", text="values under the same name in public.orders are found in public.users(id)"),
    )


def test_nothing_is_carried_where_own_rows_object_or_tables_disagree():
    old = think(columns("old_orders", "owner_id"), reference=0.3)
    key = relationship_id(old.referencing, USERS)
    overlaps = {relationship_id(OWNER, USERS): seen(40, 40, **UUID), key: seen(1, 40, varied=40.0, **UUID)}
    objecting = weigh_rows(CATALOG, [think(reference=0.3), old], overlaps)
    drafts = think(columns("drafts", "owner_id"), reference=0.3, teams=0.9)
    divided = weigh_rows(
        CATALOG,
        [think(reference=0.3), drafts, old],
        {relationship_id(OWNER, USERS): seen(40, 40, **UUID), relationship_id(drafts.referencing, TEAMS): seen(40, 40, **UUID)},
    )
    assert "values_found_elsewhere" not in {evidence.rule for evidence in objecting[1].targets[0].evidence}
    assert confidence(divided[2]) == pytest.approx(confidence(old))
