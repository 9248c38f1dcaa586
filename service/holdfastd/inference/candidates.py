"""Undeclared relationships, from names, types, keys and nullability alone.

In comes a catalog; out come candidates: at most one per referencing columns, each with a confidence and its evidence in words.
"""

from holdfastd.catalog.model import Catalog
from holdfastd.inference.composites import find_composites
from holdfastd.inference.confidence import Judged, judge, read_weights
from holdfastd.inference.consensus import with_convention, with_siblings
from holdfastd.inference.gather import declared, gather
from holdfastd.inference.implied import lower_implied
from holdfastd.inference.model import Candidate
from holdfastd.inference.naming import Naming, learn
from holdfastd.inference.people import find_people
from holdfastd.inference.types import Fit
from holdfastd.inference.wording import evidence_for

#: Candidates below this confidence are not worth a reader's time.
KEPT_FROM = 0.3
#: Confidence in a relationship whose names agree and whose types do not: the corpus has none, as no key can be declared there.
MISMATCHED = 0.35


def infer_candidates(catalog: Catalog) -> tuple[Candidate, ...]:
    """Return the relationships that are meant but not declared, by referencing table and columns."""
    naming = learn(catalog)
    found = (*_of_one_column(catalog, naming), *find_composites(catalog, naming))
    kept = (candidate for candidate in lower_implied(catalog, found) if candidate.confidence >= KEPT_FROM)
    return tuple(sorted(kept, key=lambda candidate: candidate.referencing))


def _of_one_column(catalog: Catalog, naming: Naming) -> tuple[Candidate, ...]:
    """Judge every column twice: alone, then knowing what columns of the same name are believed to be."""
    first_pass, second_pass = read_weights()
    cases = with_convention(gather(catalog, naming, find_people(naming)))
    believed = with_siblings([judge(case, first_pass) for case in cases], catalog.types, tuple(declared(naming)))
    judged = (judge(case, second_pass) for case in believed)
    return tuple(
        Candidate(
            referencing=each.case.referencing,
            referenced=each.option.referenced,
            confidence=round(confidence, 3),
            evidence=evidence_for(each),
        )
        for each in judged
        if each.option is not None and (confidence := _confidence(each)) >= KEPT_FROM
    )


def _confidence(judged: Judged) -> float:
    """A column named after a table by all means, but of a type that cannot be compared, is worth a finding, never a plan."""
    option, case = judged.option, judged.case
    named = option is not None and option.fit is Fit.MISMATCH and "role_0" in option.traits and bool(option.traits & {"exact", "module"})
    meant = "suffix_strong" in case.traits and not case.traits & {"external", "opaque"}
    return max(judged.confidence, MISMATCHED) if named and meant else judged.confidence
