"""The tables of a database as they are once the plan is applied. Pure.

In come the tables as they were audited and the plan made from that audit; out come tables with the keys and indexes that the plan adds,
keys that it validates, and what of them is new.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.outline import IndexOutline, KeyOutline, TableOutline
from holdfastd.errors import Reason, Refused
from holdfastd.names import TableName, identifier, identifiers, qualified
from holdfastd.plan.model import Decision, StepKind
from holdfastd.report.facts import Facts

#: A key or an index: its table and its name.
Named = tuple[TableName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """Tables after the plan, by name."""

    tables: tuple[TableOutline, ...]
    new_keys: frozenset[Named] = frozenset()
    new_indexes: frozenset[Named] = frozenset()


def correct(facts: Facts) -> Corrected:
    """Return the tables after the plan, as they are where there is none. Refused when the audit kept no tables."""
    if not facts.tables:
        message = f"Audit {facts.audit_id} holds no tables; audit {facts.subject.name} again, then plan again."
        raise Refused(message, reason=Reason.NO_AUDIT, facts={"audit": facts.audit_id})
    if facts.plan is None:
        return Corrected(tables=facts.tables)
    plan = facts.plan.plan
    decisions: dict[TableName, list[Decision]] = {}
    for decision in plan.decisions:
        if decision.included:
            decisions.setdefault(decision.referencing.table, []).append(decision)
    validated = {step.relationship_id for step in plan.steps if step.kind is StepKind.VALIDATE_FOREIGN_KEY}
    built = {(step.table, step.object_name) for step in plan.steps if step.kind is StepKind.CREATE_INDEX}
    tables = tuple(_table(table, decisions.get(table.name, ()), validated, built) for table in facts.tables)
    before, after = _named(facts.tables), _named(tables)
    return Corrected(tables=tables, new_keys=after[0] - before[0], new_indexes=after[1] - before[1])


def _table(
    table: TableOutline, decisions: Sequence[Decision], validated: Collection[str], built: Collection[tuple[TableName | None, str]]
) -> TableOutline:
    keys = {key.name: key for key in table.foreign_keys}
    indexes = {index.name: index for index in table.indexes}
    for decision in decisions:
        is_validated = decision.relationship_id in validated
        known = keys.get(decision.constraint_name)
        keys[decision.constraint_name] = replace(known, validated=True) if known and is_validated else known or _key(decision, is_validated)
        # Where partitions are indexed one by one, the root gets none.
        if (table.name, decision.index_name) in built:
            indexes[decision.index_name] = _index(decision)
    if not decisions:
        return table
    return replace(table, foreign_keys=tuple(keys.values()), indexes=tuple(indexes.values()))


def _key(decision: Decision, is_validated: bool) -> KeyOutline:  # noqa: FBT001 (named at its only caller)
    return KeyOutline(
        name=decision.constraint_name,
        referencing=decision.referencing,
        referenced=decision.referenced,
        on_delete=decision.on_delete,
        on_update=OnDelete.NO_ACTION,
        validated=is_validated,
        set_null_columns=decision.set_null_columns if decision.on_delete is OnDelete.SET_NULL else (),
    )


def _index(decision: Decision) -> IndexOutline:
    columns = decision.referencing.columns
    on = qualified(decision.referencing.table)
    return IndexOutline(
        name=decision.index_name,
        columns=columns,
        definition=f"CREATE INDEX {identifier(decision.index_name)} ON {on} USING btree ({identifiers(columns)})",
    )


def _named(tables: Sequence[TableOutline]) -> tuple[frozenset[Named], frozenset[Named]]:
    return (
        frozenset((table.name, key.name) for table in tables for key in table.foreign_keys),
        frozenset((table.name, index.name) for table in tables for index in table.indexes),
    )
