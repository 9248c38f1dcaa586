"""What to do first: in comes an audit, out come a few sentences, the most urgent first, each with the command that goes on from there."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.cli.render.words import clean, number, prose, relationship, table, word
from holdfast.cli.report.gather import Facts, is_counted
from holdfast.cli.resolve import names
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import EXACTNESS_ESTIMATED, Finding, FindingKind, Relationship, Severity

_HOLLOW = (core.FINDING_KIND_DISABLED_KEY, core.FINDING_KIND_ORPHANS_UNDER_VALID_KEY)
_HALF = (core.FINDING_KIND_NOT_VALIDATED_KEY, core.FINDING_KIND_NOT_ENFORCED_KEY)
_ORPHANS = (core.FINDING_KIND_ORPHAN_ROWS, core.FINDING_KIND_ORPHANS_UNDER_VALID_KEY)
#: Kinds that a rule below speaks of.
_SPOKEN_OF = (
    *_HOLLOW,
    *_HALF,
    *_ORPHANS,
    core.FINDING_KIND_ROWS_HIDDEN,
    core.FINDING_KIND_UNDECLARED_KEY,
    core.FINDING_KIND_UNINDEXED_KEY,
    core.FINDING_KIND_NOT_AUDITABLE,
)
NOTHING_TO_DO = "Nothing: no open finding is worse than INFO."
_NAMED = 3
_SEVERAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing to do, and the command to begin with."""

    text: str
    command: str


def first_things(facts: Facts) -> list[Todo]:
    """Return what to do, the most urgent first; empty when nothing is."""
    found = (rule(facts) for rule in _RULES)
    return [todo for todo in found if todo is not None]


def severities(facts: Facts) -> str:
    """Return how many findings there are, by severity."""
    counted = Counter(finding.severity for finding in facts.open)
    parts = [f"{number(counted[value])} {word(Severity, value)}" for value in sorted(counted, reverse=True)]
    told = plural(len(facts.open), "finding") + (f": {', '.join(parts)}" if parts else "")
    more = f"; {plural(len(facts.ignored), 'more is', 'more are')} ignored." if facts.ignored else "."
    return told + more


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def orphan_total(found: Sequence[Relationship]) -> str:
    """Return the sum of orphan rows, marked when an estimate is in it."""
    estimated = any(item.orphan_rows.exactness == EXACTNESS_ESTIMATED for item in found)
    return ("≈" if estimated else "") + number(sum(item.orphan_rows.value for item in found))


def _of(facts: Facts, kinds: Sequence[int]) -> list[Finding]:
    return [finding for finding in facts.open if finding.kind in kinds]


def _standing(facts: Facts, items: Sequence[Relationship], kinds: Sequence[int]) -> list[Relationship]:
    """Return the relationships but for those whose finding somebody decided to live with."""
    accepted = {finding.relationship_id for finding in facts.ignored if finding.kind in kinds}
    return [item for item in items if item.id not in accepted]


def _named(texts: Sequence[str]) -> str:
    # A name may hold a line break; a sentence may not.
    shown = ", ".join(texts[:_NAMED]).replace("\n", "�")
    return f"{shown} and {number(len(texts) - _NAMED)} more" if len(texts) > _NAMED else shown


def _subject(finding: Finding) -> str:
    return relationship(finding.relationship_id) if finding.relationship_id else prose(finding.table)


def _hollow_keys(facts: Facts) -> Todo | None:
    found = list(dict.fromkeys(_subject(finding) for finding in _of(facts, _HOLLOW)))
    if not found:
        return None
    verb = "foreign key looks valid and does not protect" if len(found) == 1 else "foreign keys look valid and do not protect"
    return Todo(text=f"{number(len(found))} {verb}: {_named(found)}.", command=f"holdfast findings {facts.name} --severity error")


def _hidden_rows(facts: Facts) -> Todo | None:
    found = list(dict.fromkeys(_subject(finding) for finding in _of(facts, [core.FINDING_KIND_ROWS_HIDDEN])))
    if not found:
        return None
    text = f"Row security hides rows of {_named(found)} from the role that audits: what they hold is unknown."
    return Todo(text=text, command=f"holdfast databases check {facts.name}")


