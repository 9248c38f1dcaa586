"""A plan as the four scripts for psql. Pure."""

from collections.abc import Mapping

from holdfastd.exports.words import no_predecessor, plan_of, stem
from holdfastd.plan.model import ScriptKind
from holdfastd.plan.script import render_script
from holdfastd.report.facts import Facts


def render_sql_files(facts: Facts, after: str) -> Mapping[str, str]:
    """Return the scripts."""
    no_predecessor(after, "scripts know no order")
    found = plan_of(facts)
    return {f"{stem(facts)}_{kind.lower()}.sql": render_script(found.id, found.plan, kind) for kind in ScriptKind}
