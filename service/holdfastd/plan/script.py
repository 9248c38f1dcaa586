"""A plan as scripts for `psql -v ON_ERROR_STOP=1 -f`: they do what the service does, with the very SQL of the steps. Pure.

Each step asks first whether it is done, so a script that stopped can be run again. A cleanup's statements are run with EXECUTE …
USING, so that their parameters stay parameters.
"""

from collections.abc import Iterator

from holdfastd.names import comment, identifier, literal
from holdfastd.plan.blocks import clean_up, lock_timeout, put_back, quoted, refuse_inexact
from holdfastd.plan.conditions import foreign_key_exists, foreign_key_is_validated
from holdfastd.plan.lock_budgets import together
from holdfastd.plan.model import Decision, LockPolicy, Plan, ScriptKind, Statement, Step, StepKind
from holdfastd.plan.steps.foreign_key import as_planned
from holdfastd.session_contract import CONTRACT, TRANSACTION_TIMEOUT

#: What the contract does not say, because the service chooses it per session.
_OWN_SETTINGS = {
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "client_min_messages": "warning",
    "application_name": "holdfast/script",
}


def render_script(plan_id: str, plan: Plan, kind: ScriptKind) -> str:
    """Return the script as text."""
    bodies = {
        ScriptKind.FORWARD: _forward,
        ScriptKind.VERIFY: _verify,
        ScriptKind.ROLLBACK: _rollback,
        ScriptKind.RESTORE: _restore,
    }
    head = (comment(f"Holdfast, plan {plan_id}: {kind.lower()}"), comment(f"fingerprint {plan.fingerprint}"), *_session())
    return "\n".join((*head, *bodies[kind](plan_id, plan))) + "\n"


def _session() -> Iterator[str]:
    """Yield the session contract."""
    yield "\\set ON_ERROR_STOP on"
    for name, value in {**CONTRACT, **_OWN_SETTINGS}.items():
        yield f"SET {name} = {literal(value)};"
    for name, value in TRANSACTION_TIMEOUT.items():
        # Older servers do not know it; counting makes one row of none.
        known = f"FROM pg_catalog.pg_settings WHERE name = {literal(name)}"
        yield f"SELECT pg_catalog.count(pg_catalog.set_config(name, {literal(value)}, false)) AS known {known} \\gset"


