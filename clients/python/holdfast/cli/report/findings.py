"""The report's findings: by severity, then by kind, each with its cure. Orphan rows and undeclared keys have tables of their own."""

import re
from collections.abc import Iterator

from holdfast.cli.render.words import prose, word
from holdfast.cli.report.blocks import Block, Code, Heading, Items, Line, Paragraph, Run
from holdfast.cli.report.gather import Facts
from holdfast.cli.report.more import more
from holdfast.v1.core_pb2 import (
    FINDING_KIND_NOT_AUDITABLE,
    FINDING_KIND_ORPHAN_ROWS,
    FINDING_KIND_UNDECLARED_KEY,
    Finding,
    FindingKind,
    Severity,
)

_ELSEWHERE = (FINDING_KIND_ORPHAN_ROWS, FINDING_KIND_UNDECLARED_KEY, FINDING_KIND_NOT_AUDITABLE)
_PER_KIND = 8
_UNPRINTABLE = " (A name in it holds characters that are not shown here; -o json has them.)"
_MEANING: dict[int, str] = {
    Severity.SEVERITY_ERROR: "Hurts now",
    Severity.SEVERITY_WARN: "Will hurt some day",
    Severity.SEVERITY_INFO: "Good to know",
}
_NAME = r'"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")?'
_LIST = rf"\((?:[^()\"]|{_NAME})*\)"
#: Statements inside a sentence: keywords, quoted names, lists in brackets. One that ends in any other word goes on, with words that
#: could be the sentence's own: it stays part of the sentence.
_STATEMENT = re.compile(
    r"\b(?:ALTER|CREATE|DROP|REINDEX|GRANT|VACUUM|ANALYZE)"
    rf"(?: (?:[A-Z]{{2,}}|{_NAME}|{_LIST}))*"
    rf" (?:{_NAME}|{_LIST}|ALL|ENFORCED|NULL|CASCADE|RESTRICT)"
    r"(?=[.,;:)]|$| [a-z])"
)


def standing(facts: Facts) -> Iterator[Block]:
    """Return the findings that stand, the worst first."""
    kinds: dict[tuple[int, int], list[Finding]] = {}
    for finding in facts.open:
        if finding.kind not in _ELSEWHERE:
            kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    if not kinds:
        return
    yield Heading(2, "Further findings")
    severity = 0
    for (of_severity, kind), found in sorted(kinds.items(), key=lambda pair: (-pair[0][0], -len(pair[1]))):
        if of_severity != severity:
            severity = of_severity
            yield Heading(3, f"{_MEANING.get(severity, '')} ({word(Severity, severity)})".strip())
        yield Heading(4, f"{word(FindingKind, kind).capitalize()} ({len(found)})")
        yield from _of_kind(facts, found)


def _of_kind(facts: Facts, found: list[Finding]) -> Iterator[Block]:
    consequences = list(dict.fromkeys(finding.consequence for finding in found))
    if len(consequences) == 1:
        yield Paragraph(prose(consequences[0]))
    cures = list(dict.fromkeys(finding.cure for finding in found))
    shared = len(cures) == 1 and len(found) > 1
    yield Items([_line(finding, with_cure=not shared) for finding in found[:_PER_KIND]])
    if shared:
        yield Paragraph(("→ ", *with_code(cures[0])))
    least = word(Severity, found[0].severity).lower()
    yield from more(len(found) - _PER_KIND, "of this kind", f"holdfast findings {facts.name} --severity {least}")


def _line(finding: Finding, *, with_cure: bool) -> Line:
    return (prose(finding.message), *((" → ", *with_code(finding.cure)) if with_cure and finding.cure else ()))


def with_code(sentence: str) -> tuple[Run, ...]:
    """Return a sentence with its SQL set apart, names as they are: it will be copied."""
    parts: list[Run] = []
    end = 0
    for match in _STATEMENT.finditer(sentence):
        if '"' in match[0] and match[0].isprintable():
            parts += [prose(sentence[end : match.start()]), Code(match[0])]
            end = match.end()
    return (*parts, prose(sentence[end:]), "" if sentence.isprintable() else _UNPRINTABLE)
