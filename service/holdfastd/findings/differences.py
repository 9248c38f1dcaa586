"""What differs between two audits of a database. In come what both found; out come changes, each with words for people."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.model import Finding
from holdfastd.inference.model import Relationship, Tier


class ChangeKind(StrEnum):
    """What happened to something between two audits."""

    APPEARED = "APPEARED"
    WENT_AWAY = "WENT_AWAY"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationshipChange:
    """A relationship that differs."""

    kind: ChangeKind
    relationship_id: str
    #: None when the audit has none of it.
    base: Relationship | None
    head: Relationship | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """A finding that only one of the audits has."""

    kind: ChangeKind
    finding: Finding


def derive_relationship_changes(base: Iterable[Relationship], head: Iterable[Relationship]) -> tuple[RelationshipChange, ...]:
    """Return the relationships that differ, by id."""
    before, after = _by_id(base), _by_id(head)
    changes = []
    for relationship_id in sorted(before.keys() | after.keys()):
        old, new = before.get(relationship_id), after.get(relationship_id)
        if old is None or new is None:
            kind = ChangeKind.APPEARED if old is None else ChangeKind.WENT_AWAY
            message = _standing(new or old)
        else:
            kind, message = ChangeKind.CHANGED, ", ".join(_differences(old, new))
        if message:
            changes.append(RelationshipChange(kind=kind, relationship_id=relationship_id, base=old, head=new, message=message))
    return tuple(changes)


def derive_finding_changes(base: Iterable[Finding], head: Iterable[Finding]) -> tuple[FindingChange, ...]:
    """Return the findings that appeared or went away, the worst first, those that appeared before those that went away."""
    before, after = {finding.id: finding for finding in base}, {finding.id: finding for finding in head}
    appeared = [FindingChange(kind=ChangeKind.APPEARED, finding=after[id_]) for id_ in after.keys() - before.keys()]
    went_away = [FindingChange(kind=ChangeKind.WENT_AWAY, finding=before[id_]) for id_ in before.keys() - after.keys()]
    by_id = sorted(appeared, key=lambda change: change.finding.id) + sorted(went_away, key=lambda change: change.finding.id)
    return tuple(sorted(by_id, key=lambda change: -change.finding.severity))


def _by_id(relationships: Iterable[Relationship]) -> Mapping[str, Relationship]:
    """Return relationships by id; of one that is declared twice, what is enforced most counts."""
    weakest_first = sorted(relationships, key=lambda item: (item.declared, item.enforced, item.validated))
    return {item.id: item for item in weakest_first}


def _standing(item: Relationship | None) -> str:
    if item is None:
        return ""
    if item.declared:
        return f"declared as {item.constraint_name}"
    return "candidate for review" if item.tier is Tier.REVIEW else "candidate"


def _differences(old: Relationship, new: Relationship) -> Iterator[str]:
    """Yield what became different, in words."""
    if old.declared != new.declared:
        yield f"declared as {new.constraint_name}" if new.declared else f"no longer declared (was {old.constraint_name})"
    elif old.declared:
        yield from _declarations(old, new)
    elif old.tier is not new.tier:
        yield "for review only" if new.tier is Tier.REVIEW else "sure enough to be planned"
    if old.indexed != new.indexed:
        yield "an index appeared" if new.indexed else "no longer indexed"
    if bool(old.obstacle) != bool(new.obstacle):
        yield f"cannot be enforced: {new.obstacle}" if new.obstacle else "can be enforced now"
    yield from _counts(old.orphan_rows, new.orphan_rows)


def _declarations(old: Relationship, new: Relationship) -> Iterator[str]:
    if old.enforced != new.enforced:
        yield "enforced" if new.enforced else "no longer enforced"
    if old.validated != new.validated:
        yield "validated" if new.validated else "no longer validated"
    if old.declared_on_delete is not new.declared_on_delete and old.declared_on_delete and new.declared_on_delete:
        words = (action.replace("_", " ") for action in (old.declared_on_delete, new.declared_on_delete))
        yield "ON DELETE {} became {}".format(*words)
    if old.constraint_name != new.constraint_name:
        yield f"{old.constraint_name} became {new.constraint_name}"


def _counts(old: RowCount, new: RowCount) -> Iterator[str]:
    if old.is_known != new.is_known:
        yield "counted again" if new.is_known else f"no longer counted: {new.reason}"
    elif old.is_known and not _may_be_the_same(old, new):
        more = new.value - old.value
        about = "" if old.exactness is new.exactness is Exactness.EXACT else "about "
        yield f"{about}{abs(more)} {'more' if more > 0 else 'fewer'} orphan row{'' if abs(more) == 1 else 's'}"


def _may_be_the_same(old: RowCount, new: RowCount) -> bool:
    """Tell whether both numbers may be of the same rows: estimates differ from one to the next."""
    (old_low, old_high), (new_low, new_high) = _range(old), _range(new)
    return old_low <= new_high and new_low <= old_high


def _range(count: RowCount) -> tuple[int, int]:
    if count.exactness is Exactness.EXACT or count.low is None or count.high is None:
        return count.value, count.value
    return count.low, count.high
