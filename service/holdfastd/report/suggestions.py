"""What to do first: in come facts, out come a few sentences, the most urgent first, each with the command that goes on from there. Pure."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.jobs.model import JobState
from holdfastd.plan.model import PlanState
from holdfastd.report.facts import Facts
from holdfastd.report.view import View, spellings, total
from holdfastd.report.words import clean, minute, number, plural, prose, relationship_name, table_name

_HOLLOW = (FindingKind.DISABLED_KEY, FindingKind.ORPHANS_UNDER_VALID_KEY)
_HALF = (FindingKind.NOT_VALIDATED_KEY, FindingKind.NOT_ENFORCED_KEY)
_ORPHANS = (FindingKind.ORPHAN_ROWS, FindingKind.ORPHANS_UNDER_VALID_KEY)
#: Kinds that a rule below speaks of.
_SPOKEN_OF = (
    *_HOLLOW,
    *_HALF,
    *_ORPHANS,
    FindingKind.ROWS_HIDDEN,
    FindingKind.UNDECLARED_KEY,
    FindingKind.UNINDEXED_KEY,
    FindingKind.NOT_AUDITABLE,
)
_NAMED = 3
_SEVERAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing to do, and the command to begin with."""

    text: str
    command: str


def suggest(facts: Facts) -> tuple[Suggestion, ...]:
    """Return what to do, the most urgent first; empty when nothing is."""
    view = View(facts=facts)
    found = (rule(view) for rule in _RULES)
    return tuple(each for each in found if each is not None)


def severities(facts: Facts) -> str:
    """Return how many findings stand, by severity, in words."""
    view = View(facts=facts)
    counted = Counter(finding.severity for finding in view.open)
    parts = [f"{number(counted[severity])} {severity.name}" for severity in sorted(counted, reverse=True)]
    told = plural(len(view.open), "finding") + (f": {', '.join(parts)}" if parts else "")
    settled = sum(ignored is None and view.is_settled(finding) for finding, ignored in facts.findings)
    told += f"; {plural(settled, 'was', 'were')} settled by the plan" if settled else ""
    return told + (f"; {plural(len(view.ignored), 'more is', 'more are')} ignored." if view.ignored else ".")


def argument(view: View, item: Relationship) -> str:
    """Return the shortest name of a relationship that no other one has, quoted for a shell."""
    alone = (name for name in spellings(item) if view.names[name] == {item.id})
    return shlex.quote(clean(next(alone, item.id)))


def _of(view: View, kinds: Iterable[FindingKind]) -> list[Finding]:
    wanted = frozenset(kinds)
    return [finding for finding in view.open if finding.kind in wanted]


def _standing(view: View, items: Sequence[Relationship], kinds: Iterable[FindingKind]) -> list[Relationship]:
    """Return the relationships but for those whose finding somebody decided to live with, or a plan settled."""
    wanted = frozenset(kinds)
    accepted = {finding.relationship_id for finding, _ in view.ignored if finding.kind in wanted}
    accepted |= {id_ for kind in wanted for id_ in view.settled(kind)}
    return [item for item in items if item.id not in accepted]


def _named(texts: Sequence[str]) -> str:
    # A name may hold a line break; a sentence may not.
    shown = ", ".join(texts[:_NAMED]).replace("\n", "�")
    return f"{shown} and {number(len(texts) - _NAMED)} more" if len(texts) > _NAMED else shown


def _subjects(view: View, kinds: Iterable[FindingKind]) -> list[str]:
    return list(dict.fromkeys(_subject(view, finding) for finding in _of(view, kinds)))


def _subject(view: View, finding: Finding) -> str:
    item = view.by_id.get(finding.relationship_id)
    return relationship_name(item) if item is not None else table_name(finding.table)


def _applied(view: View) -> Suggestion | None:
    if view.facts.plan is None or view.facts.application is None or not view.is_applied:
        return None
    text = f"The plan was applied, {minute(view.facts.application.end_time)} UTC. What else stands here was found before that: audit again."
    return Suggestion(text=text, command=f"holdfast audit {view.name}")


def _unfinished(view: View) -> Suggestion | None:
    """What was begun and not ended comes before all else: nothing below knows what it did."""
    job = view.facts.rollback or view.facts.application
    if job is None or job.state is JobState.SUCCEEDED:
        return None
    what = job.kind.lower()
    if job.end_time is None:
        return Suggestion(text=f"The {what} has not ended yet: {job.state.lower()}.", command=f"holdfast watch {job.id}")
    text = f"The {what} ended {job.state.lower()}, {minute(job.end_time)} UTC, and what it did until then stands: go on, or roll back."
    return Suggestion(text=text, command=f"holdfast jobs show {job.id}")


def _hollow_keys(view: View) -> Suggestion | None:
    found = _subjects(view, _HOLLOW)
    if not found:
        return None
    verb = "foreign key looks valid and does not protect" if len(found) == 1 else "foreign keys look valid and do not protect"
    return Suggestion(text=f"{number(len(found))} {verb}: {_named(found)}.", command=f"holdfast findings {view.name} --severity error")