def _forward(plan_id: str, plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        yield f"\n{comment(f'Step {step.number}: {step.title}')}"
        for hazard in step.hazards:
            yield comment(f"{hazard.kind}: {hazard.message}")
        if step.kind is StepKind.VERIFY:
            yield from _verify(plan_id, plan)
            return
        yield from _guarded(f"NOT ({step.done_when})", _step(plan_id, step))


def _guarded(condition: str, lines: Iterator[str]) -> Iterator[str]:
    """Yield lines that psql runs only where the condition holds."""
    yield f"SELECT {condition} AS todo \\gset"
    yield "\\if :todo"
    yield from lines
    yield "\\endif"


def _step(plan_id: str, step: Step) -> Iterator[str]:
    if step.recipe is not None:
        yield _note(plan_id, step, "INTENT")
        yield lock_timeout(LockPolicy.SHORT)
        yield clean_up(plan_id, step, step.recipe)
        return
    if step.kind is StepKind.CREATE_INDEX and not step.statements[0].transactional:
        # There, begun and not valid: half built by a run that broke off.
        yield from _guarded(f"{_begun(plan_id, step)} AND ({step.undo_when})", _statements(step.undo))
    if step.kind is not StepKind.PREPARE:
        yield _note(plan_id, step, "INTENT")
    yield from _statements(step.statements)


def _statements(statements: tuple[Statement, ...]) -> Iterator[str]:
    """Yield statements under their lock policies, those that can share a transaction in one."""
    for group in together(statements):
        yield from _together(group)


def _together(statements: tuple[Statement, ...]) -> Iterator[str]:
    transactional = all(statement.transactional for statement in statements)
    yield lock_timeout(statements[0].lock_policy)
    if transactional:
        yield "BEGIN;"
    for statement in statements:
        for lock in statement.locks:
            yield comment(f"locks {lock.table}: {lock.level}")
        yield f"{statement.sql};"
    if transactional:
        yield "COMMIT;"


def _note(plan_id: str, step: Step, entry: str) -> str:
    return f"INSERT INTO holdfast.ledger (plan_id, step, entry) VALUES ({literal(plan_id)}, {step.number}, '{entry}');"


def _included(plan: Plan) -> list[Decision]:
    return [decision for decision in plan.decisions if decision.included]


def _verify(_: str, plan: Plan) -> Iterator[str]:
    """Yield one table of counts and keys, then a check that fails when something is not as planned."""
    validated = {step.relationship_id for step in plan.steps if step.kind is StepKind.VALIDATE_FOREIGN_KEY}
    rows, checks = [], []
    for decision, statement in zip(_included(plan), plan.steps[-1].statements, strict=True):
        key = as_planned(decision)
        proven = decision.relationship_id in validated
        condition = (foreign_key_is_validated if proven else foreign_key_exists)(*key)
        name = literal(decision.relationship_id)
        rows.append(f"SELECT {name} AS relationship, ({statement.sql}) AS orphan_rows, ({condition}) AS key_as_planned")
        wrong = f"NOT ({condition})" + (f" OR ({statement.sql}) > 0" if proven else "")
        checks.append(f"  IF {wrong} THEN RAISE EXCEPTION 'not as planned: %', {name}; END IF;")
    yield "\nUNION ALL\n".join(rows) + ";"
    body = "\nBEGIN\n" + "\n".join(checks) + "\nEND\n"
    yield f"DO {quoted(body)};"


def _rollback(plan_id: str, plan: Plan) -> Iterator[str]:
    yield from refuse_inexact(plan_id, plan)
    keys = [step for step in reversed(plan.steps) if step.kind in (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY) and step.undo]
    yield from _begin_revalidated(plan_id, plan)
    for step in keys:
        yield f"\n{comment(f'Undo step {step.number}: {step.title}')}"
        yield from _guarded(_begun(plan_id, step), _undo(plan_id, step, step.undo[:1], finished=len(step.undo) == 1))
    yield from put_back(plan_id, plan)
    indexes = [step for step in reversed(plan.steps) if step.kind is StepKind.CREATE_INDEX]
    for step in [*keys, *indexes]:
        late = step.undo if step.kind is StepKind.CREATE_INDEX else step.undo[1:]
        if late:
            adds = step.kind is not StepKind.CREATE_INDEX
            yield f"\n{comment(f'Undo step {step.number}: {step.title}')}"
            yield from _guarded(_begun(plan_id, step), _undo(plan_id, step, late, finished=True, adds=adds))


def _begin_revalidated(plan_id: str, plan: Plan) -> Iterator[str]:
    """Yield the notes that keys which were there before are about to be dropped, validated or not: they would reject rows."""
    saved = (
        "EXISTS (SELECT FROM holdfast.ledger AS entry JOIN holdfast.backup AS saved ON saved.batch = entry.id"
        f" WHERE entry.plan_id = {literal(plan_id)} AND saved.restored_by IS NULL)"
    )
    for step in plan.steps:
        if step.kind is StepKind.VALIDATE_FOREIGN_KEY and step.undo:
            yield from _guarded(f"{saved} AND NOT {_begun(plan_id, step)}", iter((_note(plan_id, step, "INTENT"),)))


def _undo(plan_id: str, step: Step, statements: tuple[Statement, ...], *, finished: bool, adds: bool = False) -> Iterator[str]:
    """Yield the undoing of a step, unless what has its name is not what it made; `adds`: unless it is there already."""
    yield from _guarded(f"{'NOT ' if adds else ''}({step.undo_when})", _statements(statements))
    if finished:
        yield _note(plan_id, step, "UNDONE")


def _begun(plan_id: str, step: Step) -> str:
    return (
        f"EXISTS (SELECT FROM holdfast.ledger AS entry WHERE entry.plan_id = {literal(plan_id)} AND entry.step = {step.number}"
        " AND entry.entry = 'INTENT' AND NOT EXISTS (SELECT FROM holdfast.ledger AS later WHERE later.plan_id = entry.plan_id"
        " AND later.step = entry.step AND later.entry = 'UNDONE' AND later.id > entry.id))"
    )


def _restore(plan_id: str, plan: Plan) -> Iterator[str]:
    """Yield the script that only puts rows back; it refuses while a key of the plan would reject them."""
    enforced = [
        f"  IF ({foreign_key_exists(*as_planned(decision))})"
        f" THEN RAISE EXCEPTION 'key % still rejects the rows; roll back instead', {literal(identifier(decision.constraint_name))}; END IF;"
        for decision in _included(plan)
        if any(step.recipe is not None and step.relationship_id == decision.relationship_id for step in plan.steps)
    ]
    if enforced:
        body = "\nBEGIN\n" + "\n".join(enforced) + "\nEND\n"
        yield f"\n{comment('Would an enforced key reject the rows?')}\nDO {quoted(body)};"
    yield from refuse_inexact(plan_id, plan)
    yield from put_back(plan_id, plan)
