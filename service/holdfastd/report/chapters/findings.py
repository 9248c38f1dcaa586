"""All other findings: by severity, then by kind, each with its cure. Orphan rows and undeclared keys have chapters of their own. Pure."""

import re
from collections.abc import Iterator

from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.report.blocks import Block, Code, Heading, Items, Line, Paragraph, Run
from holdfastd.report.chapters.capped import more
from holdfastd.report.view import View
from holdfastd.report.words import number, prose

_ELSEWHERE = (FindingKind.ORPHAN_ROWS, FindingKind.UNDECLARED_KEY, FindingKind.NOT_AUDITABLE)
_PER_KIND = 8
_UNPRINTABLE = " (A name in it holds characters that are not shown here; -o json has them.)"
_MEANING = {Severity.ERROR: "Hurts now", Severity.WARN: "Will hurt some day", Severity.INFO: "Good to know"}
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


def findings(view: View) -> Iterator[Block]:
    """Yield the findings that stand, the worst first."""
    # The plan builds them, and another chapter lists them.
    planned = {each.relationship_id for each in view.included if each.index_name}
    kinds: dict[tuple[Severity, FindingKind], list[Finding]] = {}
    for finding in view.open:
        if finding.kind not in _ELSEWHERE and not (finding.kind is FindingKind.UNINDEXED_KEY and finding.relationship_id in planned):
            kinds.setdefault((finding.severity, finding.kind), []).append(finding)
    severity: Severity | None = None
    for (of_severity, kind), found in sorted(kinds.items(), key=lambda pair: (-pair[0][0], -len(pair[1]))):
        if of_severity is not severity:
            severity = of_severity
            yield Heading(3, f"{_MEANING[severity]} ({severity.name})")
        yield Heading(4, f"{kind.replace('_', ' ').capitalize()} ({number(len(found))})")
        yield from _of_kind(view, found)


def _of_kind(view: View, found: list[Finding]) -> Iterator[Block]:
    consequences = list(dict.fromkeys(finding.consequence for finding in found))
    if len(consequences) == 1:
        yield Paragraph(prose(consequences[0]))
    cures = list(dict.fromkeys(finding.cure for finding in found))
    shared = len(cures) == 1 and len(found) > 1
    yield Items([_line(finding, with_cure=not shared) for finding in found[:_PER_KIND]])
    if shared:
        yield Paragraph(("→ ", *with_code(cures[0])))
    if found[_PER_KIND:]:
        command = f"holdfast findings {view.name} --severity {found[0].severity.name.lower()}"
        yield Paragraph(more(len(found) - _PER_KIND, "of this kind", command))


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
