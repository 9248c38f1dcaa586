"""Rows as a cleanup would leave them, as SQL, and what would forbid them: asked of the rows as they are, without trying. Pure.

In come a table, its rules, and new values for the rows that a condition on `referencing` names; out go questions, each a query that
returns booleans, with half a sentence for each that says what forbids the change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfastd.catalog.model import Column, Table
from holdfastd.evidence.statements import from_only
from holdfastd.names import identifier, unused
from holdfastd.plan.obstacles import TableRules, UniqueRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New values for rows of one table."""

    table: Table
    #: Column -> SQL of its new value.
    values: Mapping[str, str]
    #: Which rows, known as `referencing`.
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query for an array of booleans, and what each of them means when it is true."""

    sql: str
    hindrances: tuple[str, ...]


def questions(change: Change, rules: TableRules) -> Iterator[Question]:
    """Yield what to ask about the rules of a table; those that a change cannot break are left out."""
    table = change.table.name
    touched = {*change.values, *_generated(change.table)}
    broken = {f"{name} of {table} accepts no NULL": f"{identifier(name)} IS NULL" for name in rules.required if name in touched}
    broken |= {f"the CHECK {name} on {table} does not allow it": f"NOT ({expression})" for name, expression in rules.checks}
    if broken:
        # One walk for all: finding the orphan rows of a large table takes its time.
        asked = ", ".join(f"pg_catalog.bool_or({condition})" for condition in broken.values())
        yield Question(sql=f"SELECT ARRAY[{asked}] FROM {_rows(change, only_changed=True)}", hindrances=tuple(broken))
    for rule in rules.uniques:
        if _is_concerned(change, rule):
            found = _overlapping(change, rule) if rule.is_exclusion else _twice(change, rule)
            yield Question(sql=f"SELECT ARRAY[{found}]", hindrances=(f"{rule.name} on {table} would meet the same key twice",))


def changed_rows(change: Change) -> str:
    """Return the changed rows as they would be, for a FROM clause."""
    return _rows(change, only_changed=True)


def _is_concerned(change: Change, rule: UniqueRule) -> bool:
    """Tell whether a change may break a rule: NULL in one of its columns lets a row pass, unless NULLs count as equal."""
    # PostgreSQL quotes names only where it must.
    changed = [name.replace('"', '""') for name in (*change.values, *_generated(change.table))]
    nulled = [spelled for name, value in change.values.items() if value == "NULL" for spelled in (name, identifier(name))]
    if not rule.nulls_not_distinct and any(expression in nulled for expression in rule.expressions):
        return False
    return any(name in text for name in changed for text in (*rule.expressions, rule.predicate))


def _twice(change: Change, rule: UniqueRule) -> str:
    keys = ", ".join(f"key_{number}" for number in range(len(rule.expressions)))
    given = "" if rule.nulls_not_distinct else f" WHERE ({keys}) IS NOT NULL"
    grouped = f"GROUP BY {keys} HAVING pg_catalog.count(*) > 1 AND pg_catalog.bool_or(is_changed)"
    return f"EXISTS (SELECT FROM {_keys(change, rule)}{given} {grouped})"


def _overlapping(change: Change, rule: UniqueRule) -> str:
    equal = " AND ".join(f"one.key_{number} {operator} other.key_{number}" for number, operator in enumerate(rule.operators))
    return (
        f"EXISTS (SELECT FROM {_keys(change, rule, name='one')} JOIN {_keys(change, rule, name='other')}"
        f" ON one.is_changed AND one.address <> other.address AND {equal})"
    )


def _keys(change: Change, rule: UniqueRule, *, name: str = "keyed") -> str:
    """Return all rows of the table after the change, as the columns of a rule."""
    numbered = ", ".join(f"{expression} AS key_{number}" for number, expression in enumerate(rule.expressions))
    address, is_changed = _own_names(change.table)
    where = f" WHERE {rule.predicate}" if rule.predicate else ""
    rows = _rows(change, only_changed=False)
    return f"(SELECT {numbered}, {address} AS address, {is_changed} AS is_changed FROM {rows}{where}) AS {name}"


def _rows(change: Change, *, only_changed: bool) -> str:
    """Return rows after the change under the name of their table; generated columns compute themselves from the others."""
    table = change.table
    address, is_changed = _own_names(table)
    name = identifier(table.name.name)
    plain = ", ".join(_value(change, column) for column in table.columns if not column.generated)
    found = (
        f"(SELECT referencing.*, referencing.ctid AS {address}, coalesce({change.condition}, false) AS {is_changed}"
        f" FROM {from_only(table)} AS referencing{f' WHERE {change.condition}' if only_changed else ''} OFFSET 0) AS present"
    )
    given = f"(SELECT {plain}, present.{address}, present.{is_changed} FROM {found}) AS {name}"
    generated = [f"({column.default}) AS {identifier(column.name)}" for column in table.columns if column.generated]
    return f"(SELECT {', '.join(('*', *generated))} FROM {given}) AS {name}" if generated else given


def _value(change: Change, column: Column) -> str:
    name = identifier(column.name)
    if column.name not in change.values:
        return f"present.{name}"
    # Of the type below a domain: what the domain itself asks for is another question.
    base = f"{identifier(column.type.base_schema)}.{identifier(column.type.base_name)}"
    _, is_changed = _own_names(change.table)
    return f"CASE WHEN present.{is_changed} THEN {change.values[column.name]}::{base} ELSE present.{name} END AS {name}"


def _generated(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column.generated)


def _own_names(table: Table) -> tuple[str, str]:
    taken = [column.name for column in table.columns]
    return identifier(unused("row_address", taken)), identifier(unused("is_changed", taken))
