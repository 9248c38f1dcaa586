"""Declared and inferred relationships side by side."""

from datetime import UTC, datetime

import pytest

from holdfastd.catalog.model import OnDelete
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.model import Candidate, Risk, Tier
from holdfastd.inference.relationships import PLANNED_FROM, derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns

NOW = datetime(2026, 11, 21, tzinfo=UTC)
REPORTS = columns("reports", "station_id")
STATION = columns("stations", "id")


def a_candidate(confidence=0.95):
    return Candidate(referencing=REPORTS, referenced=STATION, confidence=confidence, evidence=())


def derived(definition="station_id integer not null", *, confidence=0.95, orphans=None, stations=None, indexes=()):
    """The relationship from reports to stations."""
    catalog = a_catalog(stations or a_table("stations"), a_table("reports", definition, indexes=indexes))
    counts = {} if orphans is None else {a_candidate().id: RowCount(value=orphans, exactness=Exactness.EXACT, as_of=NOW)}
    [relationship] = derive_relationships(catalog, [a_candidate(confidence)], counts)
    return relationship


def test_sure_and_enforceable_is_planned():
    """Above the threshold and without an obstacle a key is planned, below it is reviewed."""
    assert derived(confidence=PLANNED_FROM).tier is Tier.PLAN
    assert derived(confidence=PLANNED_FROM - 0.01).tier is Tier.REVIEW


def test_a_type_mismatch_is_an_obstacle():
    """A text column cannot reference an integer key, however sure we are."""
    relationship = derived("station_id text not null", confidence=1.0)
    assert relationship.tier is Tier.REVIEW
    assert relationship.operators == ()
    assert relationship.obstacle == (
        "public.reports(station_id) is text, public.stations(id) is integer: no operator compares them as a foreign key would."
    )


def test_columns_that_are_not_unique_are_an_obstacle():
    """Without a unique index there is nothing to reference."""
    relationship = derived(stations=a_table("stations", "id integer not null", key=()))
    assert relationship.tier is Tier.REVIEW
    assert relationship.obstacle.startswith("public.stations(id) is not unique")


@pytest.mark.parametrize(
    ("definition", "orphans", "risk"),
    [
        ("station_id integer", 8, Risk.HIGH),
        ("station_id integer not null", 0, Risk.MEDIUM),
        ("station_id integer", 0, Risk.LOW),
        ("station_id integer not null", None, Risk.UNRATED),
    ],
)
def test_risk_follows_orphans_and_nullability(definition, orphans, risk):
    """Orphans now are HIGH; none yet is MEDIUM for required and LOW for nullable columns; uncounted is UNRATED."""
    assert derived(definition, orphans=orphans).risk is risk


def test_an_index_on_the_columns_serves():
    """`indexed` tells whether a usable index serves the referencing columns."""
    assert not derived().indexed
    assert derived(indexes=[("station_id",)]).indexed


def test_declared_keys_keep_their_action():
    """A declared key is certain, in a tier of its own, with the action it was declared with."""
    key = a_foreign_key(REPORTS, STATION, OnDelete.CASCADE, validated=False)
    catalog = a_catalog(a_table("stations"), a_table("reports", "station_id integer", foreign_keys=[key]))
    [relationship] = derive_relationships(catalog, [], {})
    assert (relationship.tier, relationship.confidence, relationship.suggested_on_delete) == (Tier.DECLARED, 1.0, OnDelete.CASCADE)
    assert (relationship.validated, relationship.operators) == (False, key.operators)


def test_relationships_come_in_the_order_of_their_columns():
    """Sorted by referencing table and columns, declared and inferred mixed."""
    key = a_foreign_key(columns("visits", "station_id"), STATION)
    catalog = a_catalog(
        a_table("visits", "station_id integer", foreign_keys=[key]), a_table("stations"), a_table("reports", "station_id integer")
    )
    listed = derive_relationships(catalog, [a_candidate()], {})
    assert [relationship.referencing.table.name for relationship in listed] == ["reports", "visits"]
