"""Which column tells when a row was made."""

from dataclasses import replace

import pytest

from holdfastd.evidence.details.seen import find_seen_column
from support.builders import a_table

#: As pg_type names them.
_NAMES = {"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp"}


def seen(*definitions: str) -> str:
    table = a_table("t", *definitions)
    named = [
        replace(each, type=replace(each.type, base_name=_NAMES.get(each.type.base_name, each.type.base_name))) for each in table.columns
    ]
    column = find_seen_column(replace(table, columns=tuple(named)))
    return column.name if column else ""


@pytest.mark.parametrize(
    "definition",
    [
        "created_at timestamptz",
        "createdAt timestamp without time zone",
        "CREATED_ON date",
        "creation_date date",
        "inserted_at timestamptz",
        "date_added timestamptz",
        "stamped timestamptz default now()",
        "stamped timestamptz default CURRENT_TIMESTAMP",
        "stamped timestamptz default timezone('utc'::text, now())",
        "stamped date default ('now'::text)::date",
        "updated_at timestamptz",
    ],
)
def test_column_that_tells_is_found(definition: str) -> None:
    """By its name, or by a default that is the moment of the INSERT."""
    assert seen("name text", definition) == definition.partition(" ")[0]


@pytest.mark.parametrize(
    "definition",
    [
        "created_at text",
        "created_by integer",
        "birth date",
        "deleted_at timestamptz default now()",
        "expires timestamptz default (now() + '30 days'::interval)",
        "starts_at timestamptz",
        "creator timestamptz[]",
    ],
)
def test_other_columns_tell_nothing(definition: str) -> None:
    """No time, or the time of something else."""
    assert seen("name text", definition) == ""


def test_made_is_better_than_filled_in_than_changed() -> None:
    """A row is as old as its creation; a later change tells less."""
    assert seen("updated_at timestamptz default now()", "at timestamptz default now()", "created date") == "created"
    assert seen("updated_at timestamptz default now()", "at timestamptz default now()") == "at"
    assert seen("registered date", "created_at timestamptz", "inserted date") == "created_at"
