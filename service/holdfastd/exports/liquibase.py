"""A plan as a Liquibase changelog in formatted SQL. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from holdfastd.exports.plain import Plain, plain_statements
from holdfastd.exports.sql_text import said, written
from holdfastd.exports.words import no_predecessor, plan_of, stem, summary
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts


def render_liquibase(facts: Facts, after: str) -> Mapping[str, str]:
    """Return the changelog: one changeset, so that a run that broke off begins again in a session of its own, and skips what is done."""
    no_predecessor(after, "Liquibase runs changesets in the order of the changelog")
    found = plan_of(facts)
    forward = plain_statements(found.id, found.plan, ScriptKind.FORWARD)
    rollback = plain_statements(found.id, found.plan, ScriptKind.ROLLBACK)
    end = _end(" ".join(each for statement in (*forward, *rollback) for each in (statement.sql, statement.escaped)))
    attributes = f"runInTransaction:false splitStatements:true stripComments:false endDelimiter:{end} rollbackEndDelimiter:{end}"
    lines = (
        "--liquibase formatted sql",
        "",
        f"--changeset holdfast:{found.id} {attributes}",
        *(said(line) for line in summary(facts)),
        *_lines(forward, end),
        "",
        # Liquibase joins the lines of a rollback: each statement is one.
        *(f"--rollback {statement.escaped} {end}" for statement in rollback),
    )
    return {f"{stem(facts)}.sql": "\n".join(lines) + "\n"}


def _lines(statements: Sequence[Plain], end: str) -> Iterator[str]:
    for statement in statements:
        yield ""
        yield from (said(remark) for remark in statement.remarks)
        yield written(statement)
        yield end


def _end(text: str) -> str:
    """Return what ends a statement and is in none."""
    return next(each for number in range(2, len(text) + 3) if (each := "@" * number) not in text)
