"""The other actions that could be chosen, the best first, and when to choose each. Only what PostgreSQL could carry out."""

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.advice.ownership import Ownership
from holdfastd.inference.model import OtherAction

_ORDER = {
    OnDelete.CASCADE: (OnDelete.SET_NULL, OnDelete.RESTRICT, OnDelete.NO_ACTION),
    OnDelete.SET_NULL: (OnDelete.RESTRICT, OnDelete.CASCADE, OnDelete.NO_ACTION),
    OnDelete.RESTRICT: (OnDelete.NO_ACTION, OnDelete.SET_NULL, OnDelete.CASCADE),
    OnDelete.NO_ACTION: (OnDelete.RESTRICT, OnDelete.SET_NULL, OnDelete.CASCADE),
}


def choices(seen: Ownership, chosen: OnDelete, *, can_be_null: bool, risk: str) -> tuple[OtherAction, ...]:
    """Return the actions besides the chosen one; `risk` says what may refuse NULL in the columns."""
    feasible = [action for action in _order(seen, chosen) if action is not OnDelete.SET_NULL or can_be_null]
    return tuple(OtherAction(on_delete=action, rationale=_when(seen, action, chosen, risk)) for action in feasible)


def _order(seen: Ownership, chosen: OnDelete) -> tuple[OnDelete, ...]:
    """After SET NULL comes CASCADE where the referenced table could own the row and nothing of worth would go."""
    if chosen is OnDelete.SET_NULL and seen.is_owner and not (seen.is_history or seen.is_agent or seen.has_role or seen.is_ban):
        return (OnDelete.CASCADE, OnDelete.RESTRICT, OnDelete.NO_ACTION)
    return _ORDER[chosen]


def _when(seen: Ownership, action: OnDelete, chosen: OnDelete, risk: str) -> str:
    rows, thing, a_thing = seen.rows, seen.thing, seen.a_thing
    if action is OnDelete.SET_NULL:
        caution = f", after checking that {risk} does no harm" if risk else ""
        return f"Choose SET NULL if a row of {rows} should stay, with {seen.column} empty, when its {thing} is deleted{caution}."
    if action is OnDelete.CASCADE:
        lost = f"what {rows} records may be deleted" if seen.is_history else f"rows of {rows} may be deleted"
        return f"Choose CASCADE if {lost} together with their {thing}."
    if action is OnDelete.RESTRICT:
        strictly = ", not even together with that row" if chosen is OnDelete.NO_ACTION else ""
        return f"Choose RESTRICT if {a_thing} must not be deleted while a row of {rows} names it{strictly}."
    return f"Choose NO ACTION if deleting {a_thing} should fail unless the same statement deletes the rows of {rows} that name it, too."
