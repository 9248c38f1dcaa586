"""Where an exported schema comes from, in sentences for its head. Pure."""

from collections.abc import Iterator

from holdfastd.exports.corrected import Corrected
from holdfastd.report.facts import Facts


def provenance(facts: Facts, corrected: Corrected) -> Iterator[str]:
    """Yield lines without the marks of a comment."""
    yield f"{facts.subject.name}, audit {facts.audit_id}: {_count(len(corrected.tables), 'table')}."
    if facts.plan is None:
        yield "As the database is: there is no plan."
        return
    added = f"{_count(len(corrected.new_keys), 'foreign key')} and {_count(len(corrected.new_indexes), 'index', 'indexes')}"
    yield f"As it is once plan {facts.plan.id} is applied, which adds {added}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
