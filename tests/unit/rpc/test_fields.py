"""What may be in a field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfastd.errors import InvalidField
from holdfastd.rpc import fields, tokens

ID = "job-0650a1b2c3d4e5f60718"
UUID = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize("name", ["a", "shop", "shop-2_x", "a" * 63])
def test_names_of_databases(name):
    """As the contract says."""
    assert fields.database_name(name) == name


@pytest.mark.parametrize("name", ["", "Shop", "2shop", "-a", "a" * 64, "a" * 10_000, "a b", "shop\n", "shöp", "a\0", "a/b"])
def test_other_names_are_refused_with_their_field(name):
    """Also a 10 kB one, and one that only a newline spoils."""
    with pytest.raises(InvalidField) as refused:
        fields.database_name(name, "name")

    assert refused.value.field == "name"
    assert len(refused.value.message) < 200


def test_no_name_filters_nothing():
    """Lists without a filter list all."""
    assert fields.database_filter("") == ""
    with pytest.raises(InvalidField):
        fields.database_filter("Shop")


@pytest.mark.parametrize("value", ["", "a b", f"{ID}\n", f" {ID}", "é", "a\0", "a/b", "job-" + "١" * 20, "j" * 65, "j" * 9999])
def test_what_cannot_be_an_id_is_refused(value):
    """With its field. What merely nobody has is for the store to tell."""
    with pytest.raises(InvalidField) as refused:
        fields.identifier(value, "plan_id")

    assert refused.value.field == "plan_id"
    assert len(refused.value.message) < 200


def test_ids_may_be_absent_where_a_filter_is():
    """The empty text is no id."""
    assert fields.identifier(ID, "id") == ID
    assert fields.optional_identifier("", "id") == ""
    with pytest.raises(InvalidField):
        fields.optional_identifier("a b", "id")


@pytest.mark.parametrize("value", ["7", UUID + "0", UUID[:-1], "{" + UUID + "}", UUID.replace("-", ""), UUID + "\n", "١" * 36, ID])
def test_request_ids_are_uuids_in_one_spelling(value):
    """uuid.UUID would take braces, URNs and bare digits, and then two spellings would be one request."""
    with pytest.raises(InvalidField) as refused:
        fields.request_id(value)

    assert refused.value.field == "request_id"


def test_request_ids_are_read_in_either_case():
    """Upper case is the same UUID; none is none."""
    assert fields.request_id(UUID.upper()) == UUID
    assert fields.request_id("") == ""


def test_texts_have_a_size_and_no_nul():
    """PostgreSQL stores no NUL; the limit counts bytes."""
    assert fields.text("é" * 2048, "x") == "é" * 2048
    for value in ("é" * 2049, "a\0b"):
        with pytest.raises(InvalidField):
            fields.text(value, "x")
    with pytest.raises(InvalidField):
        fields.required(" \t", "x")


def test_columns_are_named_once():
    """The path says which one is wrong."""
    assert fields.column_names(("a", "B c"), "columns") == ("a", "B c")
    for names, path in ((("a", "a"), "columns[1]"), (("",), "columns[0]"), (("a", "x" * 64), "columns[1]")):
        with pytest.raises(InvalidField) as refused:
            fields.column_names(names, "columns")
        assert refused.value.field == path


@pytest.mark.parametrize(("asked", "given_size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_page_sizes(asked, given_size):
    """As the contract says."""
    page = fields.page(asked, "", "ListJobs")

    assert (page.size, page.limit, page.after, page.position) == (given_size, given_size + 1, "", 0)


def test_negative_page_sizes_are_refused():
    """There is no such page."""
    with pytest.raises(InvalidField) as refused:
        fields.page(-1, "", "ListJobs")

    assert refused.value.field == "page_size"


@given(total=st.integers(0, 25), size=st.integers(1, 12))
def test_pages_list_everything_once(total, size):
    """Whether or not the last page is full; the last one has no token."""
    items = [f"job-{number:020x}" for number in range(1, total + 1)]
    listed, token = [], ""
    for _ in range(total + 1):
        page = fields.page(size, token, "ListJobs", "shop")
        start = items.index(page.after) + 1 if page.after else 0
        kept, token = page.cut(items[start : start + page.limit], lambda item: (item,))
        listed += kept
        if not token:
            break

    assert listed == items


@pytest.mark.parametrize(
    ("parts", "cursor"),
    [
        (("id",), ("a b",)),
        (("id",), ()),
        (("id",), (ID, "1")),
        (("name",), ("Shop",)),
        (("number",), ("-1",)),
        (("number",), ("1" * 19,)),
        (("id", "number"), (ID, ID)),
    ],
)
def test_cursors_are_checked_like_any_input(parts, cursor):
    """A forged token must not reach the store."""
    token = tokens.page_token(("ListJobs",), cursor)
    if cursor:
        with pytest.raises(InvalidField) as refused:
            fields.page(0, token, "ListJobs", parts=parts)
        assert refused.value.field == "page_token"
    else:
        assert fields.page(0, token, "ListJobs", parts=parts).after == ""
