"""What a plan's scripts do, act by act and in order, whoever runs them: psql, or the migrations of another tool. Pure.

Each step asks first whether it is done, so a procedure that stopped can be run again. Out go acts, which know no syntax but SQL.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfastd.names import identifier, literal
from holdfastd.plan.blocks import clean_up, put_back, refuse_inexact
from holdfastd.plan.conditions import foreign_key_exists, foreign_key_is_validated
from holdfastd.plan.lock_budgets import together
from holdfastd.plan.model import Decision, LockPolicy, Plan, ScriptKind, Statement, Step, StepKind
from holdfastd.plan.steps.foreign_key import as_planned


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say to whoever reads along; `opens` what follows."""

    text: str
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for locks from here on."""

    policy: LockPolicy


@dataclass(frozen=True, slots=True)
class Ask:
    """A query whose answer is for people."""

    sql: str


@dataclass(frozen=True, slots=True)
class Run:
    """A statement in a transaction of its own."""

    sql: str


@dataclass(frozen=True, slots=True)
class Block:
    """PL/pgSQL that may commit."""

    body: str


@dataclass(frozen=True, slots=True)
class Together:
    """Statements in one transaction."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Concurrently:
    """A statement that PostgreSQL refuses inside a transaction: the step's index is built, or dropped."""

    step: Step
    statement: Statement

    @property
    def builds(self) -> bool:
        """Tell whether the index is built."""
        return self.statement in self.step.statements


@dataclass(frozen=True, slots=True)
class Guarded:
    """Acts for when a condition holds; it is asked once, before the first."""

    condition: str
    acts: tuple["Act", ...]


Act = Remark | Patience | Ask | Run | Block | Together | Concurrently | Guarded


def procedure(plan_id: str, plan: Plan, kind: ScriptKind) -> Iterator[Act]:
    """Yield what a script does, the settings of its session aside."""
    return {
        ScriptKind.FORWARD: _forward,
        ScriptKind.VERIFY: _verify,
        ScriptKind.ROLLBACK: _rollback,
        ScriptKind.RESTORE: _restore,
    }[kind](plan_id, plan)


def _forward(plan_id: str, plan: Plan) -> Iterator[Act]:
    for step in plan.steps:
        yield Remark(f"Step {step.number}: {step.title}", opens=True)
        for hazard in step.hazards:
            yield Remark(f"{hazard.kind}: {hazard.message}")
        if step.kind is StepKind.VERIFY:
            yield from _verify(plan_id, plan)
            return
        yield Guarded(f"NOT ({step.done_when})", tuple(_step(plan_id, step)))


def _step(plan_id: str, step: Step) -> Iterator[Act]:
    if step.recipe is not None:
        yield _note(plan_id, step, "INTENT")
        yield Patience(LockPolicy.SHORT)
        yield Block(clean_up(plan_id, step, step.recipe))
        return
    if step.kind is StepKind.CREATE_INDEX and not step.statements[0].transactional:
        # There, begun and not valid: half built by a run that broke off.
        yield Guarded(f"{_begun(plan_id, step)} AND ({step.undo_when})", tuple(_statements(step, step.undo)))
    if step.kind is not StepKind.PREPARE:
        yield _note(plan_id, step, "INTENT")
    yield from _statements(step, step.statements)


def _statements(step: Step, statements: tuple[Statement, ...]) -> Iterator[Act]:
    """Yield statements under their lock policies, those that can share a transaction in one."""
    for group in together(statements):
        yield Patience(group[0].lock_policy)
        if all(statement.transactional for statement in group):
            yield Together(group)
        else:
            yield from (Concurrently(step, statement) for statement in group)


def _note(plan_id: str, step: Step, entry: str) -> Run:
    return Run(f"INSERT INTO holdfast.ledger (plan_id, step, entry) VALUES ({literal(plan_id)}, {step.number}, '{entry}')")


def _included(plan: Plan) -> list[Decision]:
    return [decision for decision in plan.decisions if decision.included]


def _verify(_: str, plan: Plan) -> Iterator[Act]:
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
    yield Ask("\nUNION ALL\n".join(rows))
    yield Block("\nBEGIN\n" + "\n".join(checks) + "\nEND\n")


