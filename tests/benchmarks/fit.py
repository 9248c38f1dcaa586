"""Fit the coefficients of the inference on the corpus and the two sample databases, and write coefficients.json.

    python tests/benchmarks/fit.py [--folds N]

Needs numpy and scipy (`pip install numpy scipy`), which Holdfast itself does not. With --folds, nothing is written: every schema is
predicted by coefficients fitted without it, which is what to expect of a schema never seen.
"""

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
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
from holdfastd.inference.candidates import conclude, form_hypotheses  # noqa: E402
from holdfastd.inference.columns.cases import Case, Option  # noqa: E402
from holdfastd.inference.columns.confidence import Weights, judge, manner_of, reference_traits, target_traits  # noqa: E402
from holdfastd.inference.columns.consensus import with_siblings  # noqa: E402
from holdfastd.inference.columns.convention import with_convention  # noqa: E402
from holdfastd.inference.columns.gather import declared, gather  # noqa: E402
from holdfastd.inference.model import Candidate  # noqa: E402
from holdfastd.inference.naming.learn import learn  # noqa: E402
from holdfastd.inference.naming.people import find_people  # noqa: E402
from holdfastd.inference.naming.types import Fit  # noqa: E402
from holdfastd.inference.relationships import PLANNED_FROM  # noqa: E402
from holdfastd.names import ColumnSet  # noqa: E402

Place = tuple[str, tuple[str, ...]]
Truth = dict[Place, Place]
Coefficients = dict[str, float]

