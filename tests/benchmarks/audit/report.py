"""What was measured, as Markdown: in come samples, also those of a run that was interrupted, out go tables."""

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.audit.arms import CONTROL, FEW, FLOOR, HOLDFAST, PARTS, SCRIPTS, VALIDATE, few_script
from benchmarks.audit.measure import Measured, Sample

_MOST_DRIFT = 0.1
#: What issue and documents ask for: by arm and state the greatest ratio of CPU, Holdfast to the arm.
_BARS = {
    (SCRIPTS, "no indexes"): 0.85,
    (SCRIPTS, "indexed, not vacuumed"): 1.1,
    (SCRIPTS, "indexed, vacuumed"): 0.60,
    (FLOOR, "indexed, vacuumed"): 1.0,
}
_VALIDATE_BAR, _FEW_BAR, _PARTS_BAR = 1.0, 0.02, 1.15


def table(state: str, measured: Measured) -> str:
    """Return the table of one state; without ratios when the control says that the machine was not steady."""
    drift = measured.drift()
    lines = [
        f"### {state} ({measured.rounds()} rounds, {sum(measured.counts().values())} orphan rows; control drifts {drift:.0%})",
        "",
        "| arm | wall s | CPU s | Holdfast ÷ arm, CPU | wall | bar |",
        "|---|---|---|---|---|---|",
    ]
    for name in _order(measured):
        figures = f"| {name} | {measured.wall(name):.4f} | {measured.cpu(name):.4f} |"
        ours, theirs, bar = _compared(state, name)
        if not ours:
            lines.append(f"{figures} | | |")
        elif drift > _MOST_DRIFT:
            lines.append(f"{figures} withheld | withheld | {bar:g} |")
        else:
            cpu, wall = measured.cpu(ours) / measured.cpu(theirs), measured.wall(ours) / measured.wall(theirs)
            lines.append(f"{figures} {cpu:.3f} | {wall:.3f} | ≤ {bar:g}{'' if cpu <= bar else ' **missed**'} |")
    return "\n".join(lines)


def tables_of(file: Path) -> Iterable[str]:
    """Yield the tables of a file of samples, one JSON object a line."""
    states: dict[str, Measured] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        counts = {int(number): value for number, value in row["counts"].items()}
        states.setdefault(row["state"], Measured()).add(row["arm"], Sample(wall=row["wall"], cpu=row["cpu"], counts=counts))
    return (table(state, measured) for state, measured in states.items() if measured.is_complete())


def _order(measured: Measured) -> list[str]:
    few = [each for name in FEW for each in (name, few_script(name))]
    return [name for name in (HOLDFAST, PARTS, SCRIPTS, VALIDATE, FLOOR, *few, CONTROL) if name in measured.samples]


def _compared(state: str, name: str) -> tuple[str, str, float]:
    """Return which arm is divided by which, and the greatest ratio that is wanted; empty names where there is none."""
    for few in FEW:
        if name == few_script(few):
            return few, name, _FEW_BAR
    if name == PARTS:
        return PARTS, HOLDFAST, _PARTS_BAR
    if name in {SCRIPTS, VALIDATE, FLOOR}:
        return HOLDFAST, name, _BARS.get((name, state), _VALIDATE_BAR)
    return "", "", 0
