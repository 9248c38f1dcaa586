"""SARIF as its schema says it, JUnit as its readers count it; names are text in both."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Failure, JUnitXml, Skipped

from holdfastd.exports.findings import export_findings
from holdfastd.exports.model import FindingsFormat
from holdfastd.exports.rules import RULES
from holdfastd.findings.model import FindingKind, Severity
from holdfastd.names import TableName
from holdfastd.report.facts import Facts
from unit.report.documents import a_finding, community, is_ignored, relationships, some_facts

PAGES = Path(__file__).parents[3] / "docs" / "findings"
SCHEMA = Path(__file__).parents[2] / "node" / "node_modules" / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
HOSTILE = "a\"b<c>&'\x01\x0b\x1b[31m]]>\ud7ff\U0001f40e\u202e {0} [x](https://evil.example) ../.. %2e\n--"


def facts() -> Facts:
    """An audit with a finding of each severity, one ignored, and two relationships without any."""
    found = relationships(community())
    ignored = a_finding(FindingKind.UNINDEXED_KEY, found[2])
    return some_facts(
        found,
        [
            (a_finding(FindingKind.ORPHAN_ROWS, found[1], Severity.ERROR), None),
            (a_finding(FindingKind.UNINDEXED_KEY, found[1]), None),
            (ignored, is_ignored(ignored)),
            (a_finding(FindingKind.REDUNDANT_INDEX, severity=Severity.INFO, part="reports_idx"), None),
        ],
        community(),
    )


def hostile() -> Facts:
    """A finding whose table, part and sentences hold everything that means something somewhere."""
    finding = a_finding(FindingKind.REDUNDANT_INDEX, part=HOSTILE, table=TableName("..", HOSTILE), message=HOSTILE, cure=HOSTILE)
    return some_facts((), [(finding, replace(is_ignored(finding), reason=HOSTILE)), (replace(finding, part="other"), None)])


def sarif(of: Facts, minimum: Severity = Severity.INFO) -> dict[str, Any]:
    """The run of the log."""
    (text,) = export_findings(of, FindingsFormat.SARIF, minimum).values()
    (run,) = json.loads(text)["runs"]
    return dict(run)


def junit(of: Facts, minimum: Severity = Severity.INFO) -> JUnitXml:
    """The document, as build servers read it."""
    (text,) = export_findings(of, FindingsFormat.JUNIT, minimum).values()
    return JUnitXml.fromstring(text.encode())


@pytest.mark.parametrize("of", [facts(), hostile(), some_facts()], ids=["usual", "hostile", "empty"])
def test_sarif_is_as_its_schema_says(of: Facts):
    """Code scanning refuses what is not."""
    if not SCHEMA.exists():
        pytest.skip("the schema is not installed; run: make node")
    (text,) = export_findings(of, FindingsFormat.SARIF, Severity.INFO).values()
    schema = json.loads(SCHEMA.read_text())

    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.loads(text))


def test_results_say_what_so_what_and_what_to_do():
    """A result stands alone: whoever reads it in a pull request sees nothing else."""
    orphans, _, _, redundant = sarif(facts())["results"]

    assert orphans["message"]["text"] == "It is so. It stays so. Change it."
    assert (orphans["level"], redundant["level"]) == ("error", "note")
    names = [each["fullyQualifiedName"] for each in orphans["locations"][0]["logicalLocations"]]
    assert names == ["charging.public.reports", "charging.public.reports.station_id"]
    assert orphans["relatedLocations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "charging.public.stations"
    assert redundant["locations"][0]["logicalLocations"][1]["fullyQualifiedName"] == "charging.public.reports.reports_idx"


def test_every_result_names_its_rule():
    """By id and by index, and all kinds have a rule with a page of the documentation."""
    run = sarif(facts())
    rules = run["tool"]["driver"]["rules"]

    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert {rule["id"] for rule in rules} == {kind.lower() for kind in FindingKind} == {kind.lower() for kind in RULES}
    assert all(f"docs/findings/{rule['id']}.md" in rule["help"]["text"] for rule in rules)


def test_what_is_ignored_is_suppressed_with_its_reason():
    """An alert that somebody decided to live with does not come up again."""
    results = sarif(facts())["results"]

    assert [len(result["suppressions"]) for result in results] == [0, 0, 1, 0]
    (suppression,) = results[2]["suppressions"]
    assert (suppression["status"], suppression["justification"]) == ("accepted", "Nobody deletes users.")


def test_fingerprints_are_the_findings_own():
    """The same finding of two audits is one alert, and two findings are never one."""
    now, later = sarif(facts()), sarif(replace(facts(), audit_id="audit-2"))
    prints = [result["partialFingerprints"] for result in now["results"]]

    assert prints == [result["partialFingerprints"] for result in later["results"]]
    assert len({tuple(each.values()) for each in prints}) == 4
    assert prints[0]["holdfastFindingId/v1"] == "orphan_rows:public.reports(station_id)->public.stations(id)"


def test_a_hostile_table_stays_in_its_place():
    """Its path has three segments, none of them upwards, and no link in the message is one."""
    result = sarif(hostile())["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]

    assert uri.count("/") == 2
    assert ".." not in uri.split("/")
    assert "](http" not in result["message"]["text"].replace("\\](", "")


def test_only_what_is_severe_enough_is_written():
    """In both formats."""
    assert [result["level"] for result in sarif(facts(), Severity.ERROR)["results"]] == ["error"]
    assert junit(facts(), Severity.ERROR).failures == 1


def test_junit_counts_what_was_looked_at():
    """A case per finding, one that passes per relationship without a finding and per table that has neither."""
    document = junit(facts())
    cases = {(case.classname, case.name): [type(result) for result in case.result] for suite in document for case in suite}

    assert (document.tests, document.failures, document.errors, document.skipped) == (7, 2, 0, 1)
    assert cases["charging.public.reports", "Unindexed key: public.reports(user_id)->public.users(id)"] == [Skipped]
    assert cases["charging.public.reports", "Orphan rows: public.reports(station_id)->public.stations(id)"] == [Failure]
    assert cases["charging.public.reports", "Redundant index: reports_idx"] == []
    assert cases["charging.public.photos", "No finding: public.photos(report_id)->public.reports(id)"] == []
    assert cases["charging.public.users", "No finding"] == []
    for suite in document:
        assert (suite.tests, suite.failures, suite.skipped) == (
            len(list(suite)),
            sum(Failure in map(type, case.result) for case in suite),
            sum(Skipped in map(type, case.result) for case in suite),
        )


def test_a_failure_says_it_all():
    """The message is what lists show, the text what is shown when it is opened."""
    failure = next(result for suite in junit(facts()) for case in suite for result in case.result if isinstance(result, Failure))

    assert failure.type == "ORPHAN_ROWS"
    assert failure.message == "ERROR: It is so."
    assert failure.text.splitlines()[:3] == ["It is so.", "It stays so.", "Change it."]


def test_what_xml_cannot_hold_is_replaced():
    """A name with a control character must not make the whole document unreadable."""
    names = [case.name for suite in junit(hostile()) for case in suite]

    assert any("\ufffd" in name and "<c>&'" in name and "\U0001f40e" in name for name in names)


@pytest.mark.parametrize("format_", FindingsFormat)
def test_an_audit_gives_the_same_file_every_time(format_: FindingsFormat):
    """What is compared or committed does not change by itself."""
    assert export_findings(facts(), format_, Severity.INFO) == export_findings(facts(), format_, Severity.INFO)


def test_every_rule_has_a_page():
    """The help points at it."""
    assert [kind for kind in FindingKind if not (PAGES / f"{kind.lower()}.md").exists()] == []
