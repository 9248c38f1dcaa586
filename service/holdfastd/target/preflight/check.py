"""One thing that was checked: what it may say, and the words that all checks share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from holdfastd.errors import Reason
from holdfastd.names import TableName, identifier, identifiers, qualified

#: Names shown in a sentence, and named in a GRANT.
_SHOWN = 5
_NAMED = 20


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "PASSED"
    WARNING = "WARNING"
    BLOCKS_APPLICATION = "BLOCKS_APPLICATION"
    #: Audits are incomplete or impossible, and so are applications.
    BLOCKS_AUDIT = "BLOCKS_AUDIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked."""

    #: Stable name.
    id: str
    outcome: Outcome
    #: What was seen, in words.
    message: str
    #: What to do about it; empty when passed.
    cure: str = ""
    #: Why an application is refused, when it is.
    reason: Reason | None = None
    #: The changing parts of a refusal.
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Tell whether there is nothing to do."""
        return self.outcome is Outcome.PASSED

    @property
    def is_in_the_way(self) -> bool:
        """Tell whether an application is refused."""
        return self.outcome in (Outcome.BLOCKS_APPLICATION, Outcome.BLOCKS_AUDIT)


def passed(name: str, message: str) -> Check:
    """Return a check without anything to do."""
    return Check(id=name, outcome=Outcome.PASSED, message=message)


def warning(name: str, message: str, cure: str) -> Check:
    """Return a check that refuses nothing, but is worth a look first."""
    return Check(id=name, outcome=Outcome.WARNING, message=message, cure=cure)


def untold(name: str, why: str, cure: str = "") -> Check:
    """Return a check that could not be made: unknown is never fine."""
    return warning(name, f"Could not be told: {why}.", cure)


def blocks_application(name: str, reason: Reason, message: str, cure: str, facts: Mapping[str, str] | None = None) -> Check:
    """Return a check that an application is refused for."""
    outcome = Outcome.BLOCKS_APPLICATION
    return Check(id=name, outcome=outcome, message=message, cure=cure, reason=reason, facts=_facts(name, reason, cure, facts))


def blocks_audit(name: str, reason: Reason, message: str, cure: str) -> Check:
    """Return a check without which an audit lacks something."""
    outcome = Outcome.BLOCKS_AUDIT
    return Check(id=name, outcome=outcome, message=message, cure=cure, reason=reason, facts=_facts(name, reason, cure, None))


def _facts(name: str, reason: Reason, cure: str, facts: Mapping[str, str] | None) -> Mapping[str, str]:
    return {"check": name, **({"grant": cure} if reason is Reason.MISSING_PRIVILEGE else {}), **(facts or {})}


def grant(privilege: str, tables: Sequence[TableName], role: str) -> str:
    """Return the GRANT on these tables, or on all of their schemas when naming each would fill a page."""
    if len(tables) <= _NAMED:
        objects = ", ".join(map(qualified, tables))
    else:
        objects = "ALL TABLES IN SCHEMA " + identifiers(sorted({table.schema for table in tables}))
    return f"GRANT {privilege} ON {objects} TO {identifier(role)}"


def some(names: Iterable[str], noun: str) -> str:
    """Return names for a sentence, the first few of many."""
    every = list(names)
    if len(every) <= _SHOWN:
        return f"{noun} {every[0]}" if len(every) == 1 else f"{noun}s {', '.join(every)}"
    return f"{len(every)} {noun}s, among them {', '.join(every[:_SHOWN])}"


def few(items: Iterable[str], separator: str = ", ") -> str:
    """Return items one after the other, the first few of many."""
    every = list(items)
    rest = f"{separator}and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return separator.join(every[:_SHOWN]) + rest


def duration(seconds: float) -> str:
    """Return a time span as people say it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1024 and len(units) > 1:  # noqa: PLR2004 (bytes)
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 10 or units[0] == "B" else f"{value:.1f} {units[0]}"  # noqa: PLR2004 (two digits)
