"""Infer the relationships of every corpus schema from its facts alone and score them against the declared keys.

    python tests/benchmarks/score.py [--errors SCHEMA]

Prints the corpus tool's table, the plan tier's precision, and (with --errors) what was missed or wrong in one schema.
Says so and ends 0 when the corpus is not there.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

from benchmarks.facts import build_catalog, read_facts  # noqa: E402
from holdfastd.catalog.model import Catalog  # noqa: E402
from holdfastd.inference.advice.on_delete import advise  # noqa: E402
from holdfastd.inference.advice.ownership import Relations  # noqa: E402
from holdfastd.inference.candidates import infer_candidates  # noqa: E402
from holdfastd.inference.relationships import PLANNED_FROM  # noqa: E402
from holdfastd.names import ColumnSet  # noqa: E402

SHARED = ROOT.parent / "shared"
DATA = ("ev_charging", "gaztime", "northwind", "pagila", "usda", "omop", "musicbrainz")
THRESHOLD = 0.5


def main() -> int:
    """Score the corpus, then the data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", metavar="SCHEMA", help="list what was missed or wrong in one corpus schema")
    options = parser.parse_args()
    if not (SHARED / "corpus").is_dir():
        print(f"skipped: no corpus at {SHARED / 'corpus'}")
        return 0
    tool = corpus_tool()
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((SHARED / "corpus").glob("[!_]*.json")):
            (Path(folder) / path.name).write_text(json.dumps(predict(build_catalog(read_facts(path)))), encoding="utf-8")
        if options.errors:
            _print_errors(tool, options.errors, Path(folder))
            return 0
        tool.score_all(str(SHARED / "corpus"), folder, THRESHOLD)
        print(f"plan tier (confidence >= {PLANNED_FROM}):")
        _print_micro(tool, Path(folder))
    print("data sets, schema only:")
    for name in DATA:
        _print_data(tool, SHARED / "data" / name)
    return 0


def predict(catalog: Catalog) -> list[dict[str, object]]:
    """Return the candidates of a catalog in the corpus tool's shape."""
    candidates = infer_candidates(catalog)
    believed = Relations.of([(candidate.referencing, candidate.referenced) for candidate in candidates])
    return [
        {
            "referencing": _columns(candidate.referencing),
            "referenced": _columns(candidate.referenced),
            "confidence": candidate.confidence,
            "suggested_on_delete": advise(catalog, candidate.referencing, candidate.referenced, believed).on_delete,
        }
        for candidate in candidates
    ]


def truth_of_data(path: Path) -> dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]:
    """Return the true keys of a data folder."""
    keys = json.loads((path / "truth.json").read_text(encoding="utf-8"))
    return {
        (f"{key['child_schema']}.{key['child_table']}", tuple(key["child_columns"])): (
            f"{key['parent_schema']}.{key['parent_table']}",
            tuple(key["parent_columns"]),
        )
        for key in keys
    }


def _columns(columns: ColumnSet) -> dict[str, object]:
    return {"schema": columns.table.schema, "table": columns.table.name, "columns": list(columns.columns)}


def corpus_tool() -> ModuleType:
    """Return the corpus tool as a module; it lives outside the repository."""
    spec = importlib.util.spec_from_file_location("corpus", SHARED / "tools" / "corpus.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def _print_micro(tool: ModuleType, folder: Path) -> None:
    total: dict[str, int] = {}
    for path in sorted((SHARED / "corpus").glob("[!_]*.json")):
        scored = tool.score(str(path), tool.predictions_of(str(folder / path.name), PLANNED_FROM))
        for name, value in scored.items():
            if isinstance(value, int):
                total[name] = total.get(name, 0) + value
    print(tool.line("MICRO", tool.figures(total)))


def _print_errors(tool: ModuleType, name: str, folder: Path) -> None:
    scored = tool.score(str(SHARED / "corpus" / f"{name}.json"), tool.predictions_of(str(folder / f"{name}.json"), THRESHOLD))
    for label in ("missed", "false"):
        for referencing, referenced, pairs in sorted(scored[label]):
            print(f"{label:7s} {referencing}({', '.join(a for a, _ in pairs)}) -> {referenced}({', '.join(b for _, b in pairs)})")


def _print_data(tool: ModuleType, path: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(predict(build_catalog(read_facts(path))), file)
        file.flush()
        scored = tool.score(str(path), tool.predictions_of(file.name, THRESHOLD))
    print(tool.line(path.name, tool.figures(scored)))


if __name__ == "__main__":
    sys.exit(main())
