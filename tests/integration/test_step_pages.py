"""The pages of docs/steps say what the plan of their example says. `HOLDFAST_WRITE_DOCS=1` writes them anew (`make docs`)."""

import os
import re
from pathlib import Path

import asyncpg
import pytest

from holdfastd.plan.model import Plan, Step, StepKind
from support.harness import harness
from support.postgres import Server

PAGES = Path(__file__).resolve().parents[2] / "docs/steps"
HEADINGS = ["Summary", "What it runs", "Locks", "Hazards", "If it is interrupted", "How it is undone"]
KINDS = pytest.mark.parametrize("kind", list(StepKind))
_EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```sql\n(.*?)```", re.DOTALL)
_SQL = re.compile(r"(<!-- sql: (\w+) (\w+) (\w+) -->\n```sql\n)(.*?)(```)", re.DOTALL)
_LIST = re.compile(r"(<!-- (locks|hazards): (\w+) (\w+) -->\n)((?:[|-] ?.*\n)*)")


def page(kind: StepKind) -> str:
    return (PAGES / f"{kind.lower()}.md").read_text(encoding="utf-8")


def sql_of(step: Step, direction: str) -> str:
    statements = step.statements if direction == "forward" else step.undo
    return "".join(f"{statement.sql.strip()};\n" for statement in statements)


def listed(step: Step, what: str) -> str:
    if what == "hazards":
        return "".join(f"- `{hazard.kind}`: {hazard.message}\n" for hazard in step.hazards)
    locks = {(str(lock.table), lock.level): None for statement in step.statements for lock in statement.locks}
    return "".join(f"- {level} on `{table}`\n" for table, level in locks)


@pytest.fixture(scope="module")
async def plans(postgres: Server) -> dict[str, Plan]:
    """The plans of the pages' examples."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md")))
    made = {}
    for name, sql in _EXAMPLE.findall(texts):
        dsn = await postgres.create_database()
        connection = await asyncpg.connect(dsn)
        await connection.execute(sql)
        await connection.close()
        async with harness(postgres) as replica:
            await replica.register(dsn)
            await replica.audit()
            made[name] = (await replica.plan()).plan
    return made


@KINDS
def test_every_kind_of_step_has_a_page_of_the_same_shape(kind: StepKind) -> None:
    """Whoever has read one page knows where to look on the others."""
    headings = [heading for heading in re.findall(r"^## (.*)$", page(kind), re.MULTILINE) if heading != "Example"]

    assert headings == HEADINGS


@KINDS
async def test_a_page_shows_what_the_plan_runs(kind: StepKind, plans: dict[str, Plan]) -> None:
    """SQL, locks and hazards are those of the plan for the example, to the letter."""

    def step_of(example: str, name: str) -> Step:
        return next(step for step in plans[example].steps if step.kind == name)

    before = page(kind)
    after = _SQL.sub(lambda found: found[1] + sql_of(step_of(found[2], found[3]), found[4]) + found[6], before)
    after = _LIST.sub(lambda found: found[1] + listed(step_of(found[3], found[4]), found[2]), after)
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        (PAGES / f"{kind.lower()}.md").write_text(after, encoding="utf-8")

    assert page(kind) == after
    assert _SQL.search(after)
