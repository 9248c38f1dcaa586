"""The relationship map and the purposes of tables, of both samples, asked of a running service."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast import Holdfast
from samples.load import SAMPLES, Expected, load_sample, read_expected
from support.mapped import read_map
from support.service import final, register

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "map.svg"
#: What the document says of each table, in the words of Holdfast.
PURPOSES = {
    "users": "user accounts",
    "sessions": "web session storage",
    "stations": "places: stations",
    "reports": "reports on stations, by users",
    "ev_vehicles": "reference data: catalogue of ev vehicles",
    "user_vehicles": "vehicles of users, described by ev_vehicles",
    "charging_sessions": "records of charging sessions, per station",
    "station_verifications": "votes of users on stations",
    "trust_events": "log of trust changes, per user",
}


@pytest.fixture(params=SAMPLES)
async def audited(request: pytest.FixtureRequest, database: str, client: Holdfast) -> AsyncIterator[tuple[str, Expected]]:
    """A sample, audited; its name without what a database's name cannot hold."""
    name = request.param.replace("_", "-") + "-map"
    await load_sample(database, request.param)
    await register(client, name, database)
    await final(client.audit(name))
    yield name, read_expected(request.param)
    await client.remove_database(name)


async def test_the_map_shows_what_the_document_drew(audited: tuple[str, Expected], client: Holdfast) -> None:
    """Every relationship once, with its orphan rows; what is referenced above what references it; the same bytes as in the documentation.

    `HOLDFAST_WRITE_DOCS=1` writes those anew.
    """
    name, expected = audited

    drawing = await client.draw_map(name)

    seen = read_map(drawing.svg)
    groups = {each.get("data-relationship"): each for each in seen.root.iter() if "data-relationship" in each.attrib}
    assert drawing.omitted_tables == 0
    assert {(key, group.get("data-orphans"), group.get("data-state")) for key, group in groups.items()} == {
        (relationship_id(each.referencing, each.referenced), str(each.orphan_rows), "undeclared") for each in expected.relationships
    }
    for each in expected.relationships:
        upper, lower = (seen.cards["public." + side.split(".")[0]] for side in (each.referenced, each.referencing))
        assert upper == lower or upper.bottom < lower.y
    if name.startswith("ev"):
        if os.environ.get("HOLDFAST_WRITE_DOCS"):
            PICTURE.write_text(drawing.svg, encoding="utf-8")
        assert PICTURE.read_text(encoding="utf-8") == drawing.svg


async def test_tables_say_what_they_seem_to_be_for(audited: tuple[str, Expected], client: Holdfast) -> None:
    """As the document says it, in fewer words."""
    name, _ = audited

    told = {table.name: table.purpose for table in (await client.list_tables(name)).tables}

    if name.startswith("ev"):
        assert told == PURPOSES
    else:
        assert (told["users"], told["wallets"]) == ("user accounts", "wallets of customers")


def relationship_id(referencing: str, referenced: str) -> str:
    return "->".join("public.{}({})".format(*side.split(".")) for side in (referencing, referenced))
