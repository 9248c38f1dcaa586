"""What a catalog says beside names of tables and columns: comments, names of indexes, habits of the schema, and copies of tables in many schemas."""

from dataclasses import replace

import pytest

from holdfastd.inference.candidates import form_hypotheses, infer_candidates
from holdfastd.inference.columns.convention import with_convention
from holdfastd.inference.columns.gather import gather
from holdfastd.inference.naming.learn import learn
from holdfastd.inference.naming.lexicon import MANY
from holdfastd.inference.naming.people import find_people
from support.builders import a_catalog, a_table, an_index, columns


def commented(name: str, definition: str, comment: str):
    """A table with one column beside its key, and a comment on it."""
    table = a_table(name, definition)
    return replace(table, columns=(*table.columns[:-1], replace(table.columns[-1], comment=comment)))


def referenced(*tables):
    """Referenced columns by referencing ones."""
    return {candidate.referencing: candidate.referenced for candidate in infer_candidates(a_catalog(*tables))}


@pytest.mark.parametrize(
    "comment",
    [
        "references customers",
        "FK to customers(id)",
        "Points at the table customers.",
        "who pays -> public.customers",
        "foreign key to `customers`",
    ],
)
def test_a_comment_can_name_the_table(comment):
    """Where the name says nothing, the comment on the column may."""
    payments = commented("payments", "payer integer not null", comment)

    assert referenced(a_table("customers", "name text"), payments) == {columns("payments", "payer"): columns("customers", "id")}


def test_a_comment_about_something_else_says_nothing():
    """A table's name in a comment is no reference by itself."""
    payments = commented("payments", "amount integer not null", "in cents, as customers see it")

    assert referenced(a_table("customers", "name text"), payments) == {}


def test_an_index_named_after_a_table_speaks_for_it():
    """`idx_orders_customers` on `cust_no` raises what is believed of it."""
    customers = a_table("customers", "name text")
    plain = a_table("orders", "buyer_customer integer not null")
    indexed = replace(plain, indexes=(*plain.indexes, an_index("buyer_customer", name="idx_orders_customer_fk")))
    before, after = (form_hypotheses(a_catalog(customers, table))[0].reference_probability for table in (plain, indexed))

    assert after > before


def test_habits_are_learnt_from_plain_names():
    """Where numbers without a suffix name tables, one more is written as usual; where `_id` is the rule, it is not."""
    nouns = ("artist", "work", "label", "place", "genre", "event", "area", "medium")

    def style(suffix: str) -> frozenset[str]:
        users = [a_table(f"t{number}", f"{noun}{suffix} integer not null") for number, noun in enumerate(nouns)]
        catalog = a_catalog(*(a_table(noun) for noun in nouns), *users, a_table("last", "artist integer not null"))
        naming = learn(catalog)
        cases = with_convention(gather(catalog, naming, find_people(naming)))
        return next(case for case in cases if case.referencing == columns("last", "artist")).traits

    assert "style_usual" in style("")
    assert "style_usual" not in style("_id")


def test_each_copy_has_its_own_tables():
    """The same tables in many schemas: references stay inside their schema, actors included."""
    tables = []
    for number in range(MANY + 3):
        schema = f"copy_{number}"
        tables += [
            a_table(f"{schema}.users", "email text", "password text"),
            a_table(f"{schema}.stations", "name text"),
            a_table(f"{schema}.reports", "station_id integer not null", "created_by integer not null"),
        ]
    found = referenced(*tables)

    assert len(found) == 2 * (MANY + 3)
    assert all(left.table.schema == right.table.schema for left, right in found.items())


def test_hypotheses_are_few_per_column():
    """A column that could mean many tables has at most five targets worth a look at rows."""
    colours = ("red", "green", "blue", "black", "white", "pink", "grey", "brown")
    tables = [a_table(f"{colour}_pool", "name text") for colour in colours]
    hypotheses = form_hypotheses(a_catalog(*tables, a_table("options", "pool_id integer not null")))

    assert all(len(each.targets) <= 5 for each in hypotheses)
    assert any(each.referencing == columns("options", "pool_id") for each in hypotheses)
