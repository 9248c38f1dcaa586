"""Decisions that cannot be carried out once it is known which orphan rows stay. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Reason, Refused
from holdfastd.plan.edges import remains
from holdfastd.plan.model import Decision, Override
from holdfastd.plan.steps.partition_keys import is_made_of_parts

_REASON = (
    "Orphan rows would stay, and before PostgreSQL 18 the key of a partitioned table cannot be NOT VALID;"
    " say by policy what is to happen to them."
)


def withdraw(catalog: Catalog, decisions: Sequence[Decision], overrides: Sequence[Override]) -> tuple[Decision, ...]:
    """Return the decisions, without keys that PostgreSQL makes only valid while orphan rows stay. PLAN_INFEASIBLE for one asked for."""
    asked = {override.relationship_id for override in overrides if override.include}
    return tuple(_withdraw_one(catalog, decision, asked) for decision in decisions)


def _withdraw_one(catalog: Catalog, decision: Decision, asked: set[str]) -> Decision:
    if not decision.included or not remains(decision) or not is_made_of_parts(catalog, decision):
        return decision
    if decision.relationship_id in asked:
        message = f"{decision.relationship_id}: {_REASON}"
        raise Refused(message, reason=Reason.PLAN_INFEASIBLE, facts={"relationship_id": decision.relationship_id})
    return replace(decision, included=False, reason=_REASON)
