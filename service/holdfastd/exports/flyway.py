"""A plan as a versioned Flyway migration and the undo migration that goes with it. Pure."""

from collections.abc import Iterator, Mapping

from holdfastd.exports.plain import plain_statements
from holdfastd.exports.sql_text import said, written
from holdfastd.exports.words import no_predecessor, plan_of, stem, summary, timestamp
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts

_SETTINGS = """# Some statements cannot share a transaction, and none may hold its locks for longer.
executeInTransaction=false
# Names may hold anything.
placeholderReplacement=false
"""


def render_flyway(facts: Facts, after: str) -> Mapping[str, str]:
    """Return both migrations, each with its settings."""
    no_predecessor(after, "Flyway runs migrations in the order of their versions")
    name = f"{timestamp(facts)}__{stem(facts)}.sql"
    files = {f"V{name}": ScriptKind.FORWARD, f"U{name}": ScriptKind.ROLLBACK}
    scripts = {path: "\n".join(_lines(facts, kind)) + "\n" for path, kind in files.items()}
    return {**scripts, **{f"{path}.conf": _SETTINGS for path in scripts}}


def _lines(facts: Facts, kind: ScriptKind) -> Iterator[str]:
    yield from (said(line) for line in summary(facts))
    found = plan_of(facts)
    for statement in plain_statements(found.id, found.plan, kind):
        yield ""
        yield from (said(remark) for remark in statement.remarks)
        yield f"{written(statement)};"
