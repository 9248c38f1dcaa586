"""Words, singulars and key suffixes."""

import pytest

from holdfastd.inference.naming.words import Stem, is_plural, one_of, singular, stem_of, words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("work_order_id", ("work", "order", "id")),
        ("workOrderID", ("work", "order", "id")),
        ("WorkOrderIDs", ("work", "order", "id")),
        ("PROC_INST_ID_", ("proc", "inst", "id")),
        ("artist1", ("artist", "1")),
        ("APIKeys", ("api", "key")),
        ("_", ("_",)),
        ("😀", ("😀",)),
    ],
)
def test_every_style_of_writing_gives_the_same_words(name, expected):
    """Snake case, camel case, acronyms and digits are taken apart, in lower case and singular."""
    assert words(name) == expected


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("categories", "category"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("statuses", "status"),
        ("people", "person"),
        ("children", "child"),
        ("caches", "cache"),
        ("warehouses", "warehouse"),
        ("media", "medium"),
        ("leaves", "leaf"),
    ],
)
def test_plurals_become_singular(plural, one):
    """Regular and irregular plurals have the singular that tables and columns share."""
    assert singular(plural) == one


@pytest.mark.parametrize("word", ["status", "address", "news", "series", "class", "analysis", "bus", "has"])
def test_words_that_only_look_plural_stay(word):
    """A word that ends in s and is singular is left alone."""
    assert singular(word) == word


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("billing_address_id", Stem(words=("billing", "address"), suffix="id", number="")),
        ("currency_code", Stem(words=("currency",), suffix="code", number="")),
        ("entity1", Stem(words=("entity",), suffix="", number="1")),
        ("phone_2_id", Stem(words=("phone",), suffix="id", number="2")),
        ("id", Stem(words=(), suffix="id", number="")),
    ],
)
def test_the_stem_is_the_name_without_suffix_and_number(name, expected):
    """What marks a column as a key, and what counts it, is cut off."""
    assert stem_of(words(name)) == expected


def test_only_the_last_word_makes_a_name_plural():
    """`comments` is a plural, `news_id` and `status` are none."""
    assert [is_plural(name) for name in ("comments", "news_id", "status", "comments_open")] == [True, False, False, False]


@pytest.mark.parametrize(
    ("name", "one"), [("sales_orders", "sales order"), ("UserVehicles", "user vehicle"), ("data_src", "data src"), ("_", "_")]
)
def test_one_row_of_a_table_in_words(name, one):
    """Only the last word is in the singular."""
    assert one_of(name) == one
