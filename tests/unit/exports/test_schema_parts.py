"""What schemas of object mappers are made of: names, types, defaults and indexes, taken apart."""

import msgspec
import pytest

from holdfastd.catalog.model import OwnedSequence, SequenceOptions
from holdfastd.catalog.outline import ColumnOutline, IndexOutline, TableOutline
from holdfastd.exports.index_parts import IndexPart, parse_index, storage_options
from holdfastd.exports.spelling import Namespace, camel, pascal
from holdfastd.exports.sql_checks import condition_of, rest_of
from holdfastd.exports.sql_literals import is_serial, number_of, string_of
from holdfastd.exports.sql_types import parse_type
from holdfastd.names import TableName


def a_column(type_: str, default: str | None = None, *, sequence: OwnedSequence | None = None) -> ColumnOutline:
    return ColumnOutline(
        name="id", type=type_, base_schema="pg_catalog", base_name="x", category="N", not_null=True, default=default, sequence=sequence
    )


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("wallet_transactions", "walletTransactions"),
        ("createdAt", "createdAt"),
        ("UserID", "userID"),
        ("URL", "url"),
        ("HTTP_STATUS", "httpStatus"),
        ("a b", "aB"),
        ("€", "fallback"),
        ("2fa_codes", "fallback2faCodes"),
        ("数量", "数量"),
        ("__proto__", "proto"),
        ("\U0001d4b3_x", "x"),
    ],
)
def test_names_become_camel_case(name, spelled):
    """Words are joined; what no name of a program can hold goes, and something is always left."""
    assert camel(name, fallback="fallback") == spelled


def test_names_are_ascii_where_they_must_be():
    """Accents go, other letters cannot be kept."""
    assert camel("größe", fallback="field", only_ascii=True) == "groe"
    assert pascal("数量", fallback="model", only_ascii=True) == "Model"


def test_a_taken_name_gets_a_number():
    """The first keeps the name; a number never leads to another taken one."""
    names = Namespace(("index2",))

    assert [names.take(name) for name in ("index", "index", "index")] == ["index", "index3", "index4"]


@pytest.mark.parametrize(
    ("type_", "name", "arguments", "is_array"),
    [
        ("numeric(10,2)", "numeric", (10, 2), False),
        ("numeric(5,-2)", "numeric", (5, -2), False),
        ("timestamp(3) with time zone", "timestamp with time zone", (3,), False),
        ("interval day to second(3)", "interval day to second", (3,), False),
        ("character varying(5)[]", "character varying", (5,), True),
        ('"char"', '"char"', (), False),
        ('sales."odd ""type"" x"(3)', 'odd "type" x', (3,), False),
    ],
)
def test_types_are_taken_apart(type_, name, arguments, is_array):
    """As PostgreSQL prints them, modifiers and arrays included."""
    parsed = parse_type(a_column(type_))

    assert (parsed.name, parsed.arguments, parsed.is_array) == (name, arguments, is_array)


def test_a_domain_over_an_enum_is_no_enum():
    """Its labels are those of another type, which would be declared twice under a wrong name."""
    column = ColumnOutline(name="x", type="public.mood_domain", base_schema="public", base_name="mood", category="E", enum_labels=("a",))

    assert parse_type(column).enum_labels == ()


@pytest.mark.parametrize(
    ("default", "text", "number"),
    [
        ("'it''s'::text", "it's", None),
        ("'x'::character varying(5)", "x", None),
        ("'a' || 'b'", None, None),
        (r"'\x'::bytea", None, None),
        ("'-1'::integer", "-1", "-1"),
        ("(-1)", None, "-1"),
        ("1.50", None, "1.50"),
        ("lower('x'::text)", None, None),
        ("now()", None, None),
    ],
)
def test_only_plain_defaults_are_values(default, text, number):
    """An expression stays one, and text with a backslash is not guessed at."""
    assert (string_of(default), number_of(default)) == (text, number)


@pytest.mark.parametrize(
    ("name", "options", "serial"),
    [
        ("orders_id_seq", SequenceOptions(maximum=2**31 - 1), True),
        ("orders_id_seq", SequenceOptions(), False),
        ("orders_id_seq", SequenceOptions(maximum=2**31 - 1, start=100), False),
        ("others_id_seq", SequenceOptions(maximum=2**31 - 1), False),
    ],
)
def test_serial_is_what_serial_makes(name, options, serial):
    """The sequence has the usual name and counts as usual: anything else would be lost."""
    owned = OwnedSequence(column="id", schema="public", name=name, options=options)
    column = a_column("integer", f"nextval('public.{name}'::regclass)", sequence=owned)

    assert is_serial(TableName("public", "orders"), column) is serial


def an_index(definition: str, *columns: str | None) -> IndexOutline:
    return IndexOutline(name="i", columns=columns, definition=definition)


def test_indexes_are_taken_apart():
    """Order, NULLS and operator classes per key; an expression and a collation stay SQL."""
    index = an_index(
        'CREATE INDEX "USING btree (" ON public."t (" USING btree (a DESC, b NULLS FIRST, lower(c, \',\'::text), '
        "\"d e\" text_ops DESC NULLS LAST, f COLLATE \"C\") INCLUDE (g) WITH (fillfactor='70', deduplicate_items=off) WHERE (h > ')'::text)",
        *("a", "b", None, "d e", "f"),
    )

    assert parse_index(index) == (
        IndexPart(column="a", sql="a DESC", descending=True, nulls_first=True),
        IndexPart(column="b", sql="b NULLS FIRST", nulls_first=True),
        IndexPart(column=None, sql="lower(c, ','::text)"),
        IndexPart(column="d e", sql='"d e" text_ops DESC NULLS LAST', descending=True, operators="text_ops"),
        IndexPart(column=None, sql='f COLLATE "C"'),
    )
    assert storage_options(index) == {"fillfactor": "70", "deduplicate_items": "off"}


def test_an_unreadable_index_has_its_columns():
    """A definition that says nothing, as one of an old audit, leaves plain columns."""
    assert [part.column for part in parse_index(an_index("", "a", "b"))] == ["a", "b"]


def test_checks_are_taken_apart():
    """What follows the condition is not part of it."""
    definition = "CHECK ((a > 0) AND (b <> 'x) NOT VALID'::text)) NOT VALID"

    assert (condition_of(definition), rest_of(definition)) == ("(a > 0) AND (b <> 'x) NOT VALID'::text)", "NOT VALID")


def test_tables_of_older_audits_are_still_read():
    """What was not kept then is empty now."""
    column = {"name": "id", "type": "integer", "base_schema": "pg_catalog", "base_name": "int4", "category": "N"}
    document = {"name": {"schema": "public", "name": "t"}, "kind": "r", "columns": [column], "checks": ["CHECK (true)"]}
    table = msgspec.convert(document, TableOutline)

    assert (table.check_names, table.exclusions, table.columns[0].sequence, table.columns[0].collation) == ((), (), None, "")
