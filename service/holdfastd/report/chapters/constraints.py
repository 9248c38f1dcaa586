"""The proposed keys: each with its ON DELETE, the reason, what else could be chosen, and its definition; and what is left out. Pure."""

from collections.abc import Iterator, Sequence

from holdfastd.findings.words import add_key_sql
from holdfastd.inference.model import Relationship, Tier
from holdfastd.plan.model import Decision, OrphanAction
from holdfastd.report.blocks import Block, Code, Fold, Heading, Items, Level, Line, Name, Paragraph, Run, Strong
from holdfastd.report.chapters.capped import capped
from holdfastd.report.view import Proposal, View
from holdfastd.report.words import chance, clean, column_names, number, plural, prose, relationship_name, rows, sentence, shortened

_IN_FULL = 30
_EXAMPLES = 3
_ORPHANS = {
    OrphanAction.DELETE: "are backed up, then deleted",
    OrphanAction.SET_NULL: "are backed up, then set NULL",
    OrphanAction.REPOINT: "are backed up, then repointed",
    OrphanAction.LEAVE: "stay as they are, so the key stays NOT VALID",
}
_ONE_ORPHAN = {
    OrphanAction.DELETE: "is backed up, then deleted",
    OrphanAction.SET_NULL: "is backed up, then set NULL",
    OrphanAction.REPOINT: "is backed up, then repointed",
    OrphanAction.LEAVE: "stays as it is, so the key stays NOT VALID",
}


def constraints(view: View) -> Iterator[Block]:
    """Yield the keys to declare."""
    found = view.proposals
    if not found:
        if not view.undeclared:
            return
        yield Paragraph("None can be declared as things stand; the reasons are below.")
    else:
        yield Paragraph(_introduction(view))
    for place, proposal in enumerate(found[:_IN_FULL], start=1):
        yield from _in_full(view, place, proposal)
    if found[_IN_FULL:]:
        yield from _in_brief(view, found[_IN_FULL:])
    yield from _left_out(view)


def _introduction(view: View) -> Line:
    count = len(view.proposals)
    if view.facts.plan:
        return (
            f"{plural(count, 'key')}, as the plan has them. To decide otherwise, give a policy and plan again: ",
            Code(f"holdfast plan {view.name} --policy policy.yaml"),
        )
    return (f"{plural(count, 'key')}, as a plan would have them: ", Code(f"holdfast plan {view.name}"))


def _in_full(view: View, place: int, proposal: Proposal) -> Iterator[Block]:
    item, decision = proposal.relationship, proposal.decision
    yield Heading(3, f"{place}. {relationship_name(item)}")
    lines: list[Line] = [("ON DELETE ", Level(proposal.on_delete), _only(view, item), *_constraint(decision))]
    if reason := _reason(proposal):
        lines.append(f"Why: {prose(sentence(reason))}")
    lines += [f"Instead: {prose(sentence(each.rationale))}" for each in item.other_actions if each.on_delete is not proposal.on_delete]
    if item.orphan_rows.value and item.orphan_rows.is_known:
        one = rows(item.orphan_rows) == "1"
        action = f" {(_ONE_ORPHAN if one else _ORPHANS)[decision.orphan_action]}." if decision else "."
        lines.append((Strong(f"{rows(item.orphan_rows)} orphan {'row' if one else 'rows'}"), action))
    if not item.declared:
        lines.append(f"Confidence {chance(item.confidence)}: {prose('; '.join(each.text for each in item.evidence[:2]))}.")
    yield Items(lines)
    yield Paragraph(Code(clean(_definition(view, proposal))))


def _only(view: View, item: Relationship) -> str:
    """Return the columns that ON DELETE changes where those are not all."""
    changed = view.changed(item)
    return "" if changed == item.referencing else f" (only {column_names(changed)})"


def _constraint(decision: Decision | None) -> tuple[Run, ...]:
    return (", constraint ", Name(decision.constraint_name)) if decision and decision.constraint_name else ()


def _reason(proposal: Proposal) -> str:
    """Return why this action: a policy's own, where there is one, before the advice."""
    item, decision = proposal.relationship, proposal.decision
    if decision is None or decision.on_delete is item.suggested_on_delete or item.declared:
        return item.rationale if decision is None or not item.declared else decision.reason
    advice = f" Holdfast would have chosen {item.suggested_on_delete}: {item.rationale}" if item.rationale else ""
    return decision.reason + advice


def _definition(view: View, proposal: Proposal) -> str:
    statement = view.key_statements.get(proposal.relationship.id)
    if statement:
        return statement
    item = proposal.relationship
    return add_key_sql(item.referencing, item.referenced, proposal.on_delete, not_valid=not item.declared)


def _in_brief(view: View, found: Sequence[Proposal]) -> Iterator[Block]:
    listed: list[tuple[Line, ...]] = [
        (
            relationship_name(each.relationship),
            Level(each.on_delete),
            rows(each.relationship.orphan_rows),
            Name(each.decision.constraint_name) if each.decision else "",
            prose(_reason(each)),
        )
        for each in found
    ]
    blocks = [
        *capped(
            ("Relationship", "ON DELETE", "Orphan rows", "Constraint", "Why"),
            listed,
            what="keys",
            command=_all(view),
            numbers=("Orphan rows",),
            shown=400,
        )
    ]
    yield Fold(f"{number(len(found))} more keys", blocks, otherwise=(f"And {number(len(found))} more keys: ", Code(_all(view))))


def _all(view: View) -> str:
    return f"holdfast plans show {view.plan_id}" if view.facts.plan else f"holdfast relationships {view.name}"


def _left_out(view: View) -> Iterator[Block]:
    reasons: dict[str, list[str]] = {}
    for name, reason in _excluded(view):
        reasons.setdefault(reason, []).append(name)
    if not reasons:
        return
    yield Heading(3, "Left out, and why")
    ordered = sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    listed = [(prose(sentence(reason)), number(len(names)), shortened(names, _EXAMPLES)) for reason, names in ordered]
    yield from capped(("Why", "How many", "Such as"), listed, what="reasons", command=_all(view), numbers=("How many",))


def _excluded(view: View) -> Iterator[tuple[str, str]]:
    if view.facts.plan is None:
        for each in view.undeclared:
            if each.obstacle or not each.orphan_rows.is_known:
                yield relationship_name(each), each.obstacle or f"Its rows could not be counted: {each.orphan_rows.reason}"
        return
    for decision in view.left_out:
        item = view.by_id.get(decision.relationship_id)
        # What is declared and sound needs no key, and what is for review has a chapter of its own.
        if item is not None and item.tier is not Tier.REVIEW and not (item.declared and item.validated and item.enforced):
            yield relationship_name(item), decision.reason
