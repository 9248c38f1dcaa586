"""Rolling back: how, what exactly it undoes, and what it cannot. Pure."""

from collections.abc import Iterator

from holdfastd.plan.model import StepKind
from holdfastd.report.blocks import Block, Code, Items, Line, Paragraph
from holdfastd.report.view import View
from holdfastd.report.words import enumerated, plural


def undoing(view: View) -> Iterator[Block]:
    """Yield how to undo the plan; nothing without one."""
    if view.facts.plan is None:
        return
    job = view.facts.application
    name = job.id if job else "JOB"
    yield Paragraph(
        (
            "Undo an application exactly: ",
            Code(f"holdfast rollback {name}"),
            "; with psql, by the script of ",
            Code(f"holdfast script {view.plan_id} --kind rollback"),
        )
    )
    yield Items([*_lines(view, name)])


def _lines(view: View, name: str) -> Iterator[Line]:
    steps = view.facts.plan.plan.steps if view.facts.plan else ()
    keys = len({step.object_name for step in steps if step.kind is StepKind.ADD_FOREIGN_KEY})
    indexes = sum(step.kind is StepKind.CREATE_INDEX for step in steps)
    cleanups = sum(step.kind is StepKind.CLEAN_UP for step in steps)
    undone = [f"drops {plural(keys, 'key')}"] * bool(keys) + [f"drops {plural(indexes, 'index', 'indexes')}"] * bool(indexes)
    undone += ["puts back every row and value that cleaning up took, dependents included"] * bool(cleanups)
    yield f"It {enumerated(undone) or 'undoes what the steps did'}; what was there before the plan is left alone."
    yield (
        "Without other writers, the database is then as it was: schema, rows and sequences; schema holdfast stays, with the record of both."
    )
    yield (
        "What others wrote meanwhile stays. Where a row can therefore not come back as it was (its key was given again, its table changed),"
        " the rollback refuses as a whole before it touches anything, and says why."
    )
    yield "Rows that cascades of the application itself deleted after the keys were added are not Holdfast's, and do not come back."
    yield "Dropping a key blocks readers of both tables for an instant; afterwards nothing stops new orphan rows."
    if cleanups:
        yield "Only put rows back, without the keys: ", Code(f"holdfast restore {name}"), "; it refuses while a key would reject them."
