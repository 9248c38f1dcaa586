"""Score the ON DELETE advice alone, schema by schema, where the authors of the corpus decided.

    python tests/benchmarks/score_on_delete.py [--wrong SCHEMA] [--held-out]

Three columns of figures: advice on inferred relationships (as score.py), advice on all true keys with nothing declared, and the same with every
other key declared, so that the custom of the house can speak. With --held-out, each constant of `ownership` is chosen anew on all schemas but
one, and judged on that one: what is lost there is what the constants owe to this corpus. Says so and ends 0 when the corpus is not there.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

from benchmarks.facts import build_catalog, read_facts  # noqa: E402
from benchmarks.score import SHARED, THRESHOLD, corpus_tool  # noqa: E402
from holdfastd.catalog.model import Catalog, OnDelete  # noqa: E402
from holdfastd.inference.advice import ownership  # noqa: E402
from holdfastd.inference.advice.on_delete import advise  # noqa: E402
from holdfastd.inference.advice.ownership import Pair, Relations  # noqa: E402
from holdfastd.inference.candidates import infer_candidates  # noqa: E402
from support.builders import a_foreign_key, columns  # noqa: E402

CONSTANTS = {
    "_LINK_EXTRAS": (2, 3, 4),
    "_SMALL_TARGET": (3, 4, 5),
    "_SMALL": (6, 8, 10),
    "_HUB": (6, 8, 12),
    "_BROAD": (8, 12, 16),
    "_WIDE": (12, 15, 20),
    "_MOSTLY": (0.4, 0.5, 0.6),
}

Truth = dict[Pair, OnDelete]


def main() -> int:
    """Score every schema whose authors decided."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", metavar="SCHEMA", help="list the advice that differs in one schema")
    parser.add_argument("--held-out", action="store_true", help="choose the constants without the schema that they are judged on")
    options = parser.parse_args()
    if not (SHARED / "corpus").is_dir():
        print(f"skipped: no corpus at {SHARED / 'corpus'}")
        return 0
    schemas = dict(_schemas(corpus_tool()))
    if options.wrong:
        _print_wrong(*schemas[options.wrong])
        return 0
    totals = [Counter[str](), Counter[str](), Counter[str]()]
    print(f"{'':18s} {'inferred':>24s} {'true keys':>24s} {'others declared':>24s}")
    for name, (catalog, truth) in schemas.items():
        scores = [Counter(_outcomes(catalog, truth, _inferred(catalog))), Counter(_outcomes(catalog, truth, list(truth)))]
        scores.append(Counter(_outcomes(_declaring(catalog, truth), truth, list(truth))))
        print(f"{name:18s} {' '.join(_told(score) for score in scores)}")
        for total, score in zip(totals, scores, strict=True):
            total.update(score)
    print(f"{'all':18s} {' '.join(_told(total) for total in totals)}")
    if options.held_out:
        _print_held_out(schemas)
    return 0


def _schemas(tool: ModuleType) -> Iterator[tuple[str, tuple[Catalog, Truth]]]:
    for path in sorted((SHARED / "corpus").glob("[!_]*.json")):
        if tool.on_delete_scope(str(path)):
            keys = tool.truth_of(str(path))[0].values()
            yield path.stem, (build_catalog(read_facts(path)), {_pair(key): _action(tool, key) for key in keys})


def _action(tool: ModuleType, key: dict[str, str]) -> OnDelete:
    """Models of an application say PROTECT, and the like, for what blocks."""
    said = tool.action(key.get("app_on_delete") or key["on_delete"])
    return OnDelete.RESTRICT if said == "BLOCK" else OnDelete(said)


def _pair(key: dict[str, object]) -> Pair:
    return columns(str(key["child_table"]), *key["child_columns"]), columns(str(key["parent_table"]), *key["parent_columns"])  # type: ignore[misc]


def _inferred(catalog: Catalog) -> list[Pair]:
    return [(each.referencing, each.referenced) for each in infer_candidates(catalog) if each.confidence >= THRESHOLD]


def _declaring(catalog: Catalog, truth: Truth) -> Catalog:
    """Return the catalog with all true keys declared; advice never counts the key that it is about."""
    keys: dict[object, list[object]] = {}
    for (referencing, referenced), action in truth.items():
        keys.setdefault(referencing.table, []).append(a_foreign_key(referencing, referenced, action))
    tables = {name: replace(table, foreign_keys=tuple(keys.get(name, ()))) for name, table in catalog.tables.items()}  # type: ignore[arg-type]
    return replace(catalog, tables=tables)


def _outcomes(catalog: Catalog, truth: Truth, pairs: list[Pair]) -> Iterator[str]:
    known = Relations.of(pairs)
    for pair in pairs:
        if pair in truth:
            advised, meant = _kind(advise(catalog, *pair, known).on_delete), truth[pair]
            yield "same" if advised is meant else "dangerous" if advised is OnDelete.CASCADE else "harmless"


def _kind(action: OnDelete) -> OnDelete:
    return OnDelete.RESTRICT if action is OnDelete.NO_ACTION else action


def _told(score: Counter[str]) -> str:
    total = score.total() or 1
    return f"{score['same'] / total:10.3f} of {score.total():4d} d{score['dangerous']:3d}"


def _print_wrong(catalog: Catalog, truth: Truth) -> None:
    pairs = _inferred(catalog)
    known = Relations.of(pairs)
    for pair in pairs:
        advice = advise(catalog, *pair, known)
        if pair in truth and _kind(advice.on_delete) is not truth[pair]:
            print(f"{truth[pair]:9s} not {advice.on_delete:9s} {pair[0]} -> {pair[1]}: {advice.rationale}")


def _print_held_out(schemas: dict[str, tuple[Catalog, Truth]]) -> None:
    """A dangerous CASCADE weighs as much as two harmless differences when a value is chosen."""
    pairs = {name: _inferred(catalog) for name, (catalog, _) in schemas.items()}
    for constant, values in CONSTANTS.items():
        current = getattr(ownership, constant)
        by_value = {}
        for value in values:
            setattr(ownership, constant, value)
            by_value[value] = {name: Counter(_outcomes(catalog, truth, pairs[name])) for name, (catalog, truth) in schemas.items()}
        setattr(ownership, constant, current)
        held_out, chosen = Counter[str](), Counter[object]()
        for name in schemas:
            best = max(
                values, key=lambda value: (sum(_worth(by_value[value][other]) for other in schemas if other != name), value == current)
            )
            chosen[best] += 1
            held_out.update(by_value[best][name])
        print(f"{constant:14s} {current!s:4s} held out:{_told(held_out)}   chosen {dict(chosen)}")


def _worth(score: Counter[str]) -> int:
    return score["same"] - score["dangerous"]


if __name__ == "__main__":
    sys.exit(main())
