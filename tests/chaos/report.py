"""The figures of docs/reliability.md: every test process writes what it counted, and this puts the sum between the page's markers.

python tests/chaos/report.py FOLDER docs/reliability.md SECONDS
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

BEGIN, END = "<!-- figures: written by `make chaos` -->\n", "<!-- end of figures -->\n"


def write(folder: str, outcomes: Mapping[str, int]) -> None:
    """Write down what this process counted."""
    from chaos.checker import counted

    figures = {
        "tests": outcomes.get("passed", 0),
        "failed": outcomes.get("failed", 0),
        "skipped": outcomes.get("skipped", 0),
        "cases": counted.cases,
        "crashes": counted.crashes,
        "rows": counted.rows,
        "lost": counted.lost,
        **counted.names,
    }
    Path(folder, f"{os.getpid()}.json").write_text(json.dumps({"figures": figures, "majors": sorted(counted.majors)}))


def render(folder: Path, seconds: int) -> str:
    """Return the table of all processes together."""
    total: Counter[str] = Counter()
    majors: set[int] = set()
    for file in folder.glob("*.json"):
        content = json.loads(file.read_text())
        total.update(content["figures"])
        majors.update(content["majors"])
    named = {
        "tests passed": "tests",
        "tests failed": "failed",
        "cases tried, each checked after the fault and after going on, most after a rollback, too": "cases",
        "crashes and cuts injected": "crashes",
        "rows compared one by one": "rows",
        "rows lost": "lost",
        "broken engines caught": "mutants caught",
    }
    # What tests count under names of their own.
    named |= {name: name for name in sorted(total.keys() - {*named.values(), "skipped"})}
    rows = "".join(f"| {text} | {total[name]:,} |\n" for text, name in named.items())
    versions = " and ".join(str(major) for major in sorted(majors, reverse=True))
    return f"| last run | PostgreSQL {versions} |\n|---|---:|\n{rows}| minutes on two cores | {seconds / 60:.0f} |\n"


def main(folder: str, page: str, seconds: str) -> None:
    """Put the figures into the page."""
    path = Path(page)
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    path.write_text(head + BEGIN + render(Path(folder), int(seconds)) + END + tail, encoding="utf-8")
    print(render(Path(folder), int(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
