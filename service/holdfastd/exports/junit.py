"""Findings as JUnit XML, for build servers. Pure.

A suite per table: a test case per finding about it, and one that passes for every relationship without a finding, so that the total
says how much was looked at. WARN and ERROR fail, INFO passes and says what was found, what is ignored is skipped.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from xml.etree import ElementTree as ET

from holdfastd.exports.rules import words
from holdfastd.findings.model import Finding, Ignored, Severity
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName
from holdfastd.report.facts import Facts

_Found = tuple[Finding, Ignored | None]

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(facts: Facts, findings: Sequence[_Found]) -> str:
    """Return the document."""
    by_table: dict[TableName, list[_Found]] = {}
    for found in findings:
        by_table.setdefault(found[0].table, []).append(found)
    told = {finding.relationship_id for finding, _ in findings}
    fine: dict[TableName, list[Relationship]] = {}
    for relationship in facts.relationships:
        if relationship.id not in told:
            fine.setdefault(relationship.referencing.table, []).append(relationship)
    root = ET.Element("testsuites", name=f"holdfast {facts.subject.name}")
    for table in sorted({*by_table, *fine, *(outline.name for outline in facts.tables)}):
        root.append(_suite(facts, table, by_table.get(table, ()), fine.get(table, ())))
    for counted in ("tests", "failures", "errors", "skipped"):
        root.set(counted, str(sum(int(suite.get(counted, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(facts: Facts, table: TableName, findings: Iterable[_Found], fine: Iterable[Relationship]) -> ET.Element:
    class_name = f"{facts.subject.name}.{table}"
    cases = [*chain((_case(class_name, *found) for found in findings), (_passed(class_name, relationship) for relationship in fine))]
    if not cases:
        cases = [_element("testcase", name="No finding", classname=class_name, time="0")]
    suite = _element("testsuite", name=str(table), timestamp=_time(facts.end_time), time="0", tests=str(len(cases)), errors="0")
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    properties = _element("properties")
    for name, value in (("database", facts.subject.name), ("audit", facts.audit_id), ("server_version", facts.subject.server_version)):
        properties.append(_element("property", name=name, value=value))
    suite.append(properties)
    suite.extend(cases)
    return suite


def _case(class_name: str, finding: Finding, ignored: Ignored | None) -> ET.Element:
    about = finding.relationship_id or finding.part or str(finding.table)
    case = _element("testcase", name=f"{words(finding.kind)}: {about}", classname=class_name, time="0")
    if ignored is not None:
        case.append(_element("skipped", message=f"ignored by {ignored.principal}: {ignored.reason}"))
    elif finding.severity is Severity.INFO:
        case.append(_element("system-out", _text(finding)))
    else:
        message = f"{finding.severity.name}: {finding.message}"
        case.append(_element("failure", _text(finding), type=finding.kind.value, message=message))
    return case


def _passed(class_name: str, relationship: Relationship) -> ET.Element:
    return _element("testcase", name=f"No finding: {relationship.id}", classname=class_name, time="0")


def _text(finding: Finding) -> str:
    return f"{finding.message}\n{finding.consequence}\n{finding.cure}\n{finding.id}"


def _element(tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Return an element; what XML 1.0 cannot hold is replaced."""
    element = ET.Element(tag, {name: _legal(value) for name, value in attributes.items()})
    element.text = None if text is None else _legal(text)
    return element


def _legal(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
