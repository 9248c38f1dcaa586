"""Discovery with rows: load each data set into a server of its own, look at its rows, and score against the true keys.

    python tests/benchmarks/score_rows.py [NAME …] [--errors] [--dsn DSN]

Prints per data set what the catalog alone finds and what rows make of it, the relationships with orphan rows that were missed, and the
time that looking took. Says so and ends 0 when the data sets are not there.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

import asyncpg  # noqa: E402

from benchmarks.score import DATA, SHARED, THRESHOLD, corpus_tool, truth_of_data  # noqa: E402
from holdfastd.catalog.read import read_catalog  # noqa: E402
from holdfastd.evidence.overlap.observe import observe  # noqa: E402
from holdfastd.inference.candidates import conclude, form_hypotheses  # noqa: E402
from holdfastd.inference.model import Candidate  # noqa: E402
from holdfastd.inference.relationships import PLANNED_FROM  # noqa: E402
from holdfastd.inference.rows.propose import propose  # noqa: E402
from holdfastd.inference.rows.weigh import weigh_rows  # noqa: E402
from holdfastd.names import ColumnSet, TableName, identifier, qualified  # noqa: E402
from holdfastd.target.session import close, connect  # noqa: E402
from support.postgres import Server  # noqa: E402

_BUDGET_SECONDS = 60.0
TOOL = corpus_tool() if SHARED.is_dir() else None


def main() -> int:
    """Score the data sets, then all of them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=DATA)
    parser.add_argument("--errors", action="store_true", help="list what was missed or wrong with rows")
    parser.add_argument("--loaded", metavar="DSN", help="a server that holds the data sets already, X in place of the database's name")
    parser.add_argument(
        "--orphans", type=float, default=0.0, metavar="SHARE", help="make so many of the rows of each true key orphan rows first"
    )
    options = parser.parse_args()
    if TOOL is None or not (SHARED / "data").is_dir():
        print(f"skipped: no data sets at {SHARED / 'data'}")
        return 0
    asyncio.run(_score_all(options.names, options.loaded, orphans=options.orphans, errors=options.errors))
    return 0


async def _score_all(names: Sequence[str], loaded: str | None, *, orphans: float, errors: bool) -> None:
    totals: dict[str, Counter[str]] = {"schema only": Counter(), "with rows": Counter(), "plan tier": Counter()}
    server = None if loaded else await Server(18).start()
    try:
        for name in names:
            dsn = loaded.replace("X", name) if loaded else await _load(server, name)
            if orphans:
                print(f"{name:12s} keys with rows that were orphaned: {await _orphan(dsn, name, orphans)}")
            await _score(name, dsn, totals, errors=errors)
    finally:
        if server is not None:
            await server.stop()
    for label, total in totals.items():
        print(f"{'MICRO':12s} {label:12s} {_line(total)}")


async def _load(server: Server, name: str) -> str:
    dsn = await server.create_database(name)
    loader = [sys.executable, str(SHARED / "tools" / "corpus.py"), "load", str(SHARED / "data" / name), dsn]
    await asyncio.to_thread(subprocess.run, loader, check=True, capture_output=True)
    return dsn


async def _orphan(dsn: str, name: str, share: float) -> int:
    """Point a share of the referencing rows of every true key of one column nowhere; return how many keys have such rows now."""
    connection = await asyncpg.connect(dsn)
    orphaned = 0
    try:
        for table, columns in truth_of_data(SHARED / "data" / name):
            with contextlib.suppress(asyncpg.PostgresError):
                orphaned += len(columns) == 1 and await _orphan_column(connection, TableName(*table.split(".", 1)), columns[0], share)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return orphaned


async def _orphan_column(connection: asyncpg.Connection, table: TableName, name: str, share: float) -> bool:
    """Change every so many rows to values of which no key knows; one statement, so that a unique index may undo all of it."""
    kind = await connection.fetchval(
        "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2", qualified(table), name
    )
    column, every = identifier(name), max(1, round(1 / share))
    whole = {"smallint": "30000 + number % 2000", "integer": "900000000 + number", "bigint": "900000000 + number"}
    value = whole.get(kind, "md5(number::text)::uuid" if kind == "uuid" else f"left(md5(number::text), length({column}))")
    done = await connection.execute(
        f"UPDATE {qualified(table)} AS changed SET {column} = {value} FROM (SELECT ctid, row_number() OVER () AS number"
        f" FROM {qualified(table)} WHERE {column} IS NOT NULL) AS numbered WHERE changed.ctid = numbered.ctid AND number % {every} = 0"
    )
    return done != "UPDATE 0"


