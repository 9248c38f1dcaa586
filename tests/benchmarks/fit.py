"""Fit the coefficients of the inference on the corpus and the two sample databases, and write coefficients.json.

    python tests/benchmarks/fit.py [--folds N]

Needs numpy and scipy (`pip install numpy scipy`), which Holdfast itself does not. With --folds, nothing is written: every schema is
predicted by coefficients fitted without it, which is what to expect of a schema never seen.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import scipy.sparse
from scipy.optimize import minimize

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "tests")]

from benchmarks.facts import Facts, build_catalog, read_facts  # noqa: E402
from benchmarks.score import SHARED, THRESHOLD, corpus_tool, truth_of_data  # noqa: E402
from benchmarks.variants import VARIANTS  # noqa: E402
from holdfastd.catalog.model import Catalog  # noqa: E402
from holdfastd.inference.cases import Case, Option  # noqa: E402
from holdfastd.inference.confidence import Judged, Weights, judge, manner_of, reference_traits, target_shares, target_traits  # noqa: E402
from holdfastd.inference.consensus import with_convention, with_siblings  # noqa: E402
from holdfastd.inference.gather import declared, gather  # noqa: E402
from holdfastd.inference.naming import learn  # noqa: E402
from holdfastd.inference.people import find_people  # noqa: E402
from holdfastd.inference.types import Fit  # noqa: E402
from holdfastd.names import ColumnSet  # noqa: E402

Place = tuple[str, tuple[str, ...]]
Truth = dict[Place, Place]
Coefficients = dict[str, float]

COEFFICIENTS = ROOT / "service" / "holdfastd" / "inference" / "coefficients.json"
#: Databases that must come out right whatever else does, with their weight.
SAMPLES = {"ev_charging": 100.0, "gaztime": 100.0, "usda": 4.0}
RIDGE_TARGET, RIDGE_REFERENCE = 0.3, 4.0
#: A large schema counts for more than a small one, but not by its size.
SIZE, POWER = 300, 0.8
VARIANT_WEIGHT = 0.3
#: A column named and typed like a reference, without a declared key, was more often forgotten than meant otherwise.
DOUBT = 0.6
PLAIN = frozenset({"named", "acted", "by", "with_role", "kinship", "agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A schema, or a variant of one, with its true keys."""

    catalog: Catalog
    cases: tuple[Case, ...]
    truth: Truth
    weight: float


def lesson(facts: Facts, truth: Truth, weight: float, keys: Collection[str] = ()) -> Lesson:
    """Gather the cases of a schema."""
    catalog = build_catalog(facts, keys)
    naming = learn(catalog)
    return Lesson(catalog=catalog, cases=with_convention(gather(catalog, naming, find_people(naming))), truth=truth, weight=weight)


def truth_of(facts: Facts) -> Truth:
    """Return declared keys, and those that the application models but never declared."""
    keys = facts["foreign_keys"] + (facts.get("undeclared") or {}).get("undeclared", [])
    return {(key["child_table"], tuple(key["child_columns"])): (key["parent_table"], tuple(key["parent_columns"])) for key in keys}


