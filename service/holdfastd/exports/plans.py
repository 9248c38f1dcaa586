"""A plan in the formats of other tools."""

from collections.abc import Callable, Mapping

from holdfastd.exports.alembic import render_alembic
from holdfastd.exports.django import render_django
from holdfastd.exports.drizzle.schema import render_drizzle
from holdfastd.exports.flyway import render_flyway
from holdfastd.exports.liquibase import render_liquibase
from holdfastd.exports.model import PlanFormat
from holdfastd.exports.prisma.schema import render_prisma
from holdfastd.exports.rails import render_rails
from holdfastd.exports.sql_files import render_sql_files
from holdfastd.exports.words import no_predecessor
from holdfastd.report.facts import Facts

_Files = Mapping[str, str]


def export_plan(facts: Facts, format_: PlanFormat, after: str) -> _Files:
    """Return the files, path -> text, of the plan that the facts hold. `after`: the migration that this one follows, or nothing."""
    return _RENDERERS[format_](facts, after)


def _whole(render: Callable[[Facts], _Files]) -> Callable[[Facts, str], _Files]:
    """Return how to write a schema as it is once the plan is applied."""

    def render_after(facts: Facts, after: str) -> _Files:
        no_predecessor(after, "a whole schema follows nothing")
        return render(facts)

    return render_after


_RENDERERS: Mapping[PlanFormat, Callable[[Facts, str], _Files]] = {
    PlanFormat.SQL: render_sql_files,
    PlanFormat.ALEMBIC: render_alembic,
    PlanFormat.DJANGO: render_django,
    PlanFormat.RAILS: render_rails,
    PlanFormat.FLYWAY: render_flyway,
    PlanFormat.LIQUIBASE: render_liquibase,
    PlanFormat.DRIZZLE: _whole(render_drizzle),
    PlanFormat.PRISMA: _whole(render_prisma),
}
