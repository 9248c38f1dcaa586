"""Findings about (id, type) pairs: one per pair, and none where something else explains it."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, Table
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.inference.candidates import infer_candidates
from holdfastd.inference.model import Candidate
from holdfastd.inference.relationships import derive_relationships
from support.builders import a_catalog, a_foreign_key, a_table, columns

POST = a_table("posts")


def pairs(catalog: Catalog, *candidates: Candidate) -> list[str]:
    """Return the parts of the findings, which are the id columns."""
    findings = derive_findings(catalog, derive_relationships(catalog, candidates, {}))
    return [finding.part for finding in findings if finding.kind is FindingKind.POLYMORPHIC_REFERENCE]


def comments(*definitions: str, name: str = "comments", key: str | tuple[str, ...] = "id") -> Table:
    return a_table(name, *definitions, key=key)


def test_a_pair_is_a_hint_about_its_id() -> None:
    table = comments("subject_id integer", "subject_type text")
    (finding,) = derive_findings(a_catalog(POST, table), ())

    assert (finding.id, finding.severity) == ('polymorphic_reference:public.comments."subject_id"', Severity.INFO)
    assert finding.message == "public.comments(subject_id) seems to reference rows of several tables: subject_type says of which."


@pytest.mark.parametrize(
    ("definitions", "expected"),
    [
        (("subjectId integer", "subjectType text"), ["subjectId"]),
        (("subject_id integer", "subject_kind mood"), ["subject_id"]),
        (("a_id integer", "a_type text", "b_id integer", "b_type text"), ["a_id", "b_id"]),
        (("subject_id integer", "subject_type integer"), []),
        (("subject_id integer", "type text"), []),
        (("subject_id uuid", "subject_type text"), []),
        (("subject_id integer",), []),
        (("post_id integer", "post_type text"), []),
        (("comment_id integer", "comment_type text"), []),
        (("external_id integer", "external_type text"), []),
    ],
)
def test_what_makes_a_pair(definitions: tuple[str, ...], expected: list[str]) -> None:
    """Of types that keys have; where there is a table of posts, or these are comments, the type is a trait of that row."""
    assert pairs(a_catalog(POST, comments(*definitions))) == expected


def test_the_id_of_the_row_itself_is_none() -> None:
    assert pairs(a_catalog(POST, comments("subject_id integer", "subject_type text", key="subject_id"))) == []


def test_what_is_declared_or_inferred_is_no_pair() -> None:
    """One finding for one thing."""
    table = comments("subject_id integer", "subject_type text")
    reference = columns("comments", "subject_id"), columns("posts", "id")
    key = a_foreign_key(*reference)

    assert pairs(a_catalog(POST, replace(table, foreign_keys=(key,)))) == []
    assert pairs(a_catalog(POST, table), Candidate(referencing=reference[0], referenced=reference[1], confidence=0.5, evidence=())) == []


def test_every_pair_is_what_the_inference_leaves_out() -> None:
    """The same idea of a pair on both sides: what is reported is never a candidate, though a key of its name and type is there."""
    table = comments("subjectId integer", "subjectType text", "owner_uid integer", "owner_class text", "post_id integer", "kind text")
    catalog = a_catalog(POST, a_table("subject_owners"), table)
    proposed = {name for candidate in infer_candidates(catalog) for name in candidate.referencing.columns}

    assert pairs(catalog) == ["subjectId"]
    assert proposed == {"post_id"}


def test_books_and_backups_are_left_alone() -> None:
    assert pairs(a_catalog(POST, comments("subject_id integer", "subject_type text", name="comments_backup"))) == []
