"""The part of the catalog that a plan depends on, as lines of text: equal lines, same plan; different lines name the drift. Pure."""

import hashlib
from collections.abc import Iterable, Iterator

from holdfastd.catalog.model import Catalog, Table
from holdfastd.names import TableName


def read_facts(catalog: Catalog, tables: Iterable[TableName], *, ours: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the facts about these tables and their partitions, sorted; without the keys and indexes that the plan makes: `ours`."""
    named = [name for name in tables if name in catalog.tables]
    known = [catalog.tables[each] for name in named for each in (name, *catalog.partitions_below(name))]
    return tuple(sorted({line for table in known for line in _lines(table, ours)}))


def fingerprint(facts: Iterable[str]) -> str:
    """Return the SHA-256 of the facts, hexadecimal."""
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def drift(expected: Iterable[str], actual: Iterable[str]) -> tuple[str, ...]:
    """Return what changed, one line per fact that is gone or new."""
    before, now = set(expected), set(actual)
    return (*(f"gone: {line}" for line in sorted(before - now)), *(f"new: {line}" for line in sorted(now - before)))


def _lines(table: Table, ours: frozenset[str]) -> Iterator[str]:
    name = table.name
    yield f"table {name}, kind {table.kind}, persistence {table.persistence}"
    if table.place is not None and table.place.parent is not None:
        yield f"partition {name} of {table.place.parent} {table.place.bound}"
    for column in table.columns:
        required = ", not null" if column.not_null else ""
        generated = f", generated {column.generated}" if column.generated else ""
        yield f"column {name}.{column.name}, number {column.number}, {column.type.formatted}{required}{generated}"
    for index in table.indexes:
        if index.name not in ours:
            yield f"index {index.name} on {name}, {'usable' if index.is_usable else 'not usable'}: {index.definition}"
    for key in table.foreign_keys:
        if key.name not in ours:
            state = "validated" if key.validated else "not validated"
            yield f"foreign key {key.name} on {name}, {state}: {key.referencing}->{key.referenced} on delete {key.on_delete}"
    for check in table.checks:
        yield f"check on {name}: {check}"
    for trigger in table.triggers:
        yield f"trigger {trigger.name} on {name}, {'enabled' if trigger.enabled else 'disabled'}: {trigger.type_bits}"
