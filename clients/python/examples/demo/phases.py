"""A plan in a few lines: in come its steps, out goes a table with one row per run of steps of a kind."""

from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from holdfast.cli.render.shapes import listing
from holdfast.cli.render.words import word
from holdfast.v1.core_pb2 import HazardKind, LockLevel, Plan, Step, StepKind


def phases(plan: Plan) -> RenderableType:
    """Return what is done in which order, under which strongest lock, at which risk; `holdfast plans show` has every step."""
    table = listing("Steps", "What", "Strongest lock", "Hazards", narrow=("Steps", "What", "Strongest lock"))
    for kind, run in groupby(plan.steps, key=lambda step: step.kind):
        steps = list(run)
        hazards = dict.fromkeys(word(HazardKind, hazard.kind).lower() for step in steps for hazard in step.hazards)
        table.add_row(_numbers(steps), word(StepKind, kind), _strongest(steps), Text(", ".join(hazards) or "none", style="yellow"))
    return table


def _numbers(steps: list[Step]) -> str:
    first, last = steps[0].number, steps[-1].number
    return str(first) if first == last else f"{first}–{last}"


def _strongest(steps: list[Step]) -> str:
    levels = (lock.level for step in steps for statement in step.statements for lock in statement.locks)
    return word(LockLevel, max(levels, default=LockLevel.LOCK_LEVEL_UNSPECIFIED))
