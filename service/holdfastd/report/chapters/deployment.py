"""The steps of the deployment as commands, names filled in: by the service, or by psql alone. Pure."""

import shlex
from collections.abc import Iterator

from holdfastd.plan.model import PlanState, ScriptKind
from holdfastd.report.blocks import Block, Code, Heading, Items, Line, Paragraph, Script
from holdfastd.report.view import View
from holdfastd.report.words import clean, minute


def deployment(view: View) -> Iterator[Block]:
    """Yield what to type, in order; nothing when there is nothing to declare."""
    if not view.proposals:
        return
    yield Items([*_steps(view)], numbered=True)
    yield Heading(3, "With psql alone")
    yield Paragraph("The same SQL, for those who may not or would not let a service write: it records itself in the ledger, too.")
    yield Script("\n".join(_by_hand(view)), "sh")


def _steps(view: View) -> Iterator[Line]:
    plan, application = view.facts.plan, view.facts.application
    yield "Back up the whole database; what Holdfast keeps is only what it changes: ", Code(_dump(view))
    if plan is None:
        yield "Plan, and read the plan: ", Code(f"holdfast plan {view.name}")
    yield "Try it on a copy first: restore the dump elsewhere, register the copy, audit, plan, apply, and try the statements below there."
    yield "Check whether the plan could be applied now: ", Code(f"holdfast plans check {view.plan_id}")
    yield "Approve it: ", Code(f"holdfast plans approve {view.plan_id}"), _approved(view)
    yield "Apply it, while the application goes on: ", Code(f"holdfast apply {view.plan_id}"), _applied(view)
    yield "Watch it, from anywhere: ", Code(f"holdfast watch {application.id if application else 'JOB'}")
    yield "Verify, once more and by another query: ", Code(f"holdfast script {view.plan_id} --kind verify | {_psql(view)}")
    yield "Audit again, and let it fail a pipeline from now on: ", Code(f"holdfast audit {view.name} --fail-on error")


def _approved(view: View) -> str:
    plan = view.facts.plan
    if plan is None or plan.state in (PlanState.PROPOSED, PlanState.REJECTED):
        return ""
    return f" (done, by {plan.reviewer})"


def _applied(view: View) -> str:
    application = view.facts.application
    if application is None or application.end_time is None:
        return ""
    return f" ({application.state.lower()}, {minute(application.end_time)} UTC)"


def _address(view: View) -> str:
    subject = view.facts.subject
    parts = (("-h", subject.host), ("-p", str(subject.port)), ("-U", subject.role), ("-d", subject.database_name))
    return " ".join(f"{option} {shlex.quote(clean(value))}" for option, value in parts if value)


def _dump(view: View) -> str:
    return f"pg_dump {_address(view)} -Fc -f {view.name}-before.dump"


def _psql(view: View) -> str:
    return f"psql {_address(view)} -v ON_ERROR_STOP=1"


def _by_hand(view: View) -> Iterator[str]:
    kinds = (ScriptKind.FORWARD, ScriptKind.VERIFY, ScriptKind.ROLLBACK, ScriptKind.RESTORE)
    yield from (f"holdfast script {view.plan_id} --kind {kind.lower()} > {kind.lower()}.sql" for kind in kinds)
    yield f"{_psql(view)} -f forward.sql"
    yield f"{_psql(view)} -f verify.sql"
    yield "# to undo it:"
    yield f"{_psql(view)} -f rollback.sql"