def lessons_of(path: Path) -> list[Lesson]:
    """Return the lessons of one corpus schema: itself first, then its variants."""
    facts = read_facts(path)
    truth = truth_of(facts)
    weight = (SIZE / max(len(truth), SIZE // 10)) ** POWER
    varied = [variant(facts) for variant in VARIANTS]
    half = {f"{table}.{names[0]}" for table, names in truth if crc32(f"{table}{names}".encode()) % 2}
    partly = lesson(facts, truth, VARIANT_WEIGHT * weight, half)
    return [lesson(facts, truth, weight), partly, *(lesson(each, truth_of(each), VARIANT_WEIGHT * weight) for each in varied)]


def place(columns: ColumnSet) -> Place:
    """Return columns as the corpus writes them."""
    return f"{columns.table.schema}.{columns.table.name}", columns.columns


def fit_weights(lessons: Sequence[Lesson]) -> tuple[Weights, Weights]:
    """Fit the first pass, then the second on what the first believes."""
    first = _fit_pass([(each, each.cases) for each in lessons])
    return first, _fit_pass([(each, second_cases(each, first)) for each in lessons])


def second_cases(given: Lesson, first: Weights) -> tuple[Case, ...]:
    """Return the cases of the second pass."""
    return with_siblings([judge(case, first) for case in given.cases], given.catalog.types, tuple(declared(learn(given.catalog))))


def _fit_pass(lessons: Sequence[tuple[Lesson, Sequence[Case]]]) -> Weights:
    target = _fit_target(lessons)
    return Weights(target=target, reference=_fit_reference(lessons, target))


def _fit_target(lessons: Sequence[tuple[Lesson, Sequence[Case]]]) -> Coefficients:
    """Conditional logit over the options of every true reference, "none of these" being one more option of utility 0."""
    rows: list[Iterable[str]] = []
    group: list[int] = []
    right: list[float] = []
    weight: list[float] = []
    for given, cases in lessons:
        for case in (case for case in cases if case.options and place(case.referencing) in given.truth):
            number = len(weight)
            weight.append(given.weight)
            for option in case.options:
                rows.append(target_traits(case, option))
                group.append(number)
                right.append(float(place(option.referenced) == given.truth[place(case.referencing)]))
    matrix, names = _matrix(rows)
    groups, hits, weights = np.array(group), np.array(right), np.array(weight)

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        power = np.clip(matrix @ beta, -30, 30)
        total = 1 + np.bincount(groups, np.exp(power), len(weights))
        chance = np.exp(power) / total[groups]
        likelihood = weights @ (np.bincount(groups, hits * power, len(weights)) - np.log(total))
        return -likelihood + RIDGE_TARGET / 2 * (beta @ beta), -(matrix.T @ (weights[groups] * (hits - chance))) + RIDGE_TARGET * beta

    return _solve(loss, names)


def _fit_reference(lessons: Sequence[tuple[Lesson, Sequence[Case]]], target: Coefficients) -> Coefficients:
    """Plain logistic regression over all columns that some rule proposes a key for."""
    rows: list[Iterable[str]] = []
    right: list[float] = []
    weight: list[float] = []
    for given, cases in lessons:
        for case in (case for case in cases if case.options):
            share, option = max(zip(target_shares(case, target), case.options, strict=True), key=lambda each: (each[0], each[1].referenced))
            rows.append(reference_traits(case, option, share))
            right.append(float(place(case.referencing) in given.truth))
            weight.append(given.weight * (DOUBT if not right[-1] and _is_plain(case, option) else 1.0))
    matrix, names = _matrix(rows)
    hits, weights = np.array(right), np.array(weight)

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        power = matrix @ beta
        error = 1 / (1 + np.exp(-power)) - hits
        value = weights @ (np.logaddexp(0, power) - hits * power) + RIDGE_REFERENCE / 2 * (beta @ beta)
        return value, matrix.T @ (weights * error) + RIDGE_REFERENCE * beta

    return _solve(loss, names)


def _is_plain(case: Case, option: Option) -> bool:
    typed = (option.fit >= Fit.FAMILY and case.traits & {"int", "uuid"}) or (option.fit is Fit.SAME and option.key.is_primary)
    return bool(typed) and manner_of(option) in PLAIN


def _matrix(rows: Sequence[Iterable[str]]) -> tuple[scipy.sparse.csr_matrix, dict[str, int]]:
    names: dict[str, int] = {}
    lines: list[int] = []
    columns: list[int] = []
    for line, traits in enumerate(rows):
        for trait in sorted(traits):
            lines.append(line)
            columns.append(names.setdefault(trait, len(names)))
    return scipy.sparse.csr_matrix((np.ones(len(lines)), (lines, columns)), shape=(len(rows), len(names))), names


def _solve(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], names: dict[str, int]) -> Coefficients:
    found = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    return {name: round(float(found[column]), 3) for name, column in sorted(names.items()) if abs(found[column]) >= 0.0005}


def write(weights: tuple[Weights, Weights]) -> None:
    """Write the coefficients where the inference reads them."""
    passes = zip(("first_pass", "second_pass"), weights, strict=True)
    content = {name: {"target": each.target, "reference": each.reference} for name, each in passes}
    COEFFICIENTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def cross_validate(schemas: dict[str, list[Lesson]], samples: list[Lesson], folds: int) -> None:
    """Print the scores of every schema, predicted without having seen it (single columns only)."""
    tool = corpus_tool()
    total: Counter[str] = Counter()
    names = sorted(schemas)
    for fold in range(folds):
        held = names[fold::folds]
        weights = fit_weights([each for name in names if name not in held for each in schemas[name]] + samples)
        for name in held:
            scored = tool.score(str(SHARED / "corpus" / f"{name}.json"), _predicted(schemas[name][0], weights))
            total.update({key: value for key, value in scored.items() if isinstance(value, int)})
            print(tool.line(name, tool.figures(scored)))
    print(tool.line("MICRO", tool.figures(total)))


def _predicted(given: Lesson, weights: tuple[Weights, Weights]) -> dict[tuple[str, str, tuple[tuple[str, str], ...]], dict[str, str]]:
    judged = (judge(case, weights[1]) for case in second_cases(given, weights[0]))
    return {_scored_key(each): {"suggested_on_delete": ""} for each in judged if each.option is not None and each.confidence >= THRESHOLD}


def _scored_key(judged: Judged) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    assert judged.option is not None
    (left, columns), (right, keys) = place(judged.case.referencing), place(judged.option.referenced)
    return left, right, tuple(sorted(zip(columns, keys, strict=True)))


def main() -> None:
    """Fit and write, or cross-validate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=0, help="cross-validate with so many folds instead of writing")
    folds = parser.parse_args().folds
    schemas = {path.stem: lessons_of(path) for path in sorted((SHARED / "corpus").glob("[!_]*.json"))}
    samples = [
        lesson(read_facts(SHARED / "data" / name), truth_of_data(SHARED / "data" / name), weight) for name, weight in SAMPLES.items()
    ]
    if folds:
        cross_validate(schemas, samples, folds)
    else:
        write(fit_weights([each for lessons in schemas.values() for each in lessons] + samples))


if __name__ == "__main__":
    main()
