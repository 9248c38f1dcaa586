"""Tables named after others with one tail, and the column that leads back."""

import pytest

from holdfastd.catalog.model import Table
from holdfastd.inference.candidates import infer_candidates
from support.builders import a_catalog, a_table

BASES = ("artist", "label", "place", "song")


def found(*tables: Table) -> dict[str, str]:
    """Return the candidates, referenced by referencing columns."""
    return {str(each.referencing): str(each.referenced) for each in infer_candidates(a_catalog(*tables))}


def a_family(column: str, *bases: str, tail: str = "_redirect") -> list[Table]:
    """Return tables and, for each, one that is named after it and holds the column."""
    own = [a_table(base, "name text") for base in bases]
    return own + [a_table(f"{base}{tail}", "gid uuid not null", f"{column} integer not null", key="gid") for base in bases]


def test_a_family_leads_back_to_what_its_tables_are_named_after():
    candidates = found(*a_family("new_id", *BASES))

    assert {f"public.{base}_redirect(new_id)": f"public.{base}(id)" for base in BASES}.items() <= candidates.items()


@pytest.mark.parametrize(("bases", "told"), [(BASES, True), (BASES[:3], False)])
def test_four_tables_are_a_family_and_evidence_says_so(bases: tuple[str, ...], *, told: bool):
    rules = {item.rule: item.text for each in infer_candidates(a_catalog(*a_family("new_id", *bases))) for item in each.evidence}

    assert ("family" in rules) is told
    assert not told or rules["family"] == "4 tables called alike have new_id, each for the table that it is named after"


@pytest.mark.parametrize("column", ["external_id", "session_id", "id_count", "position"])
def test_columns_that_lead_elsewhere_or_nowhere(column: str):
    candidates = found(*a_family(column, *BASES))

    assert not [name for name in candidates if "_redirect(" in name]


def test_a_column_that_names_a_table_is_left_to_its_name():
    """`album_id` of all of them is an album's."""
    candidates = found(*a_family("album_id", *BASES), a_table("album", "name text"))

    assert {candidates[f"public.{base}_redirect(album_id)"] for base in BASES} == {"public.album(id)"}
