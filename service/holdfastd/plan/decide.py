"""What to do with each relationship: Holdfast's defaults, the caller's overrides, and what PostgreSQL can do. Pure.

Two rounds, because the second needs to look at rows: `decide` settles which keys are made and how, `settle` what happens to orphan
rows once it is known what deleting them would take along.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog, OnDelete, TableKind
from holdfastd.errors import NotFound, Reason, Refused
from holdfastd.evidence.model import Closure
from holdfastd.findings.plannable import declared_key
from holdfastd.inference.model import Relationship, Tier
from holdfastd.plan.model import Decision, OrphanAction, Override
from holdfastd.plan.naming import Names
from holdfastd.plan.set_null import can_set_null, set_null_columns, set_null_problems

#: What a key by PERIOD is compared by.
_OVERLAPS = "&&"
_ACTION_BY_ON_DELETE = {OnDelete.CASCADE: OrphanAction.DELETE, OnDelete.SET_NULL: OrphanAction.SET_NULL}


def decide(catalog: Catalog, relationships: Sequence[Relationship], overrides: Sequence[Override]) -> tuple[Decision, ...]:
    """Return one decision per relationship. Refused PLAN_INFEASIBLE when an override asks for what PostgreSQL cannot do."""
    by_id = {override.relationship_id: override for override in overrides}
    unknown = by_id.keys() - {relationship.id for relationship in relationships}
    if unknown:
        missing = min(unknown)
        message = f"The audit found no relationship {missing}; list them with `holdfast relationships`."
        raise NotFound(message, reason=Reason.RELATIONSHIP_NOT_FOUND, facts={"relationship_id": missing})
    names = Names(catalog)
    return tuple(
        _decide_one(catalog, relationship, by_id.get(relationship.id), names)
        for relationship in sorted(relationships, key=lambda relationship: (relationship.referencing, relationship.id))
    )


def _decide_one(catalog: Catalog, relationship: Relationship, override: Override | None, names: Names) -> Decision:
    on_delete = (override and override.on_delete) or relationship.suggested_on_delete
    action = (override and override.orphan_action) or _ACTION_BY_ON_DELETE.get(on_delete, OrphanAction.LEAVE)
    decision = Decision(
        relationship_id=relationship.id,
        referencing=relationship.referencing,
        referenced=relationship.referenced,
        included=False,
        reason="",
        on_delete=on_delete,
        orphan_action=action,
        orphan_rows=relationship.orphan_rows.value if relationship.orphan_rows.is_known else 0,
        closure_rows=0,
        repoint_to=override.repoint_to if override else (),
    )
    wanted = override.include if override else None
    if override is not None and wanted is not False:
        _refuse_infeasible(catalog, relationship, decision, override)
    reason = _why_not(catalog, relationship, wanted=wanted)
    if reason:
        return replace(decision, reason=reason)
    if action is OrphanAction.SET_NULL and not can_set_null(catalog, relationship):
        decision = replace(decision, orphan_action=OrphanAction.LEAVE)
    return replace(
        decision,
        included=True,
        reason=_why(relationship, override),
        set_null_columns=set_null_columns(catalog, relationship, decision),
        constraint_name=relationship.constraint_name or names.foreign_key(relationship.referencing),
        index_name="" if relationship.indexed else names.index(relationship.referencing),
    )


def _why(relationship: Relationship, override: Override | None) -> str:
    if override is not None:
        return "As the policy says."
    if relationship.declared:
        return "Declared, but not validated yet."
    return relationship.rationale


def _why_not(catalog: Catalog, relationship: Relationship, *, wanted: bool | None) -> str:
    """Return why a relationship is not planned; empty when it is."""
    if wanted is False:
        return "Left out by the policy."
    impossible = next(impossibilities(catalog, relationship), "")
    if impossible:
        return impossible
    if relationship.declared:
        return _why_not_declared(catalog, relationship)
    if not relationship.orphan_rows.is_known:
        return f"Its rows could not be counted: {relationship.orphan_rows.reason}"
    if wanted is None and relationship.tier is Tier.REVIEW:
        return f"Confidence {relationship.confidence:.2f} is below what is planned by default; include it by policy if it is meant."
    return ""


def _why_not_declared(catalog: Catalog, relationship: Relationship) -> str:
    if relationship.validated:
        return "Declared and validated already."
    key = declared_key(catalog, relationship)
    if key is None:
        return "Its key was dropped since the audit; audit again."
    if not key.triggers_enabled:
        return "Declared NOT VALID, and triggers of the key are disabled, so it protects nothing; enable them, then audit and plan again."
    if any(operator.name == _OVERLAPS for operator in key.operators):
        return "Declared NOT VALID by PERIOD, which Holdfast does not count again; validate it by hand."
    return ""


def impossibilities(catalog: Catalog, relationship: Relationship) -> Iterator[str]:
    """Yield why no foreign key can be made for a relationship, or not by Holdfast."""
    referencing, referenced = (catalog.tables[columns.table] for columns in (relationship.referencing, relationship.referenced))
    if relationship.obstacle:
        yield relationship.obstacle
    if relationship.declared and not relationship.enforced:
        yield "Declared NOT ENFORCED; alter it to ENFORCED by hand, which PostgreSQL does under ACCESS EXCLUSIVE."
    if referencing.kind is TableKind.FOREIGN:
        yield "The referencing table is a foreign table; PostgreSQL keeps no keys of such tables."
    yield from (
        f"Partition {name} is a foreign table, which has no keys, so PostgreSQL makes none for {referencing.name} as a whole."
        for name in catalog.partitions_below(referencing.name)
        if catalog.tables[name].kind is TableKind.FOREIGN
    )
    if referenced.kind is TableKind.FOREIGN:
        yield "The referenced table is a foreign table; PostgreSQL cannot reference it."
    if referencing.persistence == "p" and referenced.persistence != "p":
        yield "A permanent table cannot reference an unlogged one."
    virtual = {column.name for column in referencing.columns if column.generated == "v"}
    if virtual.intersection(relationship.referencing.columns):
        yield "A virtual generated column cannot carry a foreign key."


def _refuse_infeasible(catalog: Catalog, relationship: Relationship, decision: Decision, override: Override) -> None:
    for problem in _problems(catalog, relationship, decision, override):
        message = f"{relationship.id}: {problem}"
        raise Refused(message, reason=Reason.PLAN_INFEASIBLE, facts={"relationship_id": relationship.id})


def _problems(catalog: Catalog, relationship: Relationship, decision: Decision, override: Override) -> Iterator[str]:
    """Yield what the override asks for and PostgreSQL cannot do."""
    if override.include:
        yield from impossibilities(catalog, relationship)
    if relationship.declared and override.on_delete not in (None, relationship.declared_on_delete):
        yield "it is declared already; its ON DELETE cannot be changed by a plan."
    yield from set_null_problems(catalog, relationship, override)
    if override.on_delete is OnDelete.SET_DEFAULT and not relationship.declared:
        yield "ON DELETE SET DEFAULT is not planned by Holdfast; choose another action."
    if override.orphan_action is OrphanAction.REPOINT:
        yield from _repoint_problems(catalog, decision)


def _repoint_problems(catalog: Catalog, decision: Decision) -> Iterator[str]:
    if len(decision.repoint_to) != len(decision.referencing.columns):
        yield f"repoint_to needs {len(decision.referencing.columns)} value(s), one per referenced column."
    primary_key = catalog.tables[decision.referencing.table].primary_key
    if not primary_key or set(primary_key).intersection(decision.referencing.columns):
        yield "orphan rows can be repointed only where a primary key of other columns finds the rows again."


def leave_out(decisions: Sequence[Decision], partly_null: Mapping[str, int], overrides: Sequence[Override]) -> tuple[Decision, ...]:
    """Return the decisions without the keys that cannot be validated, though their orphan rows be cleaned up.

    `partly_null`: rows by relationship that MATCH FULL forbids. They are no orphan rows, and which value is wrong is not ours to say.
    """
    asked = {override.relationship_id for override in overrides if override.include}
    return tuple(_leave_one(decision, partly_null.get(decision.relationship_id, 0), asked) for decision in decisions)


def _leave_one(decision: Decision, rows: int, asked: set[str]) -> Decision:
    if not rows:
        return decision
    reason = f"{rows} rows have some but not all of the columns NULL, which MATCH FULL forbids; complete or clear them, then plan again."
    if decision.relationship_id in asked:
        message = f"{decision.relationship_id}: {reason}"
        raise Refused(message, reason=Reason.PLAN_INFEASIBLE, facts={"relationship_id": decision.relationship_id})
    return replace(decision, included=False, reason=reason, constraint_name="", index_name="")


def settle(decisions: Sequence[Decision], closures: Mapping[str, Closure], overrides: Sequence[Override]) -> tuple[Decision, ...]:
    """Return the decisions with what their cleanups take along; a cleanup that something blocks is left, and says why."""
    asked = {override.relationship_id for override in overrides if override.orphan_action not in (None, OrphanAction.LEAVE)}
    return tuple(_settle_one(decision, closures.get(decision.relationship_id), asked) for decision in decisions)


def _settle_one(decision: Decision, closure: Closure | None, asked: set[str]) -> Decision:
    if closure is None:
        return decision
    if not closure.blocked:
        return replace(decision, closure_rows=sum(closure.rows.values()))
    if decision.relationship_id in asked:
        message = f"{decision.relationship_id}: {closure.blocked}"
        raise Refused(message, reason=Reason.PLAN_INFEASIBLE, facts={"relationship_id": decision.relationship_id})
    return replace(decision, orphan_action=OrphanAction.LEAVE, reason=f"Orphan rows stay: {closure.blocked}")
