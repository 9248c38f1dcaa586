"""Choosing how to count: in come the relationships of an audit, out go counts, each with its reason. Pure.

The rule: of all strategies that can count a relationship, the one of the least estimated cost. Integer keys of one table that all
choose ranges are counted in one pass. Below some ten thousand rows the planner is left alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfastd.evidence.counting.costs import COEFFICIENTS as COST
from holdfastd.evidence.counting.gap_walk import count_by_gaps
from holdfastd.evidence.counting.hash_join import count_by_hash
from holdfastd.evidence.counting.index_probes import count_by_probes
from holdfastd.evidence.counting.loose_scan import count_by_hops
from holdfastd.evidence.counting.merge_join import count_by_merge
from holdfastd.evidence.counting.model import Count, Strategy, Subject
from holdfastd.evidence.counting.range_pass import count_by_ranges
from holdfastd.names import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Relationships that one statement counts, and how."""

    subjects: tuple[Subject, ...]
    count: Count


def possible_counts(subject: Subject) -> tuple[Count, ...]:
    """Return every way in which a relationship can be counted, the plain one first."""
    others = (
        count_by_merge(subject),
        count_by_gaps(subject),
        count_by_hops(subject),
        count_by_probes(subject),
        count_by_ranges((subject,)),
    )
    return (count_by_hash(subject), *(count for count in others if count is not None))


def choose(subject: Subject) -> Count:
    """Return the way that promises to be the fastest."""
    plain = count_by_hash(subject)
    if max(subject.referencing_statistics.rows, subject.referenced_statistics.rows) < COST.least_rows:
        return plain
    return min(possible_counts(subject), key=lambda count: count.cost)


def choose_all(subjects: Iterable[Subject]) -> tuple[Choice, ...]:
    """Return the counts that together cover all relationships, the longest first, so that no connection waits for the last one."""
    choices: list[Choice] = []
    passes: dict[TableName, list[Subject]] = {}
    for subject in subjects:
        count = choose(subject)
        if count.strategy is Strategy.RANGES:
            passes.setdefault(subject.referencing.table, []).append(subject)
        else:
            choices.append(Choice(subjects=(subject,), count=count))
    choices.extend(choice for shared in passes.values() for choice in _one_pass(shared))
    return tuple(sorted(choices, key=lambda choice: -choice.count.cost))


def _one_pass(subjects: Sequence[Subject]) -> Iterable[Choice]:
    count = count_by_ranges(subjects)
    if count is not None:
        yield Choice(subjects=tuple(subjects), count=count)
