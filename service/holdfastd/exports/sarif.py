"""Findings as SARIF 2.1.0, for code scanning. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import quote

from holdfastd.exports.rules import RULES, words
from holdfastd.findings.model import Finding, FindingKind, Ignored, Severity
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName, readable
from holdfastd.report.facts import Facts

_Json = Mapping[str, object]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "note"}
#: As GitHub calls them.
_PROBLEMS = {Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "recommendation"}
_KINDS = tuple(FindingKind)


def render_sarif(facts: Facts, findings: Iterable[tuple[Finding, Ignored | None]]) -> str:
    """Return the log: one run, its rules, one result per finding; ignored ones are suppressed."""
    relationships = {relationship.id: relationship for relationship in facts.relationships}
    run = {
        "tool": {"driver": {"name": "holdfast", "fullName": "Holdfast", "rules": [_rule(kind) for kind in _KINDS]}},
        # Results of another database replace none of this one's.
        "automationDetails": {"id": f"holdfast/{facts.subject.name}/"},
        "invocations": [
            {"executionSuccessful": True, "startTimeUtc": _time(facts.create_time), "endTimeUtc": _time(facts.end_time)},
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(facts, finding, ignored, relationships.get(finding.relationship_id)) for finding, ignored in findings],
        "properties": {
            "audit": facts.audit_id,
            "auditTime": _time(facts.end_time),
            "database": facts.subject.name,
            "serverVersion": facts.subject.server_version,
        },
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _rule(kind: FindingKind) -> _Json:
    rule = RULES[kind]
    page = f"docs/findings/{kind.lower()}.md of Holdfast has an example, how it is detected, how to resolve it, and false positives."
    return {
        "id": kind.lower(),
        "name": "".join(word.capitalize() for word in kind.split("_")),
        "shortDescription": {"text": f"{words(kind)}."},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": f"{rule.what}\n\n{rule.why}\n\n{page}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["database", "referential-integrity", *rule.tags], "problem.severity": _PROBLEMS[rule.severity]},
    }


def _result(facts: Facts, finding: Finding, ignored: Ignored | None, relationship: Relationship | None) -> _Json:
    result: dict[str, object] = {
        "ruleId": finding.kind.lower(),
        "ruleIndex": _KINDS.index(finding.kind),
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(facts.subject.name, finding, relationship)],
        "partialFingerprints": {
            "holdfastFindingId/v1": finding.id,
            # There is no line that GitHub could make this of.
            "primaryLocationLineHash": hashlib.sha256(finding.id.encode()).hexdigest()[:16] + ":1",
        },
        "suppressions": [] if ignored is None else [_suppression(ignored)],
        "properties": {"finding": finding.id, "severity": finding.severity.name},
    }
    if relationship is not None:
        result["relatedLocations"] = [
            {"id": 1, "message": {"text": "referenced"}, "logicalLocations": [*_table(facts.subject.name, relationship.referenced.table)]}
        ]
    return result


def _message(finding: Finding) -> str:
    text = f"{finding.message} {finding.consequence} {finding.cure}"
    # What looks like a link in a name is none.
    return text.replace("](", "\\](")


def _location(database: str, finding: Finding, relationship: Relationship | None) -> _Json:
    """Return where it is. A database has no files; code scanning wants one, so each table has a path that no file has."""
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": "/".join(map(_segment, (database, finding.table.schema, finding.table.name)))},
            "region": {"startLine": 1},
        },
        "logicalLocations": [*_table(database, finding.table), *_parts(database, finding, relationship)],
    }


def _segment(name: str) -> str:
    """Return a name as one segment of a path, whatever it is."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _table(database: str, table: TableName) -> Iterable[_Json]:
    yield {"name": table.name, "fullyQualifiedName": f"{database}.{table}", "kind": "table"}


def _parts(database: str, finding: Finding, relationship: Relationship | None) -> Iterable[_Json]:
    if relationship is not None:
        yield from _columns(database, relationship.referencing)
        if relationship.constraint_name:
            yield _part(database, finding.table, relationship.constraint_name, "constraint")
    elif finding.part:
        yield _part(database, finding.table, finding.part, "part")


def _columns(database: str, columns: ColumnSet) -> Iterable[_Json]:
    return (_part(database, columns.table, column, "column") for column in columns.columns)


def _part(database: str, table: TableName, name: str, kind: str) -> _Json:
    return {"name": name, "fullyQualifiedName": f"{database}.{table}.{readable(name)}", "kind": kind}


def _suppression(ignored: Ignored) -> _Json:
    until = {} if ignored.expire_time is None else {"until": _time(ignored.expire_time)}
    return {
        "kind": "external",
        "status": "accepted",
        "justification": ignored.reason,
        "properties": {"by": ignored.principal, "at": _time(ignored.create_time), **until},
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