async def _score(name: str, dsn: str, totals: dict[str, Counter[str]], *, errors: bool) -> None:
    connection = await connect(dsn, application_name="score-rows", read_only=True)
    try:
        catalog = await read_catalog(connection)
        thought = form_hypotheses(catalog)
        asked = propose(catalog, thought)
        start = time.monotonic()
        overlaps = await observe(connection, catalog, asked, budget_seconds=_BUDGET_SECONDS)
        seconds = time.monotonic() - start
    finally:
        await close(connection)
    found = {"schema only": conclude(catalog, thought), "with rows": conclude(catalog, weigh_rows(catalog, asked, overlaps))}
    path = SHARED / "data" / name
    note = f"  looked {seconds:.2f} s at {len(overlaps)} pairs"
    for label, candidates in found.items():
        scored = _scored(path, candidates, THRESHOLD)
        totals[label].update(_numbers(scored))
        print(f"{name:12s} {label:12s} {_line(_numbers(scored))}{note if label == 'with rows' else ''}")
    planned = _scored(path, found["with rows"], PLANNED_FROM)
    totals["plan tier"].update(_numbers(planned))
    print(f"{name:12s} {'plan tier':12s} {_line(_numbers(planned))}")
    _print_missed_orphans(path, found["with rows"])
    if errors:
        _print_errors(_scored(path, found["with rows"], THRESHOLD))


def _scored(path: Path, candidates: Sequence[Candidate], threshold: float) -> dict[str, Any]:
    assert TOOL is not None
    said = [
        {"referencing": _columns(each.referencing), "referenced": _columns(each.referenced), "confidence": each.confidence}
        for each in candidates
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(said, file)
        file.flush()
        scored: dict[str, Any] = TOOL.score(str(path), TOOL.predictions_of(file.name, threshold))
        return scored


def _columns(columns: ColumnSet) -> dict[str, object]:
    return {"schema": columns.table.schema, "table": columns.table.name, "columns": list(columns.columns)}


def _numbers(scored: dict[str, Any]) -> Counter[str]:
    return Counter({name: value for name, value in scored.items() if isinstance(value, int)})


def _line(numbers: Counter[str]) -> str:
    assert TOOL is not None
    figures = TOOL.figures(numbers)
    return (
        f"keys {figures['truth']:4d}  P {figures['precision']:.3f}  P-target {figures['precision_target']:.3f}"
        f"  R {figures['recall']:.3f}  F1 {figures['f1']:.3f}"
    )


def _print_missed_orphans(path: Path, candidates: Sequence[Candidate]) -> None:
    """Relationships with orphan rows that were not found: the ones that matter most."""
    found = {
        (
            str(each.referencing.table),
            str(each.referenced.table),
            frozenset(zip(each.referencing.columns, each.referenced.columns, strict=True)),
        )
        for each in candidates
        if each.confidence >= THRESHOLD
    }
    for item in json.loads((path / "orphans.json").read_text(encoding="utf-8"))["relationships"]:
        pairs = frozenset(zip(item["child_columns"], item["parent_columns"], strict=True))
        if item["orphan_rows"] and (item["child"], item["parent"], pairs) not in found:
            print(f"  orphan rows missed: {item['child']}({', '.join(item['child_columns'])}) -> {item['parent']}: {item['orphan_rows']}")


def _print_errors(scored: dict[str, Any]) -> None:
    for label in ("missed", "false"):
        for referencing, referenced, pairs in sorted(scored[label]):
            print(f"  {label:7s} {referencing}({', '.join(a for a, _ in pairs)}) -> {referenced}({', '.join(b for _, b in pairs)})")


if __name__ == "__main__":
    sys.exit(main())
