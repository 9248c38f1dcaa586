"""The scripts: finding orphan rows, doing what is planned, checking it, undoing it, putting rows back. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.inference.model import Relationship
from holdfastd.plan.model import ScriptKind, StepKind
from holdfastd.plan.script import render_script
from holdfastd.report.blocks import Block, Code, Fold, Heading, Items, Paragraph, Script
from holdfastd.report.detection import SETTINGS, can_be_queried, heading, is_visible, rows_query, summary_query
from holdfastd.report.facts import PlanFacts
from holdfastd.report.view import View
from holdfastd.report.words import number, plural

#: More steps make scripts that nobody reads here; the command writes them.
_MANY_STEPS = 150
_QUERIES, _SUMMED, _STATEMENTS = 25, 200, 200
_SCHEMA = (StepKind.CREATE_INDEX, StepKind.ATTACH_INDEX, StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY)
_ABOUT = {
    ScriptKind.FORWARD: (
        "Forward: clean up and add the keys",
        "What applying the plan does, in its order; a script that stopped can be run again.",
    ),
    ScriptKind.VERIFY: (
        "Verify",
        "Counts again with another query, compares the keys with the plan, and fails when anything differs. It only reads.",
    ),
    ScriptKind.ROLLBACK: ("Rollback", "Drops what the plan added and puts every row and value back, or refuses before touching anything."),
    ScriptKind.RESTORE: ("Restore", "Only puts rows back; it refuses while a key would reject them."),
}


def scripts(view: View) -> Iterator[Block]:
    """Yield the queries that find orphan rows, the statements that change the schema, and where the scripts are."""
    yield from _detection(view)
    if view.facts.plan is None and view.undeclared:
        yield Paragraph(("The other scripts come with a plan: ", Code(f"holdfast plan {view.name}")))
    yield from _statements(view)
    yield from _list(view)


def _detection(view: View) -> Iterator[Block]:
    counted = [item for item in view.meant if can_be_queried(item, view.tables)]
    if not counted:
        return
    with_orphans = [item for item in view.with_orphans if can_be_queried(item, view.tables)]
    yield Heading(3, "Detect orphan rows")
    yield Paragraph("Only reads: the keys of the orphan rows of each relationship that has any, then one count per relationship.")
    text = "\n\n".join((SETTINGS, *_queries(with_orphans, view), _summary(counted, view)))
    yield Fold("Detect orphan rows (SQL)", [Script(text)])
    missing = len(view.meant) - len(counted)
    if missing:
        yield Paragraph(
            f"{plural(missing, 'relationship is', 'relationships are')} not in it: comparing takes more than"
            " `=`, or a name cannot be shown."
        )


def _queries(items: Sequence[Relationship], view: View) -> Iterator[str]:
    for item in items[:_QUERIES]:
        yield f"{heading(item)}\n{rows_query(item, view.tables)}"
    if items[_QUERIES:]:
        yield f"-- and {number(len(items) - _QUERIES)} more relationships with orphan rows"


def _summary(items: Sequence[Relationship], view: View) -> str:
    # Those with orphan rows before those without.
    ordered = sorted(items, key=lambda item: -item.orphan_rows.value)
    left = f"-- {number(len(items) - _SUMMED)} more relationships have no room here\n" if items[_SUMMED:] else ""
    return f"{left}-- How many orphan rows each relationship has\n{summary_query(ordered[:_SUMMED], view.tables)}"


def _statements(view: View) -> Iterator[Block]:
    """Yield the statements that change the schema: what is left when everything that guards and records them is taken away."""
    facts = view.facts.plan
    if facts is None:
        return
    found = [statement.sql for step in facts.plan.steps if step.kind in _SCHEMA for statement in step.statements]
    shown = [sql for sql in found[:_STATEMENTS] if is_visible(sql)]
    if not shown:
        return
    yield Heading(3, "What changes in the schema")
    yield Paragraph(
        "The heart of the forward script, in its order; between adding and validating the keys, orphan rows are backed up and cleaned up."
    )
    rest = f"\n-- and {number(len(found) - len(shown))} more" if len(found) > len(shown) else ""
    yield Script(";\n".join(shown) + ";" + rest)


def _list(view: View) -> Iterator[Block]:
    if view.facts.plan is None:
        return
    yield Heading(3, "As files")
    lines = [
        (f"{title}. {about} ", Code(f"holdfast script {view.plan_id} --kind {kind.lower()}")) for kind, (title, about) in _ABOUT.items()
    ]
    yield Items(lines)


def full_scripts(view: View) -> Iterator[Block]:
    """Yield the scripts of the plan to the last line; nothing without one."""
    facts = view.facts.plan
    if facts is None:
        return
    for kind, (title, about) in _ABOUT.items():
        yield Heading(3, title)
        yield Paragraph((f"{about} As a file: ", Code(f"holdfast script {facts.id} --kind {kind.lower()} > {kind.lower()}.sql")))
        yield _whole(facts, kind, title)


def _whole(facts: PlanFacts, kind: ScriptKind, title: str) -> Block:
    command = Code(f"holdfast script {facts.id} --kind {kind.lower()}")
    if len(facts.plan.steps) > _MANY_STEPS:
        return Paragraph((f"Too long to be read here, as the plan has {number(len(facts.plan.steps))} steps: ", command))
    text = render_script(facts.id, facts.plan, kind)
    if not is_visible(text):
        return Paragraph(("A name in it holds characters that cannot be shown here; the command writes it as it is: ", command))
    return Fold(f"{title} ({number(text.count(chr(10)))} lines of SQL)", [Script(text)], is_long=True)
