"""The report: in comes an audit with all that it found, out comes a document that a DBA can act on, the urgent first."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from holdfast.cli.render.words import clean, lasted, minute, number, prose, readable, relationship, word
from holdfast.cli.report import findings, keys
from holdfast.cli.report.blocks import Block, Code, Document, Grid, Heading, Items, Line, Paragraph, Strong, reworded
from holdfast.cli.report.gather import Facts, is_counted
from holdfast.cli.report.more import more
from holdfast.cli.report.triage import NOTHING_TO_DO, first_things, orphan_total, plural, severities
from holdfast.v1.core_pb2 import (
    EXACTNESS_ESTIMATED,
    RELATIONSHIP_STATE_NOT_ENFORCED,
    RELATIONSHIP_STATE_NOT_VALIDATED,
    TIER_DECLARED,
    FindingKind,
    Relationship,
)

_MANY = 20


def build_report(facts: Facts) -> Document:
    """Return the whole report."""
    document = [
        Heading(1, f"Audit of {facts.name}"),
        _head(facts),
        Heading(2, "Summary"),
        Items([*_summary(facts)]),
        *_first(facts),
        *keys.orphan_rows(facts),
        *keys.undeclared(facts),
        *findings.standing(facts),
        *_uncounted(facts),
        *_ignored(facts),
        *keys.doubtful(facts),
    ]
    home = _home(facts)
    return reworded(document, lambda text: _outside(home).sub("", text)) if home else document


def _head(facts: Facts) -> Block:
    database, audit = facts.database, facts.audit
    rows: list[tuple[Line, Line]] = [
        ("Database", f"{database.database_name} on {database.host}:{database.port}, PostgreSQL {database.server_version}"),
        ("Audited", f"{minute(audit.create_time)} UTC, in {lasted(audit.create_time, audit.end_time)}, as role {database.role}"),
        ("Counted", _how_counted(facts.relationships)),
        ("Audit", (Code(audit.id),)),
    ]
    if home := _home(facts):
        rows.append(("Names", f"without a schema are of schema {home}"))
    return Grid(("", ""), rows)


def _home(facts: Facts) -> str:
    """Return the schema that goes without saying; empty when that is public, or when public would be confused with it."""
    counted = Counter(columns.schema for item in facts.relationships for columns in (item.referencing, item.referenced))
    return "" if "public" in counted or not counted else readable(counted.most_common(1)[0][0])


def _outside(home: str) -> re.Pattern[str]:
    return re.compile(rf'(?<![\w".$]){re.escape(home)}\.(?=[\w"])')


def _how_counted(found: Sequence[Relationship]) -> str:
    estimated = sum(item.orphan_rows.exactness == EXACTNESS_ESTIMATED for item in found)
    missing = sum(not is_counted(item) for item in found)
    exact = len(found) - estimated - missing
    return f"{plural(exact, 'relationship')} exactly, {number(estimated)} estimated from a sample, {number(missing)} not counted"


def _summary(facts: Facts) -> Iterator[Line]:
    declared = sum(item.tier == TIER_DECLARED for item in facts.relationships)
    doubtful = len(facts.relationships) - declared - len(facts.undeclared)
    yield (
        f"{plural(facts.audit.summary.tables, 'table')}, {plural(len(facts.relationships), 'relationship')}: "
        f"{number(declared)} declared, {number(len(facts.undeclared))} undeclared, {number(doubtful)} for review."
    )
    orphans = facts.with_orphans
    if orphans:
        tables = {(item.referencing.schema, item.referencing.table) for item in orphans}
        total = f"{orphan_total(orphans)} {'row references' if orphan_total(orphans) == '1' else 'rows reference'} nothing"
        yield Strong(total), f", in {plural(len(orphans), 'relationship')} of {plural(len(tables), 'table')}."
    else:
        yield f"No orphan row was counted{', relationships for review aside' if facts.doubtful else ''}."
    weak = sum(item.state in (RELATIONSHIP_STATE_NOT_ENFORCED, RELATIONSHIP_STATE_NOT_VALIDATED) for item in facts.relationships)
    if declared:
        yield (
            f"{number(weak)} of {plural(declared, 'declared key')} not validated or not enforced."
            if weak
            else "All declared keys are validated."
        )
    unindexed = sum(not item.indexed for item in facts.meant)
    yield f"{number(unindexed)} of {plural(len(facts.meant), 'key')}, declared or not, have no usable index."
    yield severities(facts)


def _first(facts: Facts) -> Iterator[Block]:
    todos = first_things(facts)
    yield Heading(2, "What to do first")
    if not todos:
        yield Paragraph(NOTHING_TO_DO)
        return
    yield Items([(todo.text, " ", Code(todo.command)) for todo in todos], numbered=True)


def _uncounted(facts: Facts) -> Iterator[Block]:
    if not facts.uncounted:
        return
    reasons: dict[str, list[Relationship]] = {}
    for item in facts.uncounted:
        reasons.setdefault(item.obstacle or item.orphan_rows.reason or "no reason was told", []).append(item)
    yield Heading(2, "What was not counted, and why")
    rows = [
        (prose(reason), number(len(items)), ", ".join(relationship(item.id) for item in items[:3]) + (" …" if items[3:] else ""))
        for reason, items in sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    ]
    yield Grid(("Why", "How many", "Such as"), rows[:_MANY], numbers=("How many",))
    yield from more(len(rows) - _MANY, "reasons", f"holdfast findings {facts.name}")


def _ignored(facts: Facts) -> Iterator[Block]:
    if not facts.ignored:
        return
    yield Heading(2, "Ignored")
    rows = [
        (
            f"{word(FindingKind, item.kind).lower()}: {relationship(item.relationship_id) if item.relationship_id else prose(item.table)}",
            clean(item.ignored.reason),
            clean(item.ignored.principal),
            minute(item.ignored.expire_time)[:10] if item.ignored.HasField("expire_time") else "for good",
        )
        for item in facts.ignored[:_MANY]
    ]
    yield Grid(("Finding", "Why it stays", "Who", "Until"), rows)
    yield from more(len(facts.ignored) - _MANY, "ignored findings", f"holdfast findings {facts.name} --ignored")