def _rollback(plan_id: str, plan: Plan) -> Iterator[Act]:
    yield from _refuse_inexact(plan_id, plan)
    keys = [step for step in reversed(plan.steps) if step.kind in (StepKind.ADD_FOREIGN_KEY, StepKind.VALIDATE_FOREIGN_KEY) and step.undo]
    yield from _begin_revalidated(plan_id, plan)
    for step in keys:
        yield Remark(f"Undo step {step.number}: {step.title}", opens=True)
        yield Guarded(_begun(plan_id, step), tuple(_undo(plan_id, step, step.undo[:1], finished=len(step.undo) == 1)))
    yield from _put_back(plan_id, plan)
    indexes = [step for step in reversed(plan.steps) if step.kind is StepKind.CREATE_INDEX]
    for step in [*keys, *indexes]:
        late = step.undo if step.kind is StepKind.CREATE_INDEX else step.undo[1:]
        if late:
            adds = step.kind is not StepKind.CREATE_INDEX
            yield Remark(f"Undo step {step.number}: {step.title}", opens=True)
            yield Guarded(_begun(plan_id, step), tuple(_undo(plan_id, step, late, finished=True, adds=adds)))


def _refuse_inexact(plan_id: str, plan: Plan) -> Iterator[Act]:
    """Yield a check that fails, naming the rows, before anything is touched."""
    yield Remark("Could it be exact?", opens=True)
    yield Run("ANALYZE holdfast.ledger, holdfast.backup")
    yield Block(refuse_inexact(plan_id, plan))


def _put_back(plan_id: str, plan: Plan) -> Iterator[Act]:
    """Yield a block per cleanup, the last one first."""
    for step in reversed(plan.steps):
        if step.recipe is not None:
            yield Remark(f"Put back: {step.relationship_id}", opens=True)
            yield Patience(LockPolicy.SHORT)
            yield Block(put_back(plan_id, step, step.recipe))


def _begin_revalidated(plan_id: str, plan: Plan) -> Iterator[Act]:
    """Yield the notes that keys which were there before are about to be dropped, validated or not: they would reject rows."""
    saved = (
        "EXISTS (SELECT FROM holdfast.ledger AS entry JOIN holdfast.backup AS saved ON saved.batch = entry.id"
        f" WHERE entry.plan_id = {literal(plan_id)} AND saved.restored_by IS NULL)"
    )
    for step in plan.steps:
        if step.kind is StepKind.VALIDATE_FOREIGN_KEY and step.undo:
            yield Guarded(f"{saved} AND NOT {_begun(plan_id, step)}", (_note(plan_id, step, "INTENT"),))


def _undo(plan_id: str, step: Step, statements: tuple[Statement, ...], *, finished: bool, adds: bool = False) -> Iterator[Act]:
    """Yield the undoing of a step, unless what has its name is not what it made; `adds`: unless it is there already."""
    yield Guarded(f"{'NOT ' if adds else ''}({step.undo_when})", tuple(_statements(step, statements)))
    if finished:
        yield _note(plan_id, step, "UNDONE")


def _begun(plan_id: str, step: Step) -> str:
    return (
        f"EXISTS (SELECT FROM holdfast.ledger AS entry WHERE entry.plan_id = {literal(plan_id)} AND entry.step = {step.number}"
        " AND entry.entry = 'INTENT' AND NOT EXISTS (SELECT FROM holdfast.ledger AS later WHERE later.plan_id = entry.plan_id"
        " AND later.step = entry.step AND later.entry = 'UNDONE' AND later.id > entry.id))"
    )


def _restore(plan_id: str, plan: Plan) -> Iterator[Act]:
    """Yield what only puts rows back; it refuses while a key of the plan would reject them."""
    enforced = [
        f"  IF ({foreign_key_exists(*as_planned(decision))})"
        f" THEN RAISE EXCEPTION 'key % still rejects the rows; roll back instead', {literal(identifier(decision.constraint_name))}; END IF;"
        for decision in _included(plan)
        if any(step.recipe is not None and step.relationship_id == decision.relationship_id for step in plan.steps)
    ]
    if enforced:
        yield Remark("Would an enforced key reject the rows?", opens=True)
        yield Block("\nBEGIN\n" + "\n".join(enforced) + "\nEND\n")
    yield from _refuse_inexact(plan_id, plan)
    yield from _put_back(plan_id, plan)
