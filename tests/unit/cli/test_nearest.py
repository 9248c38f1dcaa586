"""A name that the service does not know is answered with the one that was meant, where that is plain."""

import grpc
import pytest

from support.scripted import Failure, ScriptedServer
from unit.cli.conftest import Holdfast
from unit.cli.samples import AUDIT_ID, JOB_ID, PLAN_ID


def unknown(kind: str, typed: str, fact: str = "") -> Failure:
    return Failure(
        code=grpc.StatusCode.NOT_FOUND,
        message=f"There is no {kind} {typed!r}; list them.",
        reason=f"{kind.upper()}_NOT_FOUND",
        metadata={fact or kind: typed},
    )


@pytest.mark.parametrize(
    ("rpc", "kind", "typed", "command", "meant"),
    [
        ("GetDatabase", "database", "charing", ("databases", "show"), "charging"),
        ("GetPlan", "plan", PLAN_ID[:-6], ("plans", "show"), PLAN_ID),
        ("GetJob", "job", JOB_ID[:12], ("jobs", "show"), JOB_ID),
        ("GetAudit", "audit", AUDIT_ID[:-1], ("audits", "show"), AUDIT_ID),
    ],
)
def test_the_nearest_is_suggested(ready: ScriptedServer, holdfast: Holdfast, rpc: str, kind: str, typed: str, command, meant: str):
    """A slip in a name, an id that was not copied to its end."""
    ready.answers[rpc] = unknown(kind, typed)
    result = holdfast(*command, typed)

    assert result.code == 2
    assert f"Did you mean {meant}? [{kind.upper()}_NOT_FOUND]" in result.err


def test_the_id_of_something_else_is_told(ready: ScriptedServer, holdfast: Holdfast):
    """Rolling back takes the job, not the plan; both are on the screen."""
    ready.answers["RollBack"] = unknown("job", PLAN_ID)

    assert f"{PLAN_ID} is the id of a plan: `holdfast plans show {PLAN_ID}` leads on." in holdfast("rollback", PLAN_ID).err


@pytest.mark.parametrize("listing", [None, Failure(code=grpc.StatusCode.PERMISSION_DENIED, message="No.", reason="PERMISSION_DENIED")])
def test_nothing_near_nothing_said(ready: ScriptedServer, holdfast: Holdfast, listing: Failure | None):
    """What is like nothing there, or may not be listed, is left as it was said."""
    ready.answers["GetDatabase"] = unknown("database", "warehouse")
    if listing is not None:
        ready.answers["ListDatabases"] = listing

    assert holdfast("databases", "show", "warehouse").err == "holdfast: There is no database 'warehouse'; list them. [DATABASE_NOT_FOUND]\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("adit", "shop"), "No such command 'adit'; did you mean 'audit' or 'audits'? See `holdfast --help`."),
        (("audit",), "Missing argument 'NAME'; see `holdfast audit --help`."),
        (("plans", "show"), "Missing argument 'PLAN'; see `holdfast plans show --help`."),
        (("findings", "shop", "--severty", "error"), "see `holdfast findings --help`."),
    ],
    ids=str,
)
def test_slips_lead_to_the_help_that_fits(holdfast: Holdfast, typed: tuple[str, ...], said: str):
    """Not to the first page."""
    result = holdfast(*typed)

    assert result.code == 2
    assert said in result.err
