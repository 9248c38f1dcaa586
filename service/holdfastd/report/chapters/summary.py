"""Which audit of what, how far the work is, and the numbers; after an application, what came of it. Pure."""

from collections.abc import Iterator

from holdfastd.evidence.model import Exactness
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import Job, JobState
from holdfastd.report.blocks import Block, Code, Grid, Items, Level, Line, Strong
from holdfastd.report.suggestions import severities
from holdfastd.report.view import View
from holdfastd.report.words import lasted, minute, number, plural


def head(view: View) -> Block:
    """Return which audit of which database this is, and where the work stands."""
    subject, facts = view.facts.subject, view.facts
    rows: list[tuple[Line, Line]] = [
        ("Status", (Level(view.status), f". {_standing(view)}")),
        ("Database", f"{subject.database_name} on {subject.host}:{subject.port}, PostgreSQL {subject.server_version}"),
        ("Audited", f"{minute(facts.create_time)} UTC, in {lasted(facts.create_time, facts.end_time)}, as role {subject.role}"),
        ("Counted", _how_counted(view)),
        ("Audit", Code(facts.audit_id)),
    ]
    if facts.plan:
        rows.append(("Plan", (Code(facts.plan.id), f", by {facts.plan.author}, {minute(facts.plan.create_time)} UTC")))
    if view.home:
        rows.append(("Names", f"without a schema are of schema {view.home}"))
    return Grid(("", ""), rows)


def _standing(view: View) -> str:
    plan, application, rollback = view.facts.plan, view.facts.application, view.facts.rollback
    if rollback is not None:
        return _carried_out(rollback, "Undone", "Undoing it was asked for")
    if application is not None:
        return _carried_out(application, "Applied", "Applying it was asked for")
    if plan is None:
        return "Nothing has been planned from this audit, and nothing was changed."
    reviewed = f" {plan.state.capitalize()} by {plan.reviewer}." if plan.reviewer else " Nobody has approved it yet."
    return f"A plan was made; nothing was changed.{reviewed}"


def _carried_out(job: Job, done: str, asked: str) -> str:
    """Return who did it and when; only what succeeded was done."""
    if job.state is JobState.SUCCEEDED:
        return f"{done} by {job.principal}, {minute(job.end_time)} UTC."
    end = f"it ended {minute(job.end_time)} UTC, and what it did until then stands" if job.end_time else "it has not ended yet"
    return f"{asked} by {job.principal}, {minute(job.create_time)} UTC; {end}."


def _how_counted(view: View) -> str:
    found = view.facts.relationships
    estimated = sum(item.orphan_rows.exactness is Exactness.ESTIMATED for item in found)
    missing = len(view.uncounted)
    exact = len(found) - estimated - missing
    return f"{plural(exact, 'relationship')} exactly, {number(estimated)} estimated from a sample, {number(missing)} not counted"


def summary(view: View) -> Iterator[Block]:
    """Yield what was found, in a few lines."""
    yield head(view)
    yield Items([*_lines(view)])


def _lines(view: View) -> Iterator[Line]:
    relationships = view.facts.relationships
    declared = sum(item.tier is Tier.DECLARED for item in relationships)
    named = {columns.table for item in relationships for columns in (item.referencing, item.referenced)}
    yield (
        f"{plural(len(view.facts.tables) or len(named), 'table')}, {plural(len(relationships), 'relationship')}: "
        f"{number(declared)} declared, {number(len(view.undeclared))} undeclared, {number(len(view.doubtful))} for review{_when(view)}."
    )
    yield _orphans(view)
    weak = sum(not item.enforced or not item.validated for item in relationships if item.declared)
    when = _when(view)
    if declared:
        all_well = "Declared keys: all validated"
        yield f"Declared keys: {number(weak)} of {number(declared)} not validated or not enforced{when}." if weak else f"{all_well}{when}."
    if view.meant:
        unindexed = sum(not item.indexed for item in view.meant)
        told = f"{number(unindexed)} of {number(len(view.meant))} without a usable index" if unindexed else "all have a usable index"
        yield f"Keys, declared or not: {told}{when}."
    yield severities(view.facts)


def _when(view: View) -> str:
    return " when audited" if view.is_applied else ""


def _orphans(view: View) -> Line:
    orphans = view.with_orphans
    if not orphans:
        return f"No orphan row was counted{', relationships for review aside' if view.doubtful else ''}."
    tables = {item.referencing.table for item in orphans}
    count = view.orphan_total()
    told = f"{count} {'row references' if count == '1' else 'rows reference'} nothing"
    return Strong(told), f"{_when(view)}, in {plural(len(orphans), 'relationship')} of {plural(len(tables), 'table')}."
