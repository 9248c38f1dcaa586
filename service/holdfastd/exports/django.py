"""A plan as a Django migration. Pure."""

import re
from collections.abc import Mapping

from holdfastd.errors import InvalidField
from holdfastd.exports.plain import plain_statements
from holdfastd.exports.python_source import docstring, statement_list
from holdfastd.exports.words import plan_of, stem, summary
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts

_MIGRATION = re.compile(r"(?P<app>[A-Za-z_]\w{0,99})\.(?P<name>(?P<number>\d{0,8})\w{1,90})\Z", re.ASCII)

_BODY = """

class Migration(migrations.Migration):
    # Some statements cannot share a transaction, and none may hold its locks for longer.
    atomic = False
    dependencies = [{dependency}]
    # The models are as they were: what a foreign key in the database does, on_delete of the model does already, or should.
    operations = [migrations.RunSQL(FORWARD, reverse_sql=ROLLBACK, elidable=False)]
"""


def render_django(facts: Facts, after: str) -> Mapping[str, str]:
    """Return the migration. `after`: the one it follows, as `app.0007_name`; empty: none."""
    previous = _MIGRATION.match(after)
    if after and previous is None:
        message = "after is not a Django migration; write app.0007_name, as `python manage.py showmigrations` lists them."
        raise InvalidField("after", message)
    found = plan_of(facts)
    number = int(previous["number"] or 0) + 1 if previous else 1
    dependency = repr((previous["app"], previous["name"])) if previous else ""
    lines = (
        docstring(summary(facts)),
        "",
        "from django.db import migrations",
        "",
        *statement_list("FORWARD", plain_statements(found.id, found.plan, ScriptKind.FORWARD)),
        "",
        *statement_list("ROLLBACK", plain_statements(found.id, found.plan, ScriptKind.ROLLBACK)),
    )
    return {f"{number:04}_{stem(facts)}.py": "\n".join(lines) + "\n" + _BODY.format(dependency=dependency)}
