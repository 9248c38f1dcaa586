"""What the plan itself depends on: its state, and that the catalog is still the one it was made for."""

from holdfastd.catalog.model import Catalog
from holdfastd.errors import Reason
from holdfastd.plan.build import names_made, tables_of
from holdfastd.plan.facts import drift, read_facts
from holdfastd.plan.model import Plan, PlanState
from holdfastd.target.preflight.check import Check, blocks_application, passed, warning

#: Changes named.
_SHOWN = 10


def check_state(plan_id: str, state: PlanState) -> Check:
    """Tell whether a plan may still be applied; that it waits for approval is told, and in nobody's way."""
    name = "plan_state"
    match state:
        case PlanState.APPROVED:
            return passed(name, "The plan is approved.")
        case PlanState.PROPOSED | PlanState.ROLLED_BACK:
            word = "not approved yet" if state is PlanState.PROPOSED else "rolled back, and takes a new approval"
            return warning(name, f"The plan is {word}.", f"holdfast plans approve {plan_id}")
        case PlanState.APPLIED | PlanState.REJECTED:
            return blocks_application(name, Reason.PLAN_STATE, f"Plan {plan_id} is {state}.", "Make a new plan.", {"state": state})


def check_drift(catalog: Catalog, plan: Plan) -> Check:
    """Tell what changed in the catalog since the plan was made. What the plan itself made is no drift."""
    actual = read_facts(catalog, tables_of(plan.steps, plan.decisions), ours=names_made(plan.steps))
    changes = drift(plan.facts, actual)
    if not changes:
        return passed("drift", "The tables of the plan are as they were when it was made.")
    text = "; ".join(changes[:_SHOWN]) + (f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "")
    seen, cure = f"The database changed since the plan was made: {text}.", "Audit again and make a new plan."
    return blocks_application("drift", Reason.PLAN_DRIFTED, seen, cure, {"changes": text})
