"""Declared and inferred relationships side by side: counted, rated, advised.

In come a catalog, candidates and orphan counts by relationship id; out come relationships in the order of their referencing columns.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from holdfastd.catalog.indexes import Comparison, serving_index
from holdfastd.catalog.model import Catalog, ForeignKey, Operator
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.inference.advice.on_delete import advise, heed
from holdfastd.inference.advice.ownership import Relations
from holdfastd.inference.model import Candidate, Evidence, Relationship, Risk, Tier
from holdfastd.inference.obstacles import explain_obstacle
from holdfastd.names import ColumnSet, relationship_id

#: Confidence from which Holdfast plans a key by itself; calibrated so that at least 95 of 100 such keys are meant.
PLANNED_FROM = 0.88

_NEVER_COUNTED = RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=datetime.min.replace(tzinfo=UTC))


def derive_relationships(catalog: Catalog, candidates: Sequence[Candidate], counts: Mapping[str, RowCount]) -> tuple[Relationship, ...]:
    """Return every declared and inferred relationship with its obstacle, orphan rows, risk and suggested ON DELETE."""
    believed = [(key.referencing, key.referenced) for key in catalog.foreign_keys]
    believed += [(candidate.referencing, candidate.referenced) for candidate in candidates]
    found = [_declared(catalog, key, counts) for key in catalog.foreign_keys]
    doubtful = [(candidate.referencing, candidate.referenced) for candidate in candidates if candidate.confidence < PLANNED_FROM]
    known = Relations.of(believed, doubtful)
    for each in candidates:
        if each.intended_on_delete is not None:
            heed(catalog, (each.referencing, each.referenced), each.intended_on_delete, each.intended_by, known)
    found += [_inferred(catalog, candidate, counts, known) for candidate in candidates]
    return tuple(sorted(found, key=lambda each: (each.referencing.table, each.referencing.columns, each.referenced, each.constraint_name)))


def _declared(catalog: Catalog, key: ForeignKey, counts: Mapping[str, RowCount]) -> Relationship:
    nullable = is_nullable(catalog, key.referencing)
    orphan_rows = counted(counts, relationship_id(key.referencing, key.referenced))
    return Relationship(
        referencing=key.referencing,
        referenced=key.referenced,
        declared=True,
        validated=key.validated,
        enforced=key.enforced,
        constraint_name=key.name,
        declared_on_delete=key.on_delete,
        nullable=nullable,
        confidence=1.0,
        tier=Tier.DECLARED,
        evidence=(Evidence(rule="declared", text=f"declared by the constraint {key.name}"),),
        orphan_rows=orphan_rows,
        risk=rate(orphan_rows, nullable=nullable),
        suggested_on_delete=key.on_delete,
        rationale="The declared action is kept.",
        indexed=_is_indexed(catalog, key.referencing, key.operators),
        obstacle="",
        operators=key.operators,
    )


def _inferred(catalog: Catalog, candidate: Candidate, counts: Mapping[str, RowCount], known: Relations) -> Relationship:
    referencing, referenced = candidate.referencing, candidate.referenced
    nullable = is_nullable(catalog, referencing)
    orphan_rows = counted(counts, candidate.id)
    advice = advise(catalog, referencing, referenced, known)
    operators = resolve_operators(catalog, referencing, referenced)
    obstacle = "" if operators is not None else explain_obstacle(catalog, referencing, referenced)
    confidence = candidate.confidence
    return Relationship(
        referencing=referencing,
        referenced=referenced,
        declared=False,
        validated=False,
        enforced=False,
        constraint_name="",
        declared_on_delete=None,
        nullable=nullable,
        confidence=confidence,
        tier=Tier.PLAN if confidence >= PLANNED_FROM and not obstacle else Tier.REVIEW,
        evidence=candidate.evidence,
        orphan_rows=orphan_rows,
        risk=rate(orphan_rows, nullable=nullable),
        suggested_on_delete=advice.on_delete,
        rationale=advice.rationale,
        indexed=_is_indexed(catalog, referencing, operators or ()),
        obstacle=obstacle,
        operators=operators or (),
        reference_probability=candidate.reference_probability,
        target_probability=candidate.target_probability,
        alternatives=candidate.alternatives,
        other_actions=advice.alternatives,
    )


def rate(orphan_rows: RowCount, *, nullable: bool) -> Risk:
    """Rate how likely a relationship is to lose rows: orphans now, or required, or neither."""
    if not orphan_rows.is_known:
        return Risk.UNRATED
    if orphan_rows.value:
        return Risk.HIGH
    return Risk.LOW if nullable else Risk.MEDIUM


def is_nullable(catalog: Catalog, referencing: ColumnSet) -> bool:
    """Tell whether at least one referencing column accepts NULL."""
    table = catalog.tables[referencing.table]
    return not all(table.column(name).not_null for name in referencing.columns)


def _is_indexed(catalog: Catalog, referencing: ColumnSet, operators: tuple[Operator, ...]) -> bool:
    comparison = Comparison(operators=operators, types=catalog.types) if operators else None
    return serving_index(catalog.tables[referencing.table], referencing.columns, comparison) is not None


def counted(counts: Mapping[str, RowCount], relationship: str) -> RowCount:
    """Return the orphan rows of a relationship, NOT_COUNTED when nobody counted."""
    return counts.get(relationship, _NEVER_COUNTED)
