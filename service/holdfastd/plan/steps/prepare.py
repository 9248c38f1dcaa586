"""PREPARE: create schema holdfast with the ledger and the backup."""

from importlib.resources import files

from holdfastd.plan.conditions import ledger_exists
from holdfastd.plan.model import LockPolicy, Statement, Step, StepKind


def ledger_ddl() -> tuple[str, ...]:
    """Return the statements of ledger.sql, comments left out. Running them again brings an older ledger up to date."""
    text = files("holdfastd.plan").joinpath("ledger.sql").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return tuple(statement.strip() for statement in code.split("\n\n") if statement.strip())


def prepare(number: int) -> Step:
    """Return the step. Nothing undoes it: the ledger outlives what it records."""
    return Step(
        number=number,
        kind=StepKind.PREPARE,
        title="Create schema holdfast with the ledger and the backup",
        statements=tuple(Statement(sql=sql, lock_policy=LockPolicy.SHORT) for sql in ledger_ddl()),
        done_when=ledger_exists(),
    )
