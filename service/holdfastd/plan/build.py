"""Decisions in, plan out: the steps in the one order that leaves no gap. Pure.

Indexes first (the keys will need them), then every key NOT VALID: from there on no new orphan rows. Only then the old ones are backed
up and cleaned up, then the keys are validated, then everything is counted again. Cleaning up before the keys exist, as scripts do it,
is a race: rows appear between the two.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog, TableKind
from holdfastd.errors import Reason, Refused
from holdfastd.evidence.model import Closure, Edge
from holdfastd.findings.plannable import declared_key
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.edges import enforced_edges, keys_adopted, keys_dropped, remains
from holdfastd.plan.facts import fingerprint, read_facts
from holdfastd.plan.locks import with_partitions
from holdfastd.plan.model import Decision, Hazard, HazardKind, OrphanAction, Plan, Step
from holdfastd.plan.naming import Names
from holdfastd.plan.steps.create_index import create_index
from holdfastd.plan.steps.foreign_key import revalidated, validate_foreign_key
from holdfastd.plan.steps.partition_clean_up import clean_up_leaves
from holdfastd.plan.steps.partition_indexes import index_partitions
from holdfastd.plan.steps.partition_keys import add_keys, validate_keys
from holdfastd.plan.steps.prepare import prepare
from holdfastd.plan.steps.verify import verify


def build_plan(
    catalog: Catalog,
    relationships: Sequence[Relationship],
    decisions: Sequence[Decision],
    closures: Mapping[str, Closure],
) -> Plan:
    """Return the plan. Refused PLAN_EMPTY when no relationship is included."""
    by_id = {relationship.id: relationship for relationship in relationships}
    included = [decision for decision in decisions if decision.included]
    if not included:
        message = "There is nothing to do: no relationship is both undeclared and certain enough. Include some by policy."
        raise Refused(message, reason=Reason.PLAN_EMPTY)
    edges = enforced_edges(catalog, relationships, decisions)
    steps = tuple(replace(step, number=number) for number, step in enumerate(_steps(catalog, by_id, included, closures, edges), start=1))
    facts = read_facts(catalog, tables_of(steps, included), ours=names_made(steps))
    return Plan(steps=steps, decisions=tuple(decisions), fingerprint=fingerprint(facts), facts=facts)


def tables_of(steps: Sequence[Step], decisions: Sequence[Decision]) -> tuple[TableName, ...]:
    """Return the tables that a plan depends on: those it changes, those they reference, those that cascades reach."""
    named = {columns.table for decision in decisions if decision.included for columns in (decision.referencing, decision.referenced)}
    reached = {table for step in steps if step.recipe is not None for table in step.recipe.tables}
    changed = {step.table for step in steps if step.table is not None}
    return tuple(sorted(named | reached | changed))


def names_made(steps: Sequence[Step]) -> frozenset[str]:
    """Return the names of keys and indexes that the steps make or validate: they are no drift."""
    return frozenset(step.object_name for step in steps if step.object_name)


def _steps(
    catalog: Catalog,
    by_id: Mapping[str, Relationship],
    decisions: Sequence[Decision],
    closures: Mapping[str, Closure],
    edges: Sequence[Edge],
) -> Iterator[Step]:
    dropped = keys_dropped(by_id.values(), decisions) | keys_adopted(catalog, decisions)
    yield prepare(0)
    yield from _index_steps(catalog, by_id, decisions)
    for decision in decisions:
        if not by_id[decision.relationship_id].declared:
            yield from (_with_remaining(step, decision) for step in add_keys(catalog, decision))
    for decision in decisions:
        if decision.orphan_action is not OrphanAction.LEAVE:
            closure = closures.get(decision.relationship_id)
            relationship = by_id[decision.relationship_id]
            yield from clean_up_leaves(catalog, relationship, decision, edges, dropped, closure.rows if closure else {})
    for decision in decisions:
        if not remains(decision):
            yield from _validate_steps(catalog, by_id[decision.relationship_id], decision)
    yield verify(0, catalog, [by_id[decision.relationship_id] for decision in decisions])


def _index_steps(catalog: Catalog, by_id: Mapping[str, Relationship], decisions: Sequence[Decision]) -> Iterator[Step]:
    names = Names(catalog)
    indexed = [decision for decision in decisions if decision.index_name]
    for decision in indexed:
        names.reserve_index(decision.referencing, decision.index_name)
    for decision in indexed:
        if _is_partitioned(catalog, decision):
            yield from index_partitions(catalog, by_id[decision.relationship_id], decision, names)
        else:
            yield create_index(0, decision, rows=_rows(catalog, decision))


def _validate_steps(catalog: Catalog, relationship: Relationship, decision: Decision) -> Iterator[Step]:
    key = declared_key(catalog, relationship)
    if key is None and _is_partitioned(catalog, decision):
        yield from validate_keys(catalog, decision)
        return
    step = validate_foreign_key(0, decision, rows=_rows(catalog, decision))
    yield with_partitions(catalog, revalidated(step, decision, key) if key is not None else step)


def _is_partitioned(catalog: Catalog, decision: Decision) -> bool:
    return catalog.tables[decision.referencing.table].kind is TableKind.PARTITIONED


def _rows(catalog: Catalog, decision: Decision) -> int:
    return max(int(catalog.tables[decision.referencing.table].row_estimate), 0)


def _with_remaining(step: Step, decision: Decision) -> Step:
    if not remains(decision):
        return step
    message = f"{decision.orphan_rows} orphan rows stay and the key stays NOT VALID; decide about them by policy."
    hazard = Hazard(kind=HazardKind.ORPHANS_REMAIN, message=message)
    return replace(step, hazards=(*step.hazards, hazard))
