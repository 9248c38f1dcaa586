"""A plan in the formats of other tools."""

from collections.abc import Mapping

from holdfastd.exports.model import PlanFormat
from holdfastd.report.facts import Facts


def export_plan(facts: Facts, format_: PlanFormat, after: str) -> Mapping[str, str]:
    """Return the files, path -> text, of the plan that the facts hold."""
    raise NotImplementedError(facts.audit_id, format_, after)
