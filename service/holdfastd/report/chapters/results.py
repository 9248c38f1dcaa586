"""What an application did: counts before and after, and whether it was taken back. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.jobs.model import Job, JobState, Verification
from holdfastd.plan.model import Decision, OrphanAction, StepKind
from holdfastd.report.blocks import Block, Code, Grid, Heading, Level, Line, Name, Paragraph
from holdfastd.report.chapters.capped import capped
from holdfastd.report.view import View
from holdfastd.report.words import enumerated, key_name, lasted, minute, number, plural, relationship_name, sentence, shortened

_NAMED = 4
_DONE = {OrphanAction.DELETE: "deleted", OrphanAction.SET_NULL: "set NULL", OrphanAction.REPOINT: "repointed"}


def results(view: View) -> Iterator[Block]:
    """Yield the table of results; nothing before there was an application."""
    job, plan = view.facts.application, view.facts.plan
    if job is None or plan is None:
        return
    yield Heading(3, "Results")
    if job.state is not JobState.SUCCEEDED:
        yield Paragraph(_unfinished(job, is_undone=view.is_rolled_back))
    decisions = {decision.relationship_id: decision for decision in view.included}
    rows = [(str(place), what, result) for place, (what, result) in enumerate(_steps(view, job, decisions), start=1)]
    yield Grid(("Step", "What", "Result"), rows)
    yield from _each(view, job.verifications)
    yield from _undone(view)


def _steps(view: View, job: Job, decisions: dict[str, Decision]) -> Iterator[tuple[str, Line]]:
    found = job.verifications
    done = job.progress.done
    if not found:
        # What was backed up, cleaned up and added until then is counted by nobody but the job's own message.
        yield "Steps done", f"{number(done)} of {number(len(view.facts.plan.plan.steps) if view.facts.plan else done)}"
        yield _ended(job)
        return
    before = [(each, decisions.get(each.relationship_id)) for each in found if each.orphan_rows_before]
    told = [f"{number(each.orphan_rows_before)} of {_key(view, each)}" for each, _ in before]
    orphan_rows = sum(each.orphan_rows_before for each in found)
    yield "Detected orphan rows", f"{number(orphan_rows)}: {shortened(told, _NAMED)}" if told else "none"
    saved = sum(each.backed_up_rows for each in found)
    yield (
        "Backed up",
        (f"{plural(saved, 'row')}, in ", Name("holdfast.backup"), " of the database itself") if saved else "nothing to back up",
    )
    yield "Cleaned up", _cleaned(before)
    declared = sum(each.declared for each in found)
    valid = sum(each.validated for each in found)
    yield "Added constraints", f"{number(declared)} of {number(len(found))}, {number(valid)} of them validated"
    indexes = sum(step.kind is StepKind.CREATE_INDEX for step in view.facts.plan.plan.steps) if view.facts.plan else 0
    if indexes and job.state is JobState.SUCCEEDED:
        yield "Built indexes", number(indexes)
    left = sum(each.orphan_rows_after for each in found)
    yield "Verified", "all orphan counts are 0" if not left else f"{plural(left, 'orphan row')} left as decided"
    yield _ended(job)


def _ended(job: Job) -> tuple[str, Line]:
    if job.end_time is None:
        return "Now", job.state.lower()
    return "Ended", f"{job.state.lower()}, {minute(job.end_time)} UTC, after {lasted(job.start_time or job.create_time, job.end_time)}"


def _unfinished(job: Job, *, is_undone: bool = False) -> Line:
    """Return how far a job came that did not succeed; what its message says to do holds no longer once it was undone."""
    state = Level(f"{job.kind} {job.state}")
    if is_undone:
        return state, ". What it did was rolled back."
    command = f"holdfast jobs show {job.id}" if job.end_time else f"holdfast watch {job.id}"
    parts = sentence(job.error_message).split("`")
    told = tuple(Code(part) if place % 2 else part for place, part in enumerate(parts))
    return state, ". ", *told, " " if job.error_message else "", Code(command)


def _cleaned(before: Sequence[tuple[Verification, Decision | None]]) -> str:
    counted: dict[str, int] = {}
    for each, decision in before:
        if decision is not None and decision.orphan_action in _DONE:
            word = _DONE[decision.orphan_action]
            counted[word] = counted.get(word, 0) + each.backed_up_rows
    return enumerated([f"{plural(rows, 'row')} {word}" for word, rows in counted.items()]) or "nothing"


def _key(view: View, verification: Verification) -> str:
    item = view.by_id.get(verification.relationship_id)
    return key_name(item.referencing) if item else verification.relationship_id


def _each(view: View, verifications: Sequence[Verification]) -> Iterator[Block]:
    if not verifications:
        return
    rows = [
        (_name(view, each), number(each.orphan_rows_before), number(each.orphan_rows_after), number(each.backed_up_rows), *_now(each))
        for each in sorted(verifications, key=lambda each: -each.orphan_rows_before)
    ]
    columns = ("Relationship", "Before", "After", "Backed up", "Constraint", "State")
    command = f"holdfast jobs show {view.facts.application.id}" if view.facts.application else ""
    yield from capped(columns, rows, what="results", command=command, numbers=columns[1:4])


def _name(view: View, verification: Verification) -> str:
    item = view.by_id.get(verification.relationship_id)
    return relationship_name(item) if item else verification.relationship_id


def _now(verification: Verification) -> tuple[Line, Line]:
    state = "validated" if verification.validated else "not validated" if verification.declared else "not there"
    return Name(verification.constraint_name), state


def _undone(view: View) -> Iterator[Block]:
    job = view.facts.rollback
    if job is None:
        return
    if job.state is JobState.SUCCEEDED:
        when = f"Rolled back by {job.principal}, {minute(job.end_time)} UTC"
        yield Paragraph(f"{when}: the keys and indexes that it added are gone, and every row and value that was backed up is back.")
    else:
        yield Paragraph(_unfinished(job))
