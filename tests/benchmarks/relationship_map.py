"""How long drawing the relationship map takes, how much memory, and how large it is: 50 to 10,000 tables, no database needed.

    python tests/benchmarks/relationship_map.py [--tables N …] [--write docs/performance.md]
    python tests/benchmarks/relationship_map.py --sql N > schema.sql

A made schema: three relationships per table on average, most of them to few tables, as in real ones; one in ten has orphan rows, one in
twenty closes a cycle. One process per line, so that peaks of memory are its own. `--sql` prints such a schema as SQL instead, with some
rows, to load into a database and look at.
"""

import argparse
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

from holdfastd.report.map.draw import draw_map  # noqa: E402
from support.builders import columns  # noqa: E402
from support.mapped import a_relationship, outlines  # noqa: E402

TABLES = (50, 500, 2_000, 10_000)
BEGIN, END = "<!-- relationship map: begin -->", "<!-- relationship map: end -->"
_WORDS = [
    "account",
    "batch",
    "branch",
    "channel",
    "claim",
    "contract",
    "course",
    "device",
    "document",
    "event",
    "field",
    "folder",
    "group",
    "invoice",
    "item",
    "ledger",
]


def main() -> int:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, nargs="+", default=list(TABLES))
    parser.add_argument("--write", type=Path, help="put the table between its marks in this file")
    parser.add_argument("--sql", type=int, help="print a schema of so many tables")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sql:
        print("\n".join(sql(options.sql)))
        return 0
    if options.alone:
        print("|", " | ".join(measured(options.tables[0])), "|")
        return 0
    lines = ["| tables | relationships | drawn tables | CPU seconds | peak MB | SVG, MB |", "|---:|---:|---:|---:|---:|---:|"]
    for tables in options.tables:
        command = [sys.executable, __file__, "--alone", "--tables", str(tables)]
        lines.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    print("\n".join(lines))
    if options.write:
        text = options.write.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        options.write.write_text("\n".join((before + BEGIN, *lines, END + after)), encoding="utf-8")
    return 0


def measured(tables: int) -> tuple[str, ...]:
    """Return one line of the table."""
    made = outlines(*(name(number) for number in range(tables)), rows=10_000)
    relationships = [
        a_relationship(
            columns(name(one), column), columns(name(other), "id"), orphan_rows=7 if number % 10 == 0 else 0, nullable=number % 3 == 0
        )
        for number, (one, column, other) in enumerate(pairs(tables))
    ]
    begun = time.process_time()
    drawing = draw_map(made, relationships)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    drawn = tables - drawing.omitted_tables
    return f"{tables:,}", f"{len(relationships):,}", f"{drawn:,}", f"{seconds:.2f}", f"{peak:,}", f"{len(drawing.svg) / 1e6:.1f}"


def name(number: int) -> str:
    """Name a table."""
    return f"{_WORDS[number % len(_WORDS)]}_{number}"


def pairs(tables: int) -> Iterator[tuple[int, str, int]]:
    """Yield referencing table, column and referenced table; the lower a number, the more often it is referenced."""
    chance = random.Random(11)
    for number in range(3 * tables):
        one, other = chance.randrange(tables), int(tables * chance.random() ** 3)
        if number % 20 and one < other:
            one, other = other, one
        yield one, f"{_WORDS[number % len(_WORDS)]}_{number}_id", other


def sql(tables: int) -> Iterator[str]:
    """Yield the schema as SQL: a tenth of the keys are not declared, and these have one orphan row each."""
    #: Table -> column -> referenced table, and whether the key is declared.
    found: dict[int, dict[str, tuple[int, bool]]] = {number: {} for number in range(tables)}
    for number, (one, column, other) in enumerate(pairs(tables)):
        declared = number % 10 != 0
        found[one].setdefault(column if declared else f"{name(other)}_id", (other, declared))
    for number, references in found.items():
        yield f"CREATE TABLE {name(number)} (id integer PRIMARY KEY, title text{''.join(f', {column} integer' for column in references)});"
    for number, references in found.items():
        hanging = [column for column, (_, declared) in references.items() if not declared]
        values = ", CASE n WHEN 1 THEN 99 ELSE n END" * len(hanging)
        yield f"INSERT INTO {name(number)} ({', '.join(['id', 'title', *hanging])}) SELECT n, 'x'{values} FROM generate_series(1, 20) AS n;"
    for number, references in found.items():
        for column, (other, declared) in references.items():
            if declared:
                yield f"ALTER TABLE {name(number)} ADD FOREIGN KEY ({column}) REFERENCES {name(other)};"
    yield "ANALYZE;"


if __name__ == "__main__":
    raise SystemExit(main())