def _orphan_rows(facts: Facts) -> Todo | None:
    found = _standing(facts, facts.with_orphans, _ORPHANS)
    if not found:
        return None
    worst = [f"{relationship(item.id)} ({orphan_total([item])})" for item in found]
    verb = "row references" if sum(item.orphan_rows.value for item in found) == 1 else "rows reference"
    doubtful = sum(item.orphan_rows.value for item in facts.doubtful if is_counted(item))
    doubt = f" {number(doubtful)} more would, if relationships for review are meant." if doubtful else ""
    return Todo(
        text=f"{orphan_total(found)} {verb} nothing, in {plural(len(found), 'relationship')}: {_named(worst)}.{doubt}",
        command=f"holdfast relationships {facts.name} {argument(facts, found[0])}",
    )


def _missing_rows(facts: Facts) -> Todo | None:
    """Tell when most relationships with orphan rows reference one table: then rows may be missing there, not too many here."""
    found = _standing(facts, facts.with_orphans, _ORPHANS)
    by_table: dict[str, list[Relationship]] = {}
    for item in found:
        by_table.setdefault(table(item.referenced), []).append(item)
    name, pointing = max(by_table.items(), key=lambda pair: len(pair[1]), default=("", []))
    if len(pointing) < _SEVERAL or 2 * len(pointing) < len(found):
        return None
    text = (
        f"{number(len(pointing))} of these {number(len(found))} reference {_named([name])}: rows may be missing there, not too many here."
    )
    return Todo(text=f"{text} Ask before deleting anything.", command=f"holdfast orphans {facts.name} {argument(facts, pointing[0])}")


def _undeclared_keys(facts: Facts) -> Todo | None:
    found = _standing(facts, facts.undeclared, [core.FINDING_KIND_UNDECLARED_KEY])
    if not found:
        return None
    return Todo(
        text=f"{plural(len(found), 'key is', 'keys are')} not declared: nothing stops the next orphan row.",
        command=f"holdfast plan {facts.name}",
    )


def _half_keys(facts: Facts) -> Todo | None:
    found = list(dict.fromkeys(_subject(finding) for finding in _of(facts, _HALF)))
    if not found:
        return None
    text = f"{plural(len(found), 'declared key is', 'declared keys are')} not validated or not enforced: {_named(found)}."
    return Todo(text=text, command=f"holdfast findings {facts.name} --severity warn")


def _indexes(facts: Facts) -> Todo | None:
    found = _of(facts, [core.FINDING_KIND_UNINDEXED_KEY])
    if not found:
        return None
    missing = plural(len(found), "index is", "indexes are")
    text = f"{missing} missing on referencing columns: every deletion of a referenced row reads the whole referencing table."
    command = f"holdfast plan {facts.name}" if facts.undeclared else f"holdfast findings {facts.name} --severity warn"
    return Todo(text=text, command=command)


def _uncounted(facts: Facts) -> Todo | None:
    found = [finding for finding in _of(facts, [core.FINDING_KIND_NOT_AUDITABLE]) if finding.severity > core.SEVERITY_INFO]
    if not found:
        return None
    text = f"{plural(len(found), 'relationship was', 'relationships were')} not counted, so nobody knows whether rows are missing there."
    return Todo(text=text, command=f"holdfast findings {facts.name} --severity warn")


def _others(facts: Facts) -> Todo | None:
    """What hurts some day and is no rule's own business."""
    found = [finding for finding in facts.open if finding.severity > core.SEVERITY_INFO and finding.kind not in _SPOKEN_OF]
    if not found:
        return None
    kinds = Counter(finding.kind for finding in found)
    told = [f"{word(FindingKind, kind).lower()} ({number(count)})" for kind, count in kinds.most_common()]
    return Todo(text=f"Will hurt some day: {_named(told)}.", command=f"holdfast findings {facts.name} --severity warn")


def argument(facts: Facts, item: Relationship) -> str:
    """Return the shortest name of a relationship that no other one has, quoted for a shell."""
    spellings = [name for name in names(item)[2:] if "(" not in name]
    alone = (name for name in spellings if {other.id for other in facts.relationships if name in names(other)} == {item.id})
    return shlex.quote(clean(next(alone, item.id)))


_RULES: tuple[Callable[[Facts], Todo | None], ...] = (
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
