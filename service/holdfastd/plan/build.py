"""Decisions in, plan out: the steps in the one order that leaves no gap. Pure.

Indexes first (the keys will need them), then every key NOT VALID: from there on no new orphan rows. Only then the old ones are backed
up and cleaned up, then the keys are validated, then everything is counted again. Cleaning up before the keys exist, as scripts do it,
is a race: rows appear between the two.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Reason, Refused
from holdfastd.evidence.model import Closure, Edge
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.plan.edges import enforced_edges, keys_dropped, remains
from holdfastd.plan.facts import fingerprint, read_facts
from holdfastd.plan.model import Decision, Hazard, HazardKind, OrphanAction, Plan, Step
from holdfastd.plan.recipe import build_recipe
from holdfastd.plan.steps.clean_up import clean_up
from holdfastd.plan.steps.create_index import create_index
from holdfastd.plan.steps.foreign_key import add_foreign_key, revalidated, validate_foreign_key
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
    steps = tuple(_steps(catalog, by_id, included, closures, edges))
    facts = read_facts(catalog, tables_of(steps, included), ours=names_made(steps))
    return Plan(steps=steps, decisions=tuple(decisions), fingerprint=fingerprint(facts), facts=facts)


def tables_of(steps: Sequence[Step], decisions: Sequence[Decision]) -> tuple[TableName, ...]:
    """Return the tables that a plan depends on: those it changes, those they reference, those that cascades reach."""
    named = {columns.table for decision in decisions if decision.included for columns in (decision.referencing, decision.referenced)}
    reached = {table for step in steps if step.recipe is not None for table in step.recipe.tables}
    return tuple(sorted(named | reached))


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
    dropped = keys_dropped(by_id.values(), decisions)
    number = 1
    yield prepare(number)
    for decision in decisions:
        if decision.index_name:
            number += 1
            yield create_index(number, decision, rows=_rows(catalog, decision))
    for decision in decisions:
        if not by_id[decision.relationship_id].declared:
            number += 1
            yield _with_remaining(add_foreign_key(number, decision), decision)
    for decision in decisions:
        if decision.orphan_action is not OrphanAction.LEAVE:
            number += 1
            relationship = by_id[decision.relationship_id]
            recipe = build_recipe(catalog, relationship, decision, edges, dropped=dropped)
            closure = closures.get(decision.relationship_id)
            yield clean_up(number, catalog, relationship, decision, recipe, dict(closure.rows) if closure else {})
    for decision in decisions:
        if not remains(decision):
            number += 1
            step = validate_foreign_key(number, decision, rows=_rows(catalog, decision))
            yield revalidated(step, decision) if by_id[decision.relationship_id].declared else step
    yield verify(number + 1, catalog, [by_id[decision.relationship_id] for decision in decisions])


def _rows(catalog: Catalog, decision: Decision) -> int:
    return max(int(catalog.tables[decision.referencing.table].row_estimate), 0)


def _with_remaining(step: Step, decision: Decision) -> Step:
    if not remains(decision):
        return step
    message = f"{decision.orphan_rows} orphan rows stay and the key stays NOT VALID; decide about them by policy."
    hazard = Hazard(kind=HazardKind.ORPHANS_REMAIN, message=message)
    return replace(step, hazards=(*step.hazards, hazard))
