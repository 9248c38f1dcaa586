"""A plan as an Alembic revision. Pure."""

import hashlib
import re
from collections.abc import Mapping

from holdfastd.errors import InvalidField
from holdfastd.exports.plain import plain_statements
from holdfastd.exports.python_source import docstring, statement_list
from holdfastd.exports.words import plan_of, stem, summary
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts

_REVISION = re.compile(r"\w{1,100}\Z", re.ASCII)

_BODY = '''

def upgrade() -> None:
    """Apply the plan."""
    _run(FORWARD)


def downgrade() -> None:
    """Undo exactly what the plan did."""
    _run(ROLLBACK)


def _run(statements: list[str]) -> None:
    """Run statements one by one, in autocommit: some cannot share a transaction, and none may hold its locks for longer."""
    *work, end_session = statements
    with op.get_context().autocommit_block():
        try:
            for statement in work:
                _execute(statement)
        except BaseException:
            # The connection may be used again; the first error is the one to be seen.
            with suppress(Exception):
                _execute(end_session)
            raise
        _execute(end_session)


def _execute(statement: str) -> None:
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(statement + ";")
    else:
        # As it is: op.execute would look for parameters in the names.
        op.get_bind().exec_driver_sql(statement, execution_options={"no_parameters": True})
'''


def render_alembic(facts: Facts, after: str) -> Mapping[str, str]:
    """Return the revision. `after`: the revision it follows; empty: it is the first."""
    if after and not _REVISION.match(after):
        message = "after is not the id of an Alembic revision; `alembic heads` prints it."
        raise InvalidField("after", message)
    found = plan_of(facts)
    revision = hashlib.sha256(found.id.encode()).hexdigest()[:12]
    about = (*summary(facts), "", f"Revision ID: {revision}", f"Revises: {after}", f"Create Date: {found.create_time:%Y-%m-%d %H:%M:%S}")
    lines = (
        docstring(line.rstrip() for line in about),
        "",
        "from contextlib import suppress",
        "",
        "from alembic import op",
        "",
        f"revision = {revision!r}",
        f"down_revision = {after or None!r}",
        "branch_labels = None",
        "depends_on = None",
        "",
        *statement_list("FORWARD", plain_statements(found.id, found.plan, ScriptKind.FORWARD)),
        "",
        *statement_list("ROLLBACK", plain_statements(found.id, found.plan, ScriptKind.ROLLBACK)),
    )
    return {f"{revision}_{stem(facts)}.py": "\n".join(lines) + "\n" + _BODY}
