"""Undeclared relationships, from names, types, keys and nullability alone.

In comes a catalog; out come candidates: at most one per referencing columns, each with a confidence and its evidence in words.
"""

from holdfastd.catalog.model import Catalog
from holdfastd.inference.confidence import Judged, judge, read_weights
from holdfastd.inference.consensus import with_convention, with_siblings
from holdfastd.inference.gather import gather
from holdfastd.inference.model import Candidate
from holdfastd.inference.naming import learn
from holdfastd.inference.people import find_people
from holdfastd.inference.wording import evidence_for

#: Candidates below this confidence are not worth a reader's time.
KEPT_FROM = 0.3


def infer_candidates(catalog: Catalog) -> tuple[Candidate, ...]:
    """Return the relationships that are meant but not declared, by referencing table and columns."""
    first_pass, second_pass = read_weights()
    naming = learn(catalog)
    cases = with_convention(gather(catalog, naming, find_people(naming)))
    believed = with_siblings([judge(case, first_pass) for case in cases], catalog.types)
    found = (_candidate(judge(case, second_pass)) for case in believed)
    return tuple(sorted((each for each in found if each is not None), key=lambda each: each.referencing))


def _candidate(judged: Judged) -> Candidate | None:
    if judged.option is None or judged.confidence < KEPT_FROM:
        return None
    return Candidate(
        referencing=judged.case.referencing,
        referenced=judged.option.referenced,
        confidence=round(judged.confidence, 3),
        evidence=evidence_for(judged),
    )
