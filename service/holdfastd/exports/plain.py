"""A plan as plain SQL statements, for whatever runs them one by one, in autocommit and in one session. Pure.

What psql's scripts leave to psql, a DO block decides. An index cannot be built or dropped in one, so

- it is built IF NOT EXISTS, and looked at afterwards,
- it is dropped under a name that only a block gives it, and only when it is to go; renaming blocks nobody.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfastd.exports.inert import as_escaped_block, with_escaped_names
from holdfastd.names import TableName, fit, identifier, literal, qualified
from holdfastd.plan.blocks import lock_timeout, quoted
from holdfastd.plan.exclusive import GIVE_LOCK_BACK, TAKE_LOCK
from holdfastd.plan.model import Plan, ScriptKind
from holdfastd.plan.procedure import Act, Ask, Block, Concurrently, Guarded, Patience, Remark, Run, Together, procedure
from holdfastd.session_contract import CONTRACT, SCRIPT_SETTINGS, TRANSACTION_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One statement, without a semicolon at its end."""

    text: str
    #: Text is the body of a DO block.
    is_block: bool = False
    #: What to say above it.
    remarks: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The statement as people read it."""
        return f"DO {quoted(self.text)}" if self.is_block else self.text

    @property
    def escaped(self) -> str:
        """The same statement in printable characters on one line."""
        return as_escaped_block(self.text) if self.is_block else with_escaped_names(self.text)


def plain_statements(plan_id: str, plan: Plan, kind: ScriptKind) -> tuple[Plain, ...]:
    """Return what a script does; the session's settings are as before in the end."""
    return (_begin_session(), *_told(_statements(plan_id, procedure(plan_id, plan, kind), ())), _end_session())


def _told(statements: Iterable[Plain | Remark]) -> Iterator[Plain]:
    """Yield the statements, with the remarks before each."""
    remarks: list[str] = []
    for item in statements:
        if isinstance(item, Remark):
            remarks.append(item.text)
        else:
            yield Plain(text=item.text, is_block=item.is_block, remarks=tuple(remarks))
            remarks.clear()


def _statements(plan_id: str, acts: Iterable[Act], conditions: tuple[str, ...]) -> Iterator[Plain | Remark]:
    """Yield what does the acts while all conditions hold."""
    waiting: list[Act] = []
    for act in acts:
        if isinstance(act, Concurrently) or (isinstance(act, Guarded) and _holds_concurrent(act)):
            # It is patient by itself.
            yield from _block(waiting[:-1] if waiting and isinstance(waiting[-1], Patience) else waiting, conditions)
            waiting.clear()
            if isinstance(act, Guarded):
                yield from _statements(plan_id, act.acts, (*conditions, act.condition))
            else:
                yield from _index(plan_id, act, conditions)
        elif conditions:
            waiting.append(act)
        else:
            yield from _alone(act)
    yield from _block(waiting, conditions)


def _holds_concurrent(act: Guarded) -> bool:
    return any(isinstance(each, Concurrently) or (isinstance(each, Guarded) and _holds_concurrent(each)) for each in act.acts)


def _alone(act: Act) -> Iterator[Plain | Remark]:
    """Yield one act that depends on nothing."""
    match act:
        case Remark():
            yield act
        case Patience():
            yield Plain(text=lock_timeout(act.policy))
        case Run():
            yield Plain(text=act.sql)
        case Block():
            yield Plain(text=act.body, is_block=True)
        case Guarded():
            yield from _block(act.acts, (act.condition,))
        case _:
            yield from _block((act,), ())


def _block(acts: Sequence[Act], conditions: tuple[str, ...]) -> Iterator[Plain | Remark]:
    """Yield one DO block; nothing when no act does anything."""
    yield from _remarks(acts)
    if all(isinstance(act, Patience | Remark | Ask) for act in acts):
        return
    guarded = Guarded(conditions[-1], tuple(acts)) if conditions else None
    for condition in reversed(conditions[:-1]):
        guarded = Guarded(condition, (guarded,) if guarded else ())
    lines = _lines((guarded,) if guarded else acts, "  ")
    yield Plain(text="\n".join(("\nBEGIN", *lines, "END\n")), is_block=True)


def _remarks(acts: Iterable[Act]) -> Iterator[Remark]:
    for act in acts:
        match act:
            case Remark():
                yield act
            case Guarded():
                yield from _remarks(act.acts)
            case Together():
                yield from (Remark(f"locks {lock.table}: {lock.level}") for statement in act.statements for lock in statement.locks)
            case _:
                pass