COEFFICIENTS = ROOT / "service" / "holdfastd" / "inference" / "columns" / "coefficients.json"
#: Databases that must come out right whatever else does, with their weight.
SAMPLES = {"ev_charging": 300.0, "gaztime": 300.0, "usda": 4.0}
#: How strongly coefficients are held to what is expected of them; pairs of observations so many times more than single ones.
RIDGE_TARGET, RIDGE_REFERENCE, JOINT_PENALTY = 4.0, 24.0, 3.0
#: A large schema counts for more than a small one, but not by its size.
SIZE, POWER = 300, 0.8
VARIANT_WEIGHT = 0.3
#: A column named and typed like a reference, without a declared key, was more often forgotten than meant otherwise.
DOUBT = 0.6
#: What the rules are expected to count before anything was seen, so that one which few schemas need is not worth nothing elsewhere.
#: Comments the corpus has none of: what is said here is what they count.
EXPECTED_TARGET = {
    "option": -2.0,
    # The name is the table's, or its key's.
    **dict.fromkeys(("module", "context_whole", "qualified", "key_name", "key_name_in_context", "declared_all"), 3.0),
    **dict.fromkeys(("key_name_role", "declared_most"), 2.0),
    **dict.fromkeys(("role_0", "near", "voted_all", "shares_most", "fit_same"), 1.0),
    # People, the table itself, and tables that belong to another.
    **dict.fromkeys(("people_sure", "people_0", "owner_by_place", "extends"), 2.0),
    **dict.fromkeys(("by", "agent", "owner_by_own_end", "extends_1", "extends_exact", "not_otherwise_named"), 1.0),
    **dict.fromkeys(("exact", "self"), 4.0),
    **dict.fromkeys(("kinship", "comment"), 5.0),
    "numbered": 6.0,
    # What speaks against a table.
    **dict.fromkeys(("shares_less", "other_schema", "satellite"), -1.0),
    **dict.fromkeys(("fit_mismatch", "not_unique"), -2.0),
}
EXPECTED_REFERENCE = {
    **dict.fromkeys(("numbered", "sworn", "to_declared_all"), 3.0),
    **dict.fromkeys(("kinship", "index_says_key", "shared_key"), 2.0),
    **dict.fromkeys(("suffix_strong&id&named", "suffix_none&id&named", "style_usual", "extends", "qualified", "keyed"), 1.0),
    **dict.fromkeys(("to_index_names_table", "to_declared_most"), 1.0),
    "to_comment": 5.0,
    **dict.fromkeys(("opaque", "style_unheard"), -1.0),
    "primary_key": -2.0,
    "external": -3.0,
}
BINS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.01)
PLAIN = frozenset({"named", "acted", "by", "with_role", "kinship", "agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A schema, or a variant of one, with its true keys."""

    catalog: Catalog
    cases: tuple[Case, ...]
    truth: Truth
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was believed of one candidate, and what is true of it."""

    candidate: Candidate
    schema: str
    #: The columns carry a key, declared or modelled; and it is this one.
    is_reference: bool
    is_right: bool


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
    return Weights(target=target, reference=_fit_reference(lessons, Weights(target=target, reference={})))


def _fit_target(lessons: Sequence[tuple[Lesson, Sequence[Case]]]) -> Coefficients:
    """Conditional logit over the options of every true reference, "none of these" being one more option of utility 0.

    Cases that look the same are one case with the weight of all.
    """
    rows = _Rows()
    alike: Counter[tuple[tuple[int, ...], int]] = Counter()
    for given, cases in lessons:
        for case in (case for case in cases if case.options and place(case.referencing) in given.truth):
            meant = given.truth[place(case.referencing)]
            numbered = [(rows.number(target_traits(case, option)), place(option.referenced) == meant) for option in case.options]
            alike[tuple(sorted(row for row, _ in numbered)), next((row for row, hit in numbered if hit), -1)] += given.weight
    matrix = rows.matrix()
    groups = np.repeat(np.arange(len(alike)), [len(listed) for listed, _ in alike])
    options = np.concatenate([np.array(listed) for listed, _ in alike])
    weights = np.array(list(alike.values()))
    meant_rows = np.array([meant for _, meant in alike])
    ridge, prior = RIDGE_TARGET * rows.penalties(), rows.expected(EXPECTED_TARGET)

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        power = np.clip(matrix @ beta, -30, 30)
        each = np.exp(power)[options]
        total = 1 + np.bincount(groups, each, len(weights))
        likelihood = weights @ (np.where(meant_rows >= 0, power[meant_rows], 0) - np.log(total))
        pull = np.bincount(meant_rows[meant_rows >= 0], weights[meant_rows >= 0], len(power))
        pull -= np.bincount(options, weights[groups] * each / total[groups], len(power))
        off = beta - prior
        return -likelihood + (ridge * off) @ off / 2, -(matrix.T @ pull) + ridge * off

    return _solve(loss, rows.names, EXPECTED_TARGET)


def _fit_reference(lessons: Sequence[tuple[Lesson, Sequence[Case]]], target: Weights) -> Coefficients:
    """Plain logistic regression over all columns that some rule proposes a key for; columns that look the same are one row."""
    rows = _Rows()
    right: Counter[int] = Counter()
    weight: Counter[int] = Counter()
    for given, cases in lessons:
        for case in (case for case in cases if case.options):
            judged = judge(case, target)
            assert judged.option is not None
            row = rows.number(reference_traits(case, judged.option, judged.target))
            hit = place(case.referencing) in given.truth
            own = given.weight * (DOUBT if not hit and _is_plain(case, judged.option) else 1.0)
            right[row] += own * hit
            weight[row] += own
    matrix = rows.matrix()
    hits, weights = (np.array([counted[row] for row in range(matrix.shape[0])]) for counted in (right, weight))
    ridge, prior = RIDGE_REFERENCE * rows.penalties(), rows.expected(EXPECTED_REFERENCE)

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        power = matrix @ beta
        chance = 1 / (1 + np.exp(-power))
        off = beta - prior
        value = weights @ np.logaddexp(0, power) - hits @ power + (ridge * off) @ off / 2
        return value, matrix.T @ (weights * chance - hits) + ridge * off

    return _solve(loss, rows.names, EXPECTED_REFERENCE)


class _Rows:
    """Sets of traits, each listed once."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._numbers: dict[frozenset[str], int] = {}

    def number(self, traits: Iterable[str]) -> int:
        """Return the row of a set of traits."""
        return self._numbers.setdefault(frozenset(traits), len(self._numbers))

    def matrix(self) -> scipy.sparse.csr_matrix:
        """Return the rows as a matrix of ones."""
        lines: list[int] = []
        columns: list[int] = []
        for line, traits in enumerate(self._numbers):
            for trait in sorted(traits):
                lines.append(line)
                columns.append(self.names.setdefault(trait, len(self.names)))
        return scipy.sparse.csr_matrix((np.ones(len(lines)), (lines, columns)), shape=(len(self._numbers), len(self.names)))

    def expected(self, beliefs: Coefficients) -> np.ndarray:
        """Return what each coefficient is before anything was seen."""
        return np.array([beliefs.get(name, 0.0) for name in self.names])

    def penalties(self) -> np.ndarray:
        """Return how strongly each coefficient is held down: pairs of observations more than single ones."""
        return np.array([JOINT_PENALTY ** (name.count("&") + name.count("@")) for name in self.names])


def _is_plain(case: Case, option: Option) -> bool:
    typed = (option.fit >= Fit.FAMILY and case.traits & {"int", "uuid"}) or (option.fit is Fit.SAME and option.key.is_primary)
    return bool(typed) and manner_of(option) in PLAIN


def _solve(loss: Callable[[np.ndarray], tuple[float, np.ndarray]], names: dict[str, int], prior: Coefficients) -> Coefficients:
    found = minimize(loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x
    fitted = {name: round(float(found[column]), 3) for name, column in sorted(names.items()) if abs(found[column]) >= 0.0005}
    return {name: value for name, value in prior.items() if name not in names} | fitted


def write(weights: tuple[Weights, Weights]) -> None:
    """Write the coefficients where the inference reads them."""
    passes = zip(("first_pass", "second_pass"), weights, strict=True)
    content = {name: {"target": each.target, "reference": each.reference} for name, each in passes}
    COEFFICIENTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def cross_validate(schemas: dict[str, list[Lesson]], samples: list[Lesson], folds: int) -> list[Verdict]:
    """Return what is believed of every schema, predicted without having seen it, and print the scores."""
    tool = corpus_tool()
    total: Counter[str] = Counter()
    planned: Counter[str] = Counter()
    verdicts: list[Verdict] = []
    names = sorted(schemas)
    for fold in range(folds):
        held = names[fold::folds]
        weights = fit_weights([each for name in names if name not in held for each in schemas[name]] + samples)
        for name in held:
            path = str(SHARED / "corpus" / f"{name}.json")
            candidates = conclude(schemas[name][0].catalog, form_hypotheses(schemas[name][0].catalog, weights))
            scored = tool.score(path, {_scored_key(each): {} for each in candidates if each.confidence >= THRESHOLD})
            total.update({key: value for key, value in scored.items() if isinstance(value, int)})
            print(tool.line(name, tool.figures(scored)).partition("  on-delete")[0], flush=True)
            verdicts += _verdicts(tool, path, candidates)
            in_plan = tool.score(path, {_scored_key(each): {} for each in candidates if each.confidence >= PLANNED_FROM})
            planned.update({key: value for key, value in in_plan.items() if isinstance(value, int)})
    for label, counted in (("MICRO", total), ("plan tier", planned)):
        print(tool.line(label, tool.figures(counted)).partition("  on-delete")[0])
    return verdicts


def _verdicts(tool: ModuleType, path: str, candidates: Iterable[Candidate]) -> Iterator[Verdict]:
    truth, undeclared, _ = tool.truth_of(path)
    meant = {*truth, *undeclared}
    columns = {tool.columns_of(key) for key in meant}
    for each in candidates:
        key = _scored_key(each)
        yield Verdict(candidate=each, schema=Path(path).stem, is_reference=tool.columns_of(key) in columns, is_right=key in meant)


def _scored_key(candidate: Candidate) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    (left, columns), (right, keys) = place(candidate.referencing), place(candidate.referenced)
    return left, right, tuple(sorted(zip(columns, keys, strict=True)))


def print_reliability(verdicts: Sequence[Verdict]) -> None:
    """Print how often what was believed is true: a reference at all, the right table given that, and both."""
    print(f"{'believed':>12s} {'reference':>16s} {'target':>16s} {'confidence':>16s}")
    for low, high in itertools.pairwise(BINS):
        cells = (
            [each.is_reference for each in verdicts if low <= each.candidate.reference_probability < high],
            [each.is_right for each in verdicts if each.is_reference and low <= each.candidate.target_probability < high],
            [each.is_right for each in verdicts if low <= each.candidate.confidence < high],
        )
        told = (f"{sum(cell) / len(cell):.3f} of {len(cell):5d}" if cell else "" for cell in cells)
        print(f"{low:.2f} to {min(high, 1):.2f} " + " ".join(f"{each:>16s}" for each in told))


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
        print_reliability(cross_validate(schemas, samples, folds))
    else:
        write(fit_weights([each for lessons in schemas.values() for each in lessons] + samples))


if __name__ == "__main__":
    main()
