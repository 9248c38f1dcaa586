"""`holdfast plan`, `plans`, `script`: what will be done about it, under review."""

import functools
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.arguments import Name, OfDatabase, PlanId
from holdfast.cli.failures import ExitCode
from holdfast.cli.policy import parse_policy, read_policy_file
from holdfast.cli.render import checks
from holdfast.cli.render import plans as tables
from holdfast.cli.resolve import list_relationships
from holdfast.cli.session import Session, command
from holdfast.pages import every_page
from holdfast.v1.database_service_pb2 import CHECK_STATE_PASSED
from holdfast.v1.plan_service_pb2 import CheckPlanResponse, Policy, ScriptKind


class ScriptName(StrEnum):
    """Which script."""

    FORWARD = "forward"
    ROLLBACK = "rollback"
    RESTORE = "restore"
    VERIFY = "verify"


app = typer.Typer(name="plans", help="List, show, approve and reject plans.", no_args_is_help=True)
commands = typer.Typer()

PolicyFile = Annotated[Path | None, typer.Option("--policy", metavar="F", help="YAML file with your decisions, see above.")]
Steps = Annotated[bool, typer.Option("--steps", help="Every step with its lock, instead of the kinds of steps.")]
EveryCheck = Annotated[bool, typer.Option("--all", help="Also tell what the checks saw that passed.")]
Kind = Annotated[ScriptName, typer.Option("--kind", help="Which script.")]


@command(commands, "plan", example="holdfast plan shop --policy policy.yaml")
async def plan(session: Session, name: Name, policy: PolicyFile = None) -> None:
    """Plan a migration from the latest audit; change nothing.

    The policy file decides, per relationship, what Holdfast would decide otherwise:

    \b
    relationships:
      reports.station_id:      # an id, or table.column when unambiguous
        include: true          # plan it or not
        on_delete: cascade     # cascade, set_null, set_default,
                               # restrict, no_action
        orphans: repoint       # delete, set_null, repoint, leave
        repoint_to: ["1"]      # for repoint: a value per referenced column
    """  # noqa: D301 (typer wants the backspace character itself)
    decided = await _read_policy(session, name, policy) if policy else None
    created = await session.client.create_plan(name, policy=decided)
    session.show(created)
    session.suggest(*(f"holdfast plans {verb} {created.plan.id}" for verb in ("show --steps", "check", "approve")))


async def _read_policy(session: Session, name: str, path: Path) -> Policy:
    content = read_policy_file(path)
    return parse_policy(content, await list_relationships(session.client, name))


@command(app, "list", example="holdfast plans list --database shop")
async def list_(session: Session, database: OfDatabase = "") -> None:
    """List plans, newest first."""
    session.show(await every_page(functools.partial(session.client.list_plans, database=database)))


@command(app, "show", example="holdfast plans show PLAN --steps")
async def show(session: Session, plan_id: PlanId, steps: Steps = False) -> None:
    """Show one plan: decisions, steps, locks and hazards."""
    found = await session.client.get_plan(plan_id)
    session.show(found, tables.one(found.plan, every_step=steps))


@command(app, "check", example="holdfast plans check PLAN --all")
async def check(session: Session, plan_id: PlanId, every: EveryCheck = False) -> ExitCode:
    """Report whether a plan could be applied now, and what to do first.

    Changes nothing. Ends with 2 when something is in the way, with 3 when
    the database changed since the plan was made. Warnings are in nobody's way.
    """
    response = await session.client.check_plan(plan_id)
    session.show(response, checks.of_plan(response, every=every))
    if response.ready:
        return ExitCode.FINE
    return ExitCode.DRIFT if _has_drifted(response) else ExitCode.ERROR


def _has_drifted(response: CheckPlanResponse) -> bool:
    return any(item.id == "drift" and item.state != CHECK_STATE_PASSED for item in response.checks)


@command(app, "approve", example="holdfast plans approve PLAN")
async def approve(session: Session, plan_id: PlanId) -> None:
    """Allow a plan to be applied. Approving an approved plan succeeds."""
    session.show(await session.client.approve_plan(plan_id))
    session.suggest(f"holdfast apply {plan_id}")


@command(app, "reject", example="holdfast plans reject PLAN")
async def reject(session: Session, plan_id: PlanId) -> None:
    """Forbid a plan to be applied. Rejecting a rejected plan succeeds."""
    session.show(await session.client.reject_plan(plan_id))


@command(commands, "script", example="holdfast script PLAN --kind verify | psql -v ON_ERROR_STOP=1")
async def script(session: Session, plan_id: PlanId, kind: Kind = ScriptName.FORWARD) -> None:
    """Print a plan as a script for psql."""
    rendered = await session.client.render_plan(plan_id, ScriptKind.Value(f"SCRIPT_KIND_{kind.name}"))
    if session.printer.is_for_people:
        session.printer.write(rendered.script.rstrip("\n"))
    else:
        session.show(rendered)
