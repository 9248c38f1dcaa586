"""Which audit of what, how far the work is, and the numbers; after an application, what came of it. Pure."""

from collections.abc import Iterator

from holdfastd.evidence.model import Exactness
from holdfastd.inference.model import Tier
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
        return f"Undone by {rollback.principal}, {minute(rollback.end_time or rollback.create_time)} UTC."
    if application is not None:
        end = f"{minute(application.end_time)} UTC" if application.end_time else "still at work"
        return f"Applied by {application.principal}, {end}."
    if plan is None:
        return "Nothing has been planned from this audit, and nothing was changed."
    reviewed = f" {plan.state.capitalize()} by {plan.reviewer}." if plan.reviewer else " Nobody has approved it yet."
    return f"A plan was made; nothing was changed.{reviewed}"


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
        f"{number(declared)} declared, {number(len(view.undeclared))} undeclared, {number(len(view.doubtful))} for review."
    )
    yield _orphans(view)
    weak = sum(not item.enforced or not item.validated for item in relationships if item.declared)
    if declared:
        all_well = "All declared keys are validated."
        yield f"{number(weak)} of {plural(declared, 'declared key')} not validated or not enforced." if weak else all_well
    if view.meant:
        unindexed = sum(not item.indexed for item in view.meant)
        yield f"{number(unindexed)} of {plural(len(view.meant), 'key')}, declared or not, have no usable index."
    yield severities(view.facts)


def _orphans(view: View) -> Line:
    orphans = view.with_orphans
    if not orphans:
        return f"No orphan row was counted{', relationships for review aside' if view.doubtful else ''}."
    tables = {item.referencing.table for item in orphans}
    count = view.orphan_total()
    told = f"{count} {'row references' if count == '1' else 'rows reference'} nothing"
    when = " when audited" if view.is_applied else ""
    return Strong(told), f"{when}, in {plural(len(orphans), 'relationship')} of {plural(len(tables), 'table')}."
