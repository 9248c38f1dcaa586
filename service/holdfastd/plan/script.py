"""A plan as scripts for `psql -v ON_ERROR_STOP=1 -f`: they do what the service does, with the very SQL of the steps. Pure."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from holdfastd.names import comment, literal
from holdfastd.plan.blocks import lock_timeout, quoted
from holdfastd.plan.exclusive import TAKE_LOCK
from holdfastd.plan.model import Plan, ScriptKind, Statement
from holdfastd.plan.procedure import Act, Ask, Block, Concurrently, Guarded, Patience, Remark, Run, Together, procedure
from holdfastd.session_contract import CONTRACT, SCRIPT_SETTINGS, TRANSACTION_TIMEOUT


def render_script(plan_id: str, plan: Plan, kind: ScriptKind) -> str:
    """Return the script as text."""
    head = (comment(f"Holdfast, plan {plan_id}: {kind.lower()}"), comment(f"fingerprint {plan.fingerprint}"), *_session(kind))
    return "\n".join((*head, *_lines(procedure(plan_id, plan, kind)))) + "\n"


def _session(kind: ScriptKind) -> Iterator[str]:
    """Yield the session contract, and the lock for what changes anything; psql gives it back when it ends."""
    yield "\\set ON_ERROR_STOP on"
    for name, value in {**CONTRACT, **SCRIPT_SETTINGS}.items():
        yield f"SET {name} = {literal(value)};"
    for name, value in TRANSACTION_TIMEOUT.items():
        # Older servers do not know it; counting makes one row of none.
        known = f"FROM pg_catalog.pg_settings WHERE name = {literal(name)}"
        yield f"SELECT pg_catalog.count(pg_catalog.set_config(name, {literal(value)}, false)) AS known {known} \\gset"
    if kind is not ScriptKind.VERIFY:
        block = f"\nBEGIN\n{TAKE_LOCK}END\n"
        yield f"DO {quoted(block)};"


def _lines(acts: Iterable[Act]) -> Iterator[str]:
    for act in acts:
        match act:
            case Remark():
                yield f"\n{comment(act.text)}" if act.opens else comment(act.text)
            case Patience():
                yield f"{lock_timeout(act.policy)};"
            case Ask() | Run():
                yield f"{act.sql};"
            case Block():
                yield f"DO {quoted(act.body)};"
            case Together():
                yield from ("BEGIN;", *_statements(act.statements), "COMMIT;")
            case Concurrently():
                yield from _statements((act.statement,))
            case Guarded():
                yield from (f"SELECT {act.condition} AS todo \\gset", "\\if :todo", *_lines(act.acts), "\\endif")
            case _:
                assert_never(act)


def _statements(statements: Iterable[Statement]) -> Iterator[str]:
    for statement in statements:
        for lock in statement.locks:
            yield comment(f"locks {lock.table}: {lock.level}")
        yield f"{statement.sql};"
