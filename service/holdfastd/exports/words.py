"""What exported files are called, and what they say about the plan they hold. Pure."""

import re
from collections.abc import Iterator

from holdfastd.errors import InvalidField
from holdfastd.plan.model import OrphanAction
from holdfastd.report.facts import Facts, PlanFacts

_DONE_WITH = {
    OrphanAction.DELETE: "deleted",
    OrphanAction.SET_NULL: "set to NULL",
    OrphanAction.REPOINT: "pointed at another row",
    OrphanAction.LEAVE: "left as they are",
}


def plan_of(facts: Facts) -> PlanFacts:
    """Return the plan that is exported."""
    if facts.plan is None:
        message = "these facts hold no plan"
        raise ValueError(message)
    return facts.plan


def stem(facts: Facts) -> str:
    """Return the name that all files of a plan begin with: lower-case letters, digits and single underscores."""
    return "_".join(("holdfast", _slug(facts.subject.name), _slug(plan_of(facts).id.removeprefix("plan-"))))


def timestamp(facts: Facts) -> str:
    """Return when the plan was made as the version of a migration: fourteen digits, UTC."""
    return plan_of(facts).create_time.strftime("%Y%m%d%H%M%S")


def summary(facts: Facts) -> Iterator[str]:
    """Yield lines about the plan, printable whatever the names are."""
    found = plan_of(facts)
    yield f"Holdfast, plan {found.id} of database {facts.subject.name}, from audit {facts.audit_id}"
    yield f"fingerprint {found.plan.fingerprint}"
    for decision in found.plan.decisions:
        if decision.included:
            rows = f"; {decision.orphan_rows} orphan rows are backed up and {_DONE_WITH[decision.orphan_action]}"
            if decision.orphan_action is OrphanAction.LEAVE:
                rows = f"; {decision.orphan_rows} orphan rows are left as they are"
            about_rows = rows if decision.orphan_rows else ""
            yield one_line(f"{decision.constraint_name}: {decision.relationship_id} ON DELETE {decision.on_delete}{about_rows}")


def one_line(text: str) -> str:
    """Return text without what is not printable: it must not end a comment, nor turn the direction of what follows."""
    return "".join(character if character.isprintable() else " " for character in text)


def no_predecessor(after: str, order: str) -> None:
    """Refuse a predecessor where the format knows none; `order` says what decides instead."""
    if after:
        message = f"after is given, but {order}; leave it out."
        raise InvalidField("after", message)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
