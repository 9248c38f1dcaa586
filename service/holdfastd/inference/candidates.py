"""Undeclared relationships: what the catalog lets us think, then what rows and queries make of it.

In comes a catalog; out come hypotheses, one per referencing columns, and from them candidates with a confidence and evidence in words.
"""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog
from holdfastd.inference.columns.confidence import Judged, Weights, judge, read_weights
from holdfastd.inference.columns.consensus import with_siblings
from holdfastd.inference.columns.convention import with_convention
from holdfastd.inference.columns.gather import declared, gather
from holdfastd.inference.columns.wording import evidence_for
from holdfastd.inference.composites import find_composites
from holdfastd.inference.hints.families import weigh_families
from holdfastd.inference.hints.intent import Meant, insist
from holdfastd.inference.implied import lower_implied
from holdfastd.inference.model import Alternative, Candidate, Hypothesis, Target
from holdfastd.inference.naming.learn import Naming, learn
from holdfastd.inference.naming.people import find_people
from holdfastd.inference.naming.types import Fit

#: Candidates below this confidence are not worth a reader's time.
KEPT_FROM = 0.3
#: Hypotheses below this probability are not worth a look at rows.
THOUGHT_FROM = 0.02
#: Targets worth a look at rows, per hypothesis.
_TARGETS = 5
#: Alternatives told per candidate, and the confidence from which.
_ALTERNATIVES = 3
_TOLD_FROM = 0.02
_MOST = 0.999
#: Confidence in a relationship whose names agree and whose types do not: the corpus has none, as no key can be declared there.
MISMATCHED = 0.35


def infer_candidates(catalog: Catalog) -> tuple[Candidate, ...]:
    """Return the relationships that are meant but not declared, by referencing table and columns, from the catalog alone."""
    return conclude(catalog, form_hypotheses(catalog))


def form_hypotheses(catalog: Catalog, weights: tuple[Weights, Weights] | None = None) -> tuple[Hypothesis, ...]:
    """Return what names, types, keys and nullability let us think of every column, and of columns together.

    Weights other than those shipped are for whoever fits them.
    """
    naming = learn(catalog)
    return (
        *weigh_families(catalog, _of_one_column(catalog, naming, weights or read_weights())),
        *(_certain_target(each) for each in find_composites(catalog, naming)),
    )


def conclude(catalog: Catalog, hypotheses: Sequence[Hypothesis], meant: Sequence[Meant] = ()) -> tuple[Candidate, ...]:
    """Return one candidate per hypothesis that is likely enough, by referencing table and columns.

    What applications declare is believed, whatever names and rows say.
    """
    kept = [each for each in lower_implied(catalog, [_candidate(each) for each in hypotheses]) if each.confidence >= KEPT_FROM]
    return tuple(sorted(insist(kept, hypotheses, meant), key=lambda candidate: candidate.referencing))


def _candidate(hypothesis: Hypothesis) -> Candidate:
    best, *others = hypothesis.targets
    reference = hypothesis.reference_probability
    ranked = [Alternative(referenced=each.referenced, confidence=round(reference * each.probability, 3)) for each in others]
    return Candidate(
        referencing=hypothesis.referencing,
        referenced=best.referenced,
        confidence=_rounded(reference * best.probability),
        evidence=best.evidence,
        reference_probability=_rounded(reference),
        target_probability=round(best.probability, 3),
        alternatives=tuple(each for each in ranked if each.confidence >= _TOLD_FROM)[:_ALTERNATIVES],
    )


def _rounded(probability: float) -> float:
    """Only what is declared is certain."""
    return min(round(probability, 3), _MOST)


def _certain_target(candidate: Candidate) -> Hypothesis:
    """Composite keys are found together with their target: only whether they are meant is in doubt."""
    target = Target(referenced=candidate.referenced, probability=1.0, evidence=candidate.evidence)
    return Hypothesis(referencing=candidate.referencing, reference_probability=candidate.confidence, targets=(target,))


def _of_one_column(catalog: Catalog, naming: Naming, weights: tuple[Weights, Weights]) -> tuple[Hypothesis, ...]:
    """Judge every column twice: alone, then knowing what columns of the same name are believed to be."""
    first_pass, second_pass = weights
    cases = with_convention(gather(catalog, naming, find_people(naming)))
    believed = with_siblings([judge(case, first_pass) for case in cases], catalog.types, tuple(declared(naming)))
    judged = (judge(case, second_pass) for case in believed)
    return tuple(_hypothesis(each) for each in judged if each.option is not None and each.reference >= THOUGHT_FROM)


def _hypothesis(judged: Judged) -> Hypothesis:
    reference = judged.reference if judged.confidence >= _floor(judged) else _floor(judged) / judged.target
    targets = tuple(
        Target(referenced=option.referenced, probability=share, evidence=evidence_for(judged.case, option))
        for share, option in judged.ranked(_TARGETS)
        if option is judged.option or share * reference >= THOUGHT_FROM
    )
    return Hypothesis(referencing=judged.case.referencing, reference_probability=min(reference, 1.0), targets=targets)


def _floor(judged: Judged) -> float:
    """A column named after a table by all means, but of a type that cannot be compared, is worth a finding, never a plan."""
    option, case = judged.option, judged.case
    named = option is not None and option.fit is Fit.MISMATCH and "role_0" in option.traits and bool(option.traits & {"exact", "module"})
    meant = "suffix_strong" in case.traits and not case.traits & {"external", "opaque"}
    return MISMATCHED if named and meant else 0.0
