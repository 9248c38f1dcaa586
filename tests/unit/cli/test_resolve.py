"""Few letters name a relationship, as long as they name one."""

import pytest

from holdfast.cli.failures import InputError
from holdfast.cli.resolve import resolve
from unit.cli.samples import DECLARED, RELATIONSHIPS, relationship

REPORTS = RELATIONSHIPS[2]


@pytest.mark.parametrize(
    "name", ["reports.station_id", "public.reports.station_id", "reports(station_id)", "public.reports(station_id)", REPORTS.id]
)
def test_short_forms(name: str):
    """With or without schema, with a dot or as in the id."""
    assert resolve(name, RELATIONSHIPS) == REPORTS.id


@pytest.mark.parametrize("name", ['sales."Order Lines"("Order", line)', "Order Lines(Order, line)", "sales.Order Lines(Order, line)"])
def test_several_columns_and_odd_names(name: str):
    """Names may be quoted as in the id or written as they are."""
    assert resolve(name, [DECLARED, REPORTS]) == DECLARED.id


def test_ambiguous_name_lists_the_ids():
    """Two schemas with the same table: the caller must say which."""
    other = relationship("reports", "station_id", "stations")
    other.id = "old.reports(station_id)->old.stations(id)"
    other.referencing.schema = "old"

    with pytest.raises(InputError, match="give the full id") as raised:
        resolve("reports.station_id", [REPORTS, other])
    assert REPORTS.id in str(raised.value)
    assert other.id in str(raised.value)
    assert resolve("old.reports.station_id", [REPORTS, other]) == other.id


def test_two_constraints_declare_one_relationship():
    """Then its name is not ambiguous."""
    assert resolve("reports.station_id", [REPORTS, REPORTS]) == REPORTS.id


def test_unknown_name_suggests_the_nearest():
    """Typing errors are the usual reason."""
    with pytest.raises(InputError, match=r"perhaps 'reports\.station_id'"):
        resolve("report.station_id", RELATIONSHIPS)


def test_column_of_a_wider_key_is_not_its_name():
    """One column of two is not the relationship."""
    with pytest.raises(InputError, match="No relationship"):
        resolve("Order Lines.line", [DECLARED])
