"""The order of execution: steps in groups, their locks and how long they may wait, what is risky, and how many rows. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from holdfastd.plan.lock_budgets import BUDGETS
from holdfastd.plan.model import HazardKind, LockLevel, LockPolicy, Statement, Step, StepKind
from holdfastd.report.blocks import Block, Code, Fold, Grid, Line, Paragraph
from holdfastd.report.chapters.capped import more
from holdfastd.report.view import View
from holdfastd.report.words import NOTHING, lasted, number, plural, prose, shortened, table_name

_STRENGTH = {level: place for place, level in enumerate(LockLevel)}
_TABLES = 3
#: In milliseconds.
_SECOND, _MINUTE = 1000, 60_000
_STEPS = 500
_COLUMNS = ("Step", "What", "Strongest lock", "On", "Waits for it", "Risks", "Rows")
_WHAT = {
    StepKind.PREPARE: "Prepare: the ledger and the backup, in schema holdfast",
    StepKind.CREATE_INDEX: "Index the referencing columns, concurrently",
    StepKind.ATTACH_INDEX: "Attach the indexes of partitions",
    StepKind.ADD_FOREIGN_KEY: "Add the keys NOT VALID: no new orphan rows from here on",
    StepKind.CLEAN_UP: "Back up and clean up orphan rows, in batches",
    StepKind.VALIDATE_FOREIGN_KEY: "Validate the keys: old rows are proven, too",
    StepKind.VERIFY: "Count again, and compare the keys with the plan",
}


def execution(view: View) -> Iterator[Block]:
    """Yield what runs in which order; without a plan, where it would come from."""
    if view.facts.plan is None:
        if view.undeclared:
            yield Paragraph(("There is no plan yet, so there is no order to show: ", Code(f"holdfast plan {view.name}")))
        return
    steps = view.facts.plan.plan.steps
    groups = [[*found] for _, found in groupby(steps, key=lambda step: step.kind)]
    yield Grid(_COLUMNS, [_group(found) for found in groups], numbers=("Rows",))
    yield Paragraph(_waiting())
    yield from _durations(view)
    shown = [_group([step], title=prose(step.title)) for step in steps[:_STEPS]]
    command = f"holdfast plans show {view.plan_id}"
    blocks: list[Block] = [Grid(_COLUMNS, shown, numbers=("Rows",))]
    if steps[_STEPS:]:
        blocks.append(Paragraph(more(len(steps) - _STEPS, "steps", command)))
    yield Fold(f"All {number(len(steps))} steps", blocks, otherwise=("Step by step, with every hazard: ", Code(command)))


def _group(steps: Sequence[Step], title: str = "") -> tuple[Line, ...]:
    first, last = steps[0].number, steps[-1].number
    statements = [statement for step in steps for statement in step.statements]
    level, tables = _strongest(statements)
    policies = dict.fromkeys(statement.lock_policy for statement in statements if statement.locks)
    kinds = dict.fromkeys(hazard.kind for step in steps for hazard in step.hazards)
    rows = sum(step.row_estimate for step in steps)
    return (
        str(first) if first == last else f"{first} to {last}",
        title or _WHAT[steps[0].kind],
        level,
        shortened(tables, _TABLES) or NOTHING,
        "; ".join(_wait(policy) for policy in policies) or NOTHING,
        ", ".join(_risk(kind) for kind in kinds) or NOTHING,
        number(rows) if rows else NOTHING,
    )


def _strongest(statements: Iterable[Statement]) -> tuple[str, list[str]]:
    """Return the strongest lock of some statements, and the tables that it is taken on."""
    locks = [lock for statement in statements for lock in statement.locks]
    if not locks:
        return NOTHING, []
    level = max((lock.level for lock in locks), key=_STRENGTH.__getitem__)
    return level, [*dict.fromkeys(table_name(lock.table) for lock in locks if lock.level is level)]


def _risk(kind: HazardKind) -> str:
    return kind.lower().replace("_", " ")


def _wait(policy: LockPolicy) -> str:
    longest = BUDGETS[policy].timeouts_ms[-1]
    if longest < _SECOND:
        return f"{longest} ms a try"
    return f"{longest // _SECOND} s a try" if longest < _MINUTE else f"{longest // _MINUTE} min a try"


def _waiting() -> str:
    short = BUDGETS[LockPolicy.SHORT]
    return (
        f"A lock that others would queue behind is asked for {short.timeouts_ms[0]} to {short.timeouts_ms[-1]} ms at a time,"
        f" at most {short.attempts} times within {short.total_seconds / 60:.0f} minutes, with pauses in which"
        " the queue drains; no try is without a limit."
        " Locks that may be waited for longer block neither readers nor writers while they wait."
    )


def _durations(view: View) -> Iterator[Block]:
    application = view.facts.application
    if application is not None and application.end_time is not None:
        yield Paragraph(f"The application took {lasted(application.start_time or application.create_time, application.end_time)} in all.")
    elif view.facts.plan is not None:
        count = len(view.facts.plan.plan.steps)
        yield Paragraph(
            f"How long the {plural(count, 'step')} will take was not measured; applying the plan to a copy of the database tells."
        )