def _lines(acts: Iterable[Act], margin: str) -> Iterator[str]:
    """Yield PL/pgSQL. It commits where psql's script would, so that no lock is held for longer.

    Only first lines get a margin: a later one may be in the middle of a name.
    """
    for act in acts:
        match act:
            case Patience():
                yield f"{margin}{lock_timeout(act.policy)};"
            case Run():
                yield from (f"{margin}{act.sql};", f"{margin}COMMIT;")
            case Block():
                yield f"{margin}DO {quoted(act.body)};"
            case Together():
                yield from (f"{margin}{statement.sql};" for statement in act.statements)
                yield f"{margin}COMMIT;"
            case Guarded():
                yield from (f"{margin}IF {act.condition} THEN", *_lines(act.acts, margin + "  "), f"{margin}END IF;")
            case _:
                pass


def _index(plan_id: str, act: Concurrently, conditions: tuple[str, ...]) -> Iterator[Plain | Remark]:
    yield from (Remark(f"locks {lock.table}: {lock.level}") for lock in act.statement.locks)
    step = act.step
    table = step.table
    if table is None:
        message = f"step {step.number} builds an index of no table"
        raise ValueError(message)
    if act.builds:
        yield Plain(text=lock_timeout(act.statement.lock_policy))
        yield Plain(text=act.statement.sql.replace("CREATE INDEX CONCURRENTLY", "CREATE INDEX CONCURRENTLY IF NOT EXISTS", 1))
        complaint = f"RAISE EXCEPTION 'index % is not as planned: see what else has its name', {literal(step.object_name)};"
        yield Plain(text=f"\nBEGIN\n  IF NOT ({step.done_when}) THEN\n    {complaint}\n  END IF;\nEND\n", is_block=True)
        return
    doomed = fit("holdfast_drop", plan_id, str(step.number))
    index = qualified(TableName(table.schema, step.object_name))
    # Inside the block, where it is renamed only if it is to go.
    yield from _block((Patience(act.statement.lock_policy), Run(f"ALTER INDEX {index} RENAME TO {identifier(doomed)}")), conditions)
    yield Plain(text=lock_timeout(act.statement.lock_policy))
    yield Plain(text=f"DROP INDEX CONCURRENTLY IF EXISTS {qualified(TableName(table.schema, doomed))}")


def _begin_session() -> Plain:
    """Return the statement that sets the session contract and takes the lock.

    It remembers what was set before, the first time if it is run again.

    Older servers do not know all of the settings.
    """
    wanted = {**CONTRACT, **SCRIPT_SETTINGS, **TRANSACTION_TIMEOUT, "standard_conforming_strings": "on"}
    values = ",\n    ".join(f"({literal(name)}, {literal(value)})" for name, value in wanted.items())
    body = f"""
DECLARE
  wanted record;
BEGIN
  IF coalesce(pg_catalog.current_setting('holdfast.before', true), '') = '' THEN
    PERFORM pg_catalog.set_config('holdfast.before', '{{}}', false);
  END IF;
  FOR wanted IN SELECT chosen.name, chosen.value FROM (VALUES
    {values}
  ) AS chosen (name, value) WHERE EXISTS (SELECT FROM pg_catalog.pg_settings AS known WHERE pg_catalog.lower(known.name) = chosen.name)
  LOOP
    PERFORM pg_catalog.set_config('holdfast.before', (pg_catalog.jsonb_build_object(wanted.name, pg_catalog.current_setting(wanted.name))
      || pg_catalog.current_setting('holdfast.before')::pg_catalog.jsonb)::pg_catalog.text, false);
    PERFORM pg_catalog.set_config(wanted.name, wanted.value, false);
  END LOOP;
{TAKE_LOCK}END
"""
    return Plain(text=body, is_block=True, remarks=("The session's settings, put back at the end, and the lock that keeps others out.",))


def _end_session() -> Plain:
    """Return the statement that gives the lock back and sets what was set before."""
    body = f"""
BEGIN
{GIVE_LOCK_BACK}  PERFORM pg_catalog.set_config(before.key, before.value, false)
    FROM pg_catalog.jsonb_each_text(pg_catalog.current_setting('holdfast.before')::pg_catalog.jsonb) AS before;
  PERFORM pg_catalog.set_config('holdfast.before', '', false);
END
"""
    return Plain(text=body, is_block=True, remarks=("The settings as they were.",))
