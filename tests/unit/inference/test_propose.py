"""What rows may be asked about beyond names: few proposals, none of them told without rows."""

from holdfastd.inference.candidates import conclude, form_hypotheses
from holdfastd.inference.rows.propose import propose
from support.builders import a_catalog, a_foreign_key, a_table, columns


def proposed(*tables) -> dict[str, tuple[str, ...]]:
    catalog = a_catalog(*tables)
    return {str(each.referencing): tuple(str(target.referenced) for target in each.targets) for each in propose(catalog, ())}


def test_words_of_one_family_where_the_name_leads_somewhere():
    found = proposed(a_table("shippers", "name text"), a_table("orders", "ship_via integer", "ship_date date", "ship_name text"))
    assert found == {"public.orders(ship_via)": ("public.shippers(id)",)}


def test_a_verb_that_leads_to_nothing_named_leads_home_but_a_range_does_not():
    found = proposed(a_table("employees", "reports_to integer", "age_to integer", "valid_to date"))
    assert found == {"public.employees(reports_to)": ("public.employees(id)",)}


def test_uuids_and_sized_codes_of_just_the_type_of_a_key():
    found = proposed(
        a_table("places", "code char(3)", key="code"),
        a_table("crew", "id uuid", "born char(3)", "nick char(4)", "about text"),
        a_table("trips", "captain uuid", "amount integer"),
    )
    assert found == {"public.crew(born)": ("public.places(code)",), "public.trips(captain)": ("public.crew(id)",)}


def test_columns_called_like_those_of_a_composite_key():
    found = proposed(
        a_table("food_nutrients", "food_no integer", "nutrient_no integer", key=("food_no", "nutrient_no")),
        a_table("sources", "food_no integer", "nutrient_no integer", "source integer", key=("food_no", "nutrient_no", "source")),
        a_table("twin", "food_no integer", "nutrient_no integer", key=("food_no", "nutrient_no")),
    )
    keys = ("public.food_nutrients(food_no, nutrient_no)", "public.twin(food_no, nutrient_no)")
    assert found["public.sources(food_no, nutrient_no)"] == keys
    assert "public.twin(food_no, nutrient_no)" not in found


def test_part_of_a_key_called_like_the_key_of_the_table_above():
    found = proposed(a_table("cover_art", "name text"), a_table("cover_art_type", "id integer", "type_no integer", key=("id", "type_no")))
    assert found["public.cover_art_type(id)"] == ("public.cover_art(id)",)


def test_what_is_declared_or_thought_of_already_is_left_alone():
    key = a_foreign_key(columns("orders", "ship_via"), columns("shippers", "id"))
    assert proposed(a_table("shippers", "name text"), a_table("orders", "ship_via integer", foreign_keys=(key,))) == {}
    catalog = a_catalog(a_table("users", "name text"), a_table("orders", "user_id integer"))
    hypotheses = form_hypotheses(catalog)
    assert propose(catalog, hypotheses) == hypotheses


def test_types_alone_are_not_told_without_rows():
    catalog = a_catalog(
        a_table("places", "code char(3)", key="code"), a_table("crew", "id uuid", "born char(3)"), a_table("trips", "captain uuid")
    )
    assert conclude(catalog, propose(catalog, ())) == ()
