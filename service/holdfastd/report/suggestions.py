"""What to do first."""

from dataclasses import dataclass

from holdfastd.report.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing to do, and the command to begin with."""

    text: str
    command: str


def suggest(facts: Facts) -> tuple[Suggestion, ...]:
    """Return what to do, the most urgent first; empty when nothing is."""
    raise NotImplementedError(facts.audit_id)


def severities(facts: Facts) -> str:
    """Return how many findings stand, by severity, in words."""
    raise NotImplementedError(facts.audit_id)