def _hidden_rows(view: View) -> Suggestion | None:
    found = _subjects(view, [FindingKind.ROWS_HIDDEN])
    if not found:
        return None
    text = f"Row security hides rows of {_named(found)} from the role that audits: what they hold is unknown."
    return Suggestion(text=text, command=f"holdfast databases check {view.name}")


def _orphan_rows(view: View) -> Suggestion | None:
    found = _standing(view, view.with_orphans, _ORPHANS)
    if not found:
        return None
    worst = [f"{relationship_name(item)} ({total([item])})" for item in found]
    verb = "row references" if sum(item.orphan_rows.value for item in found) == 1 else "rows reference"
    doubtful = sum(item.orphan_rows.value for item in view.doubtful if item.orphan_rows.is_known)
    doubt = f" {number(doubtful)} more would, if relationships for review are meant." if doubtful else ""
    return Suggestion(
        text=f"{total(found)} {verb} nothing, in {plural(len(found), 'relationship')}: {_named(worst)}.{doubt}",
        command=f"holdfast relationships {view.name} {argument(view, found[0])}",
    )


def _missing_rows(view: View) -> Suggestion | None:
    """Tell when most relationships with orphan rows reference one table: then rows may be missing there, not too many here."""
    found = _standing(view, view.with_orphans, _ORPHANS)
    by_table: dict[str, list[Relationship]] = {}
    for item in found:
        by_table.setdefault(table_name(item.referenced.table), []).append(item)
    name, pointing = max(by_table.items(), key=lambda pair: len(pair[1]), default=("", []))
    if len(pointing) < _SEVERAL or 2 * len(pointing) < len(found):
        return None
    text = (
        f"{number(len(pointing))} of these {number(len(found))} reference {_named([name])}: rows may be missing there, not too many here."
    )
    return Suggestion(text=f"{text} Ask before deleting anything.", command=f"holdfast orphans {view.name} {argument(view, pointing[0])}")


def _undeclared_keys(view: View) -> Suggestion | None:
    found = _standing(view, view.undeclared, [FindingKind.UNDECLARED_KEY])
    if not found:
        return None
    text = f"{plural(len(found), 'key is', 'keys are')} not declared: nothing stops the next orphan row."
    return Suggestion(text=text, command=_next(view))


def _next(view: View) -> str:
    """Return the command that brings declaring keys one step on."""
    if view.facts.plan is None or view.facts.application is not None:
        return f"holdfast plan {view.name}"
    match view.facts.plan.state:
        case PlanState.PROPOSED:
            return f"holdfast plans check {view.plan_id}"
        case PlanState.APPROVED:
            return f"holdfast apply {view.plan_id}"
        case _:
            return f"holdfast plan {view.name}"


def _half_keys(view: View) -> Suggestion | None:
    found = _subjects(view, _HALF)
    if not found:
        return None
    text = f"{plural(len(found), 'declared key is', 'declared keys are')} not validated or not enforced: {_named(found)}."
    return Suggestion(text=text, command=f"holdfast findings {view.name} --severity warn")


def _indexes(view: View) -> Suggestion | None:
    found = _of(view, [FindingKind.UNINDEXED_KEY])
    if not found:
        return None
    missing = plural(len(found), "index is", "indexes are")
    text = f"{missing} missing on referencing columns: every deletion of a referenced row reads the whole referencing table."
    # A plan builds those of the keys it adds or validates, and no others.
    planned = {item.id for item in view.undeclared} | {each.relationship_id for each in view.included}
    helps = any(finding.relationship_id in planned for finding in found)
    command = _next(view) if helps else f"holdfast findings {view.name} --severity warn"
    return Suggestion(text=text, command=command)


def _uncounted(view: View) -> Suggestion | None:
    found = [finding for finding in _of(view, [FindingKind.NOT_AUDITABLE]) if finding.severity > Severity.INFO]
    if not found:
        return None
    text = f"{plural(len(found), 'relationship was', 'relationships were')} not counted, so nobody knows whether rows are missing there."
    return Suggestion(text=text, command=f"holdfast findings {view.name} --severity warn")


def _others(view: View) -> Suggestion | None:
    """What hurts some day and is no rule's own business."""
    found = [finding for finding in view.open if finding.severity > Severity.INFO and finding.kind not in _SPOKEN_OF]
    if not found:
        return None
    kinds = Counter(finding.kind for finding in found)
    told = [f"{prose(kind.lower().replace('_', ' '))} ({number(count)})" for kind, count in kinds.most_common()]
    return Suggestion(text=f"Will hurt some day: {_named(told)}.", command=f"holdfast findings {view.name} --severity warn")


_RULES: tuple[Callable[[View], Suggestion | None], ...] = (
    _unfinished,
    _applied,
    _hollow_keys,
    _hidden_rows,
    _orphan_rows,
    _missing_rows,
    _undeclared_keys,
    _half_keys,
    _indexes,
    _uncounted,
    _others,
)
