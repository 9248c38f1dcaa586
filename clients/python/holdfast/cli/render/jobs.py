"""Jobs and their verifications as tables."""

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import Cell, facts, listing, or_nothing
from holdfast.cli.render.words import clean, lasted, minute, moment, number, prose, relationship, state, word
from holdfast.v1.core_pb2 import (
    JOB_KIND_RESTORE,
    JOB_KIND_ROLLBACK,
    JOB_STATE_CANCELLED,
    JOB_STATE_RUNNING,
    Job,
    JobKind,
    JobState,
    Verification,
)


def one(job: Job) -> RenderableType:
    """Return one job, with its verifications once it has some."""
    pairs: list[tuple[str, Cell]] = [
        ("job", Text(clean(job.id), style="bold")),
        ("kind", word(JobKind, job.kind)),
        ("database", clean(job.database)),
        ("state", state(JobState, job.state)),
        ("started", f"{moment(job.create_time)} by {clean(job.principal) or 'nobody'}"),
        *((("took", lasted(job.create_time, job.end_time)),) if job.HasField("end_time") else ()),
    ]
    of_application = "rows of" if job.kind == JOB_KIND_RESTORE else "undoes"
    for name, value in (("audit", job.audit_id), ("plan", job.plan_id), (of_application, job.application_id)):
        if value:
            pairs.append((name, clean(value)))
    pairs += _progress(job)
    if job.pause_requested and not job.progress.waiting_for.startswith("paused by"):
        pairs.append(("pause", "requested"))
    if job.cancel_requested and job.state == JOB_STATE_RUNNING:
        pairs.append(("cancel", "requested"))
    if job.state == JOB_STATE_CANCELLED and job.error_message:
        pairs.append(("left", clean(job.error_message)))
    elif job.error_message:
        pairs.append(("error", Text(clean(f"{job.error_message} [{job.error_reason}]"), style="red")))
    head = facts(pairs)
    return Group(head, "", verifications(job.verifications, undone=job.kind == JOB_KIND_ROLLBACK)) if job.verifications else head


def _progress(job: Job) -> Iterator[tuple[str, Cell]]:
    """Yield how far it is, what it does now, and what it waits for."""
    progress, is_running = job.progress, job.state == JOB_STATE_RUNNING
    if progress.total:
        yield "steps", f"{number(progress.done)} of {number(progress.total)}"
    if is_running and progress.activity:
        yield "doing", prose(progress.activity)
    if is_running and progress.rows_total:
        yield "rows", f"{number(progress.rows_done)} of {number(progress.rows_total)}"
    if progress.waiting_for:
        yield "waiting", Text(clean(progress.waiting_for), style="yellow")


def many(jobs: Iterable[Job]) -> RenderableType:
    """Return a list of jobs."""
    table = listing("Job", "Kind", "Database", "State", "Started", narrow=("Job", "State", "Started"))
    for job in jobs:
        table.add_row(
            clean(job.id),
            word(JobKind, job.kind),
            clean(job.database),
            Text.assemble(state(JobState, job.state), ", waiting" if job.progress.waiting_for else ""),
            minute(job.create_time),
        )
    return or_nothing(table, "There is no job yet.")


def verifications(verified: Iterable[Verification], *, undone: bool = False) -> RenderableType:
    """Return what was counted again at the end; after a rollback, orphan rows are back where they belong."""
    table = listing("Relationship", "Key", "Before", "After", "Backed up", numbers=("Before", "After", "Backed up"), narrow=("Key",))
    for item in verified:
        table.add_row(
            relationship(item.relationship_id),
            _key(item),
            number(item.orphan_rows_before),
            Text(number(item.orphan_rows_after), style="" if undone else "bold red" if item.orphan_rows_after else "green"),
            number(item.backed_up_rows),
        )
    return or_nothing(table, "Nothing was verified.")


def _key(item: Verification) -> Text:
    if not item.declared:
        return Text("none", style="yellow")
    return Text("validated", style="green") if item.validated else Text("not validated", style="yellow")
