"""Undeclared relationships, from names, types, keys and nullability alone.

In comes a catalog; out come candidates: at most one per referencing columns, each with a confidence and its evidence in words.
"""

from holdfastd.catalog.model import Catalog
from holdfastd.inference.composites import find_composites
from holdfastd.inference.confidence import judge, read_weights
from holdfastd.inference.consensus import with_convention, with_siblings
from holdfastd.inference.gather import declared, gather
from holdfastd.inference.implied import lower_implied
from holdfastd.inference.model import Candidate
from holdfastd.inference.naming import Naming, learn
from holdfastd.inference.people import find_people
from holdfastd.inference.wording import evidence_for

#: Candidates below this confidence are not worth a reader's time.
KEPT_FROM = 0.3


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
            confidence=round(each.confidence, 3),
            evidence=evidence_for(each),
        )
        for each in judged
        if each.option is not None and each.confidence >= KEPT_FROM
    )
