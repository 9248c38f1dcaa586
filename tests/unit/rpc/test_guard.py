"""The guard's decisions that need no store."""

from types import SimpleNamespace

import pytest

from holdfastd.access.model import Grant, Permission, Principal, Role
from holdfastd.access.roster import Roster
from holdfastd.errors import Forbidden, InvalidField
from holdfastd.identity.access_file import Edition
from holdfastd.identity.recognition import Recognised
from holdfastd.rpc.guard import Guard, Visitor
from holdfastd.rpc.rules import Rule

RULES = {
    "/Get": Rule(permission=Permission.VIEW, subjects=("name",), lists=False, only_reads=True),
    "/List": Rule(permission=Permission.VIEW, subjects=("database",), lists=True, only_reads=True),
    "/ListAll": Rule(permission=Permission.VIEW, subjects=(), lists=True, only_reads=True),
    "/Whole": Rule(permission=Permission.VIEW, subjects=(), lists=False, only_reads=True),
    "/Audit": Rule(permission=Permission.AUDIT, subjects=("database",), lists=False, only_reads=True),
}
GUARD = Guard(None, RULES, None)


def visitor(*grants):
    principal = Principal(name="ada", grants=frozenset(grants))
    return Visitor(name="ada", recognised=Recognised(principal=principal, edition=Edition(roster=Roster())))


EVERYWHERE, ON_SHOP, NOWHERE = visitor(Grant(role=Role.VIEWER)), visitor(Grant(role=Role.VIEWER, database="shop")), visitor()


async def admit(path, who, **request):
    return await GUARD.admit(path, SimpleNamespace(**request), who)


async def test_a_method_without_a_rule_is_denied():
    """To everybody, also where everybody may do everything."""
    for who in (EVERYWHERE, Visitor(name="anonymous")):
        with pytest.raises(Forbidden):
            await admit("/Forgotten", who)


async def test_without_an_access_file_everything_is_allowed():
    """Nobody is recognised then."""
    assert await admit("/Audit", Visitor(name="anonymous"), database="shop") is None


async def test_roles_on_all_databases_see_all():
    """None means all, removed databases included."""
    for path in RULES:
        if path != "/Audit":
            assert await admit(path, EVERYWHERE, name="x", database="x") is None


async def test_roles_on_a_database_see_that_one():
    """Named, or in a list of all."""
    assert await admit("/Get", ON_SHOP, name="shop") == {"shop"}
    assert await admit("/List", ON_SHOP, database="shop") == {"shop"}
    assert await admit("/List", ON_SHOP, database="") == {"shop"}
    assert await admit("/ListAll", ON_SHOP) == {"shop"}


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/Get", {"name": "crm"}),
        ("/Get", {"name": "SHOP"}),
        ("/List", {"database": "crm"}),
        ("/Whole", {}),
        ("/Audit", {"database": "shop"}),
    ],
)
async def test_roles_on_a_database_see_no_other(path, request_):
    """Nor what is about no single one, nor what takes another role."""
    with pytest.raises(Forbidden) as refused:
        await admit(path, ON_SHOP, **request_)

    assert "crm" not in refused.value.message


async def test_an_empty_name_is_no_way_around():
    """A handler that took the name from elsewhere would have been let through."""
    with pytest.raises(InvalidField):
        await admit("/Get", ON_SHOP, name="")


@pytest.mark.parametrize("path", RULES)
async def test_without_roles_nothing_is_seen(path):
    """Not even an empty list: whoever asks should learn that a role is missing."""
    with pytest.raises(Forbidden):
        await admit(path, NOWHERE, name="", database="")
