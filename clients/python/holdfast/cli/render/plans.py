"""Plans as tables: decisions, steps, locks and hazards."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import clean, minute, moment, number, prose, relationship, state, word
from holdfast.v1.core_pb2 import Decision, HazardKind, LockLevel, OnDelete, OrphanAction, Plan, PlanState, Step, StepKind

_SHORT_FINGERPRINT = 16
_WHAT = {
    StepKind.STEP_KIND_CREATE_INDEX: "Build indexes concurrently",
    StepKind.STEP_KIND_ATTACH_INDEX: "Attach indexes of partitions",
    StepKind.STEP_KIND_ADD_FOREIGN_KEY: "Add keys NOT VALID: enforcement starts",
    StepKind.STEP_KIND_CLEAN_UP: "Back up and clean up orphan rows",
    StepKind.STEP_KIND_VALIDATE_FOREIGN_KEY: "Validate keys",
}


def head(plan: Plan) -> RenderableType:
    """Return what a plan is, without what it does."""
    return facts(
        (
            ("plan", Text(clean(plan.id), style="bold")),
            ("database", clean(plan.database)),
            ("state", state(PlanState, plan.state)),
            ("made", f"{moment(plan.create_time)} by {clean(plan.author) or 'nobody'}"),
            *((("reviewed by", clean(plan.reviewer)),) if plan.reviewer else ()),
            ("fingerprint", plan.fingerprint[:_SHORT_FINGERPRINT] + "…"),
        )
    )


def one(plan: Plan, *, every_step: bool = False) -> RenderableType:
    """Return one plan: what was decided, what it runs, and the risks of that."""
    listed = steps(plan.steps) if every_step else kinds(plan.steps)
    left_out = [decision for decision in plan.decisions if not decision.included]
    parts: list[RenderableType] = [head(plan), "", decisions(plan.decisions), "", listed, "", hazards(plan.steps)]
    if left_out:
        parts[4:4] = [Text("Not planned", style="bold"), reasons(left_out), ""]
    return Group(*parts)


def many(plans: Iterable[Plan]) -> RenderableType:
    """Return a list of plans."""
    table = listing("Plan", "Database", "State", "Made", "Author", narrow=("Plan", "State", "Made"))
    for plan in plans:
        table.add_row(clean(plan.id), clean(plan.database), state(PlanState, plan.state), minute(plan.create_time), clean(plan.author))
    return or_nothing(table, "There is no plan yet; `holdfast plan NAME` makes one.")


def decisions(decided: Iterable[Decision]) -> RenderableType:
    """Return what the plan does for each relationship that it includes."""
    table = listing("Relationship", "ON DELETE", "Orphans", "Rows", numbers=("Rows",), narrow=("ON DELETE", "Orphans"))
    for decision in decided:
        if decision.included:
            table.add_row(
                relationship(decision.relationship_id),
                word(OnDelete, decision.on_delete),
                _fate(decision),
                number(decision.closure_rows) if decision.orphan_rows else "",
            )
    return or_nothing(table, "The plan includes no relationship.")


def reasons(decided: Iterable[Decision]) -> RenderableType:
    """Return why relationships are not planned."""
    table = listing("Relationship", "Why")
    for decision in decided:
        table.add_row(relationship(decision.relationship_id), prose(decision.reason))
    return table


def kinds(planned: Iterable[Step]) -> RenderableType:
    """Return the kinds of steps in their order, each with its strongest lock: what dozens of steps come to."""
    runs: list[list[Step]] = []
    for step in planned:
        if runs and runs[-1][-1].kind == step.kind:
            runs[-1].append(step)
        else:
            runs.append([step])
    table = listing("Steps", "What", "Strongest lock of each", narrow=("Steps",))
    for run in runs:
        title = prose(run[0].title) if len(run) == 1 else f"{_WHAT.get(run[0].kind, word(StepKind, run[0].kind).lower())} ({len(run)})"
        table.add_row(_ranges([step.number for step in run]), title, _strongest_level(run))
    return or_nothing(table, "The plan has no steps.")


def steps(planned: Iterable[Step]) -> RenderableType:
    """Return the steps with the strongest lock of each."""
    table = listing("#", "Step", "Strongest lock", numbers=("#",))
    for step in planned:
        table.add_row(str(step.number), prose(step.title), _strongest_lock(step))
    return or_nothing(table, "The plan has no steps.")


def hazards(planned: Iterable[Step]) -> RenderableType:
    """Return the hazards by kind, with the steps they belong to; the words of each are those of its first step."""
    by_kind: dict[int, list[tuple[int, str]]] = {}
    for step in planned:
        for hazard in step.hazards:
            by_kind.setdefault(hazard.kind, []).append((step.number, hazard.message))
    table = listing("Hazard", "Steps", "What it means")
    for kind, places in by_kind.items():
        numbers = sorted({number for number, _ in places})
        others = f" … and {len(places) - 1} more" if len({message for _, message in places}) > 1 else ""
        table.add_row(Text(word(HazardKind, kind), style="yellow"), _ranges(numbers), prose(places[0][1]) + others)
    return or_nothing(table, "No hazards.")


def _fate(decision: Decision) -> Text:
    if not decision.orphan_rows:
        return Text("none", style="dim")
    action = word(OrphanAction, decision.orphan_action).lower()
    return Text(f"{action} {number(decision.orphan_rows)}", style="bold red" if action == "delete" else "yellow")


def _strongest_level(run: Iterable[Step]) -> Text:
    locks = [lock for step in run for statement in step.statements for lock in statement.locks]
    if not locks:
        return Text("none", style="dim")
    level = max(lock.level for lock in locks)
    count = len({lock.table for lock in locks if lock.level == level})
    tables = prose(next(lock.table for lock in locks if lock.level == level)) if count == 1 else f"{count} tables"
    return Text(f"{word(LockLevel, level)} on {tables}", style="red" if level == LockLevel.LOCK_LEVEL_ACCESS_EXCLUSIVE else "")


def _strongest_lock(step: Step) -> Text:
    locks = [lock for statement in step.statements for lock in statement.locks]
    if not locks:
        return Text("none", style="dim")
    level = max(lock.level for lock in locks)
    tables = dict.fromkeys(prose(lock.table) for lock in locks if lock.level == level)
    style = "red" if level == LockLevel.LOCK_LEVEL_ACCESS_EXCLUSIVE else ""
    return Text(f"{word(LockLevel, level)} on {', '.join(tables)}", style=style)


def _ranges(numbers: list[int]) -> str:
    """Return 1, 2, 3, 5 as `1–3, 5`."""
    ranges: list[tuple[int, int]] = []
    for value in numbers:
        if ranges and value == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], value)
        else:
            ranges.append((value, value))
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)
