"""A database built to mislead, through the whole circle: audited, planned, applied where possible, refused where not, rolled back equal."""

import json
from collections.abc import Collection
from typing import Any

import pytest

from holdfastd.errors import Reason, Refused
from holdfastd.flows import migrations, plans
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import Job
from holdfastd.names import relationship_id
from holdfastd.plan.model import OrphanAction, Override
from holdfastd.store.model import PlanRecord
from integration.evidence.test_hostile_database import HOSTILE, load, pair_of
from integration.execute.scenarios import delete, nullify
from support.equality import state_of
from support.harness import CALLER, Harness, harness
from support.postgres import Server

#: Words of the refusal by the SQLSTATE that PostgreSQL would give.
WORDS = {"42804": "no operator", "42830": "is not unique", "55000": "DEFERRABLE", "42P16": "unlogged"}
#: Triggers and rules that fight a cleanup: only trying shows what they do. What is asked for, and a word of the failure.
FIGHTING = {
    "H17a": (delete, "raised"),
    "H17b": (delete, "trigger"),
    "H17c": (nullify, "trigger"),
    "H17d": (delete, "search_path"),
    "H17e": (delete, "rule"),
}
#: Rows that cannot be set NULL, and a word of the reason.
NOT_NULL_AFTER_ALL = {"H50": "CHECK", "H51": "the same key twice", "H06c": "NOT NULL"}


def leave(relationship: str) -> Override:
    """Include a relationship and leave its orphan rows."""
    return Override(relationship_id=relationship, include=True, orphan_action=OrphanAction.LEAVE)


def without(found: Collection[str], *overrides: Override) -> list[Override]:
    """Plan nothing but the given ones."""
    wanted = {override.relationship_id for override in overrides}
    return [*overrides, *(Override(relationship_id=each, include=False) for each in found if each not in wanted)]


def truths_of(major: int, found: dict[str, Relationship]) -> dict[str, tuple[str, str]]:
    """Return, by the number of the trap, the relationships that the audit found, and what PostgreSQL says to each key."""
    truths: list[dict[str, Any]] = json.loads((HOSTILE / "truth.json").read_text())["relationships"]
    told = {}
    for truth in truths:
        verdict = truth.get("pg18" if major >= 18 else "pg15") or truth.get("pg15") or truth["pg18"]
        told[truth["id"].partition(" ")[0]] = (relationship_id(*pair_of(truth)), str(verdict.get("add_not_valid", "")))
    return {trap: each for trap, each in told.items() if each[0] in found}


async def plan_all(replica: Harness, found: Collection[str], wanted: dict[str, Override]) -> tuple[PlanRecord, dict[str, str]]:
    """Plan all at once; what is refused is left as it is. Return the plan, and the reasons of refusals by relationship."""
    refusals: dict[str, str] = {}
    while True:
        try:
            return await replica.plan("shop", *without(found, *wanted.values())), refusals
        except Refused as refusal:
            name = refusal.facts["relationship_id"]
            refusals[name] = str(refusal)
            if wanted.pop(name).orphan_action is not OrphanAction.LEAVE:
                wanted[name] = leave(name)


async def refused(replica: Harness, found: Collection[str], override: Override) -> str:
    with pytest.raises(Refused) as refusal:
        await plans.create(replica.services, CALLER, "shop", "", tuple(without(found, override)))
    assert refusal.value.reason is Reason.PLAN_INFEASIBLE
    return str(refusal.value)


async def attempted(replica: Harness, found: Collection[str], override: Override) -> Job:
    plan = await replica.plan("shop", *without(found, override))
    return await replica.end(await migrations.apply(replica.services, CALLER, plan.id))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_whole_circle(any_postgres: Server, any_database: str) -> None:
    """Every key that PostgreSQL can implement is made, its orphan rows cleaned up, and all of it undone; the others say why not."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not here")
    await load(any_postgres, any_database)
    before = await state_of(any_postgres, any_database)
    async with harness(any_postgres) as replica:
        await replica.register(any_database)
        found = await replica.audit()
        truths = truths_of(any_postgres.major, found)
        possible = {trap: name for trap, (name, verdict) in truths.items() if verdict == "ok"}
        wanted = {
            name: delete(name)
            for trap, name in possible.items()
            if trap not in FIGHTING and not (found[name].declared and (found[name].validated or not found[name].enforced))
        }  # fmt: skip
        wanted |= {name: leave(name) for trap, name in possible.items() if trap in FIGHTING}
        plan, refusals = await plan_all(replica, found, dict(wanted))
        application = await replica.apply(plan)
        cleaned = {item.relationship_id for item in application.verifications if item.orphan_rows_before and not item.orphan_rows_after}
        await replica.roll_back(application)
        assert await state_of(any_postgres, any_database) == before

        for trap, (name, verdict) in truths.items():
            word = WORDS.get(verdict.partition(" ")[0])
            if word:
                assert word in await refused(replica, found, Override(relationship_id=name, include=True)), trap
        if "H52" in truths:
            assert "NOT ENFORCED" in await refused(replica, found, Override(relationship_id=truths["H52"][0], include=True))
        for trap, word in NOT_NULL_AFTER_ALL.items():
            if trap in possible:
                assert word in await refused(replica, found, nullify(possible[trap])), trap
        for trap, (ask, word) in FIGHTING.items():
            ended = await attempted(replica, found, ask(possible[trap]))
            assert (ended.state, ended.error_reason) == ("FAILED", "STEP_FAILED"), trap
            assert word in ended.error_message, trap
            await replica.roll_back(ended)
            assert await state_of(any_postgres, any_database) == before, trap

    assert refusals == {}
    assert len(possible) > 40
    assert len(cleaned) > 30
