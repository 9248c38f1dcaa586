"""The whole job on the sample database: audit, plan, apply, verify, roll back. Run it by `make demo`.

Every figure comes from the run and is compared with what is known of the sample; the demo ends with 0 only when all are right.
"""

import asyncio
import logging
import os
import signal
import sys
import time
import tomllib
from functools import partial

# Before grpc is imported: starting other programs must not make it complain.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import structlog
from phases import phases
from proof import State, read_state
from rich.text import Text
from screen import Screen, WrongFigure
from stage import DATABASE, DSN_VARIABLE, SAMPLE, Stage, built

from holdfast import DsnSource, Holdfast, HoldfastError, Job, Relationship, every_page
from holdfast.cli.render import audits, databases, jobs, plans
from holdfast.v1.core_pb2 import OnDelete, Plan, Verification


def expectations() -> dict[str, tuple[str, str, int]]:
    """Return what is known of the sample: referencing column -> referenced column, ON DELETE, orphan rows."""
    known = tomllib.loads((SAMPLE / "expected.toml").read_text(encoding="utf-8"))
    return {each["referencing"]: (each["referenced"], each["on_delete"], each["orphan_rows"]) for each in known["relationship"]}


async def main() -> None:
    """Tell the story."""
    screen = Screen()
    screen.show(Text("Holdfast keeps rows attached to what they reference.", style="bold"))
    screen.show(Text("Starting a throw-away PostgreSQL with a sample database, and the service …", style="dim"))
    began = time.monotonic()
    # Life-cycle lines of the embedded server would drown the story.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    stop_when_terminated()
    async with built() as stage, Holdfast(stage.server, principal="demo") as holdfast:
        before = await read_state(stage)
        await add_database(screen, holdfast)
        keys = await audit(screen, holdfast)
        plan = await make_plan(screen, holdfast, keys)
        application = await apply(screen, holdfast, plan)
        await roll_back(screen, holdfast, stage, application, before)
    screen.show("")
    screen.show(Text(f"Everything as it should be, in {time.monotonic() - began:.0f} s.", style="bold green"))


def stop_when_terminated() -> None:
    """Take SIGTERM like Ctrl-C: what was started is stopped."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def add_database(screen: Screen, holdfast: Holdfast) -> None:
    """Register the sample database."""
    screen.chapter("Register the database")
    added = await holdfast.add_database(DATABASE, DsnSource(env=DSN_VARIABLE))
    screen.show(databases.many([added.database]))


async def audit(screen: Screen, holdfast: Holdfast) -> set[str]:
    """Find the keys that nobody declared, and the rows that reference nothing; return the ids of the keys."""
    screen.chapter("Audit: which keys are missing, which rows reference nothing?")
    await screen.follow("Auditing", holdfast.audit(DATABASE))
    found = list((await every_page(partial(holdfast.list_relationships, DATABASE))).relationships)
    screen.show(audits.relationships(found))
    known = expectations()
    right = [each for each in found if known.get(referencing(each)) == (referenced(each), on_delete(each), each.orphan_rows.value)]
    screen.expect(f"{len(right)}/{len(known)} keys found", expected=len(known), actual=len(right))
    counts = sorted((each.orphan_rows.value for each in found if each.orphan_rows.value), reverse=True)
    orphans = sorted((count for _, _, count in known.values() if count), reverse=True)
    screen.expect(f"orphan rows: {plus(counts)}", expected=orphans, actual=counts)
    return {each.id for each in right}


async def make_plan(screen: Screen, holdfast: Holdfast, keys: set[str]) -> Plan:
    """Decide what to do about it; nothing is changed yet."""
    screen.chapter("Plan: what will be done, under which locks, at which risk")
    plan = await holdfast.plan(DATABASE)
    for part in (plans.head(plan), "", plans.decisions(plan.decisions), "", phases(plan)):
        screen.show(part)
    included = {decision.relationship_id for decision in plan.decisions if decision.included}
    screen.expect(f"{len(included)} keys planned in {len(plan.steps)} steps", expected=keys, actual=included)
    return plan


async def apply(screen: Screen, holdfast: Holdfast, plan: Plan) -> Job:
    """Approve and apply the plan, and look at what was counted again."""
    screen.chapter("Approve and apply, while the application could keep writing")
    await holdfast.approve_plan(plan.id, fingerprint=plan.fingerprint)
    job = await screen.follow("Applying", holdfast.apply(plan.id))
    verified = list(job.verifications)
    screen.show(jobs.verifications(verified))
    known = expectations()
    lost = sum(count for _, _, count in known.values())
    backed_up = sum(each.backed_up_rows for each in verified)
    screen.expect(f"{backed_up} rows backed up", expected=lost, actual=backed_up)
    had = [each for each in verified if each.orphan_rows_before]
    figures = (sum(each.orphan_rows_before for each in had), sum(each.orphan_rows_after for each in verified))
    befores = sorted((each.orphan_rows_before for each in had), reverse=True)
    screen.expect(f"orphan rows: {plus(befores)} → {figures[1]}", expected=(lost, 0), actual=figures)
    valid = sum(is_enforced(each) for each in verified)
    screen.expect(f"{valid}/{len(known)} keys validated", expected=len(known), actual=valid)
    return job


async def roll_back(screen: Screen, holdfast: Holdfast, stage: Stage, application: Job, before: State) -> None:
    """Undo everything, and prove that nothing is left of it."""
    screen.chapter("Roll back exactly")
    applied = await read_state(stage)
    screen.expect("the application changed schema and rows", expected=(True, True), actual=differences(before, applied))
    await screen.follow("Rolling back", holdfast.roll_back(application.id))
    after = await read_state(stage)
    for what, then, now in (
        ("schema dump", before.schema, after.schema),
        (f"rows of {len(before.rows)} tables", before.rows, after.rows),
        ("sequences", before.sequences, after.sequences),
    ):
        screen.expect(f"{what}, before and after: {'equal' if then == now else 'different'}", expected=then, actual=now)


def referencing(relationship: Relationship) -> str:
    """Return `table.column`."""
    return f"{relationship.referencing.table}.{relationship.referencing.columns[0]}"


def referenced(relationship: Relationship) -> str:
    """Return `table.column`."""
    return f"{relationship.referenced.table}.{relationship.referenced.columns[0]}"


def on_delete(relationship: Relationship) -> str:
    """Return the suggested ON DELETE in PostgreSQL's words."""
    return OnDelete.Name(relationship.suggested_on_delete).removeprefix("ON_DELETE_").replace("_", " ")


def is_enforced(verification: Verification) -> bool:
    """Tell whether the key is there and validated."""
    return verification.declared and verification.validated


def differences(one: State, other: State) -> tuple[bool, bool]:
    """Tell whether schema and rows differ."""
    return one.schema != other.schema, one.rows != other.rows


def plus(counts: list[int]) -> str:
    """Return `8 + 3`."""
    return " + ".join(map(str, counts)) or "0"


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (WrongFigure, HoldfastError, RuntimeError, OSError) as error:
        reason = f" [{error.reason}]" if isinstance(error, HoldfastError) else ""
        sys.exit(f"The demo failed: {error}{reason}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("Interrupted; everything that was started is stopped.")
