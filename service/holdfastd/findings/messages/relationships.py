"""Sentences about relationships that no foreign key declares, or could declare as things are."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, Column, Index, Table, TableKind
from holdfastd.findings.plannable import hindrance
from holdfastd.findings.words import Words, listed, numbered, sentence
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import identifier, identifiers, qualified

#: Another key is worth naming from this share of the confidence in the chosen one.
_CLOSE = 0.5


def undeclared_key(catalog: Catalog, relationship: Relationship) -> Words:
    """A relationship that no foreign key declares."""
    verb = "references" if relationship.tier is Tier.PLAN else "may reference"
    return Words(
        message=f"{relationship.referencing} {verb} {_targets(relationship)}, but no foreign key says so.",
        consequence="Nothing stops rows from referencing what is gone, and deleting a referenced row leaves orphan rows behind.",
        cure=_declaring(catalog, relationship),
    )


def undeclared_on_root(catalog: Catalog, relationship: Relationship, partitions: int) -> Words:
    """A key that each partition declares for itself, and their root does not."""
    referencing = relationship.referencing
    has = "the only partition of" if partitions == 1 else f"each of the {partitions} partitions of"
    return Words(
        message=f"A foreign key from {referencing} to {relationship.referenced} is declared on {has} it, not on the table itself.",
        consequence=f"The next partition of {referencing.table} will lack the key, and nothing will tell.",
        cure=_declaring(catalog, relationship),
    )


def type_mismatch(catalog: Catalog, relationship: Relationship) -> Words:
    """Columns whose types a foreign key cannot compare."""
    table = relationship.referencing.table
    changed = _changed(catalog, relationship)
    changes = ", ".join(_type_change(column, key) for column, key in changed)
    defaults = [identifier(column.name) for column, _ in changed if _has_default(column)]
    again = f"set the default of {listed(defaults)} again and " if defaults else ""
    return Words(
        message=sentence(relationship.obstacle),
        consequence="No foreign key can protect the relationship, and joins need a cast that no index serves.",
        cure=f"Run ALTER TABLE {qualified(table)} {changes}, then {again}audit again; it rewrites {table} and its indexes under "
        f"ACCESS EXCLUSIVE, which blocks readers and writers meanwhile, and fails while a view uses the column, and on values that "
        f"cannot be cast{_rounding(changed)}.",
    )


def referenced_not_unique(relationship: Relationship, table: Table, others: int, almost: Index | None) -> Words:
    """Referenced columns without a unique index that a key can use, though one comes near; so many other relationships want one too."""
    referencing, referenced = relationship.referencing, relationship.referenced
    subject = f"{referencing} and {numbered(others, 'other relationship')} seem" if others else f"{referencing} seems"
    first = "Remove duplicates, then run" if almost is None or almost.is_immediate else "Run"
    return Words(
        message=f"{subject} to reference {referenced}, which no usable unique index covers{_shortcoming(almost)}.",
        consequence="No foreign key can point there"
        + ("." if almost is not None and not almost.is_immediate else ", and a row may reference several rows at once."),
        cure=f"{first} {_unique_index(table, referenced.columns)}, and audit again.",
    )


def _unique_index(table: Table, columns: tuple[str, ...]) -> str:
    named = f"{qualified(table.name)} ({identifiers(columns)})"
    if table.kind is TableKind.PARTITIONED:
        return f"CREATE UNIQUE INDEX ON {named} when writes can wait, which PostgreSQL allows if the partition key is among the columns"
    return f"CREATE UNIQUE INDEX CONCURRENTLY ON {named}"


def _shortcoming(almost: Index | None) -> str:
    """Return why an index does not count, as more of the sentence."""
    if almost is None:
        return ""
    why = "invalid" if not almost.is_usable else "deferrable" if not almost.is_immediate else "partial" if almost.predicate else ""
    return f": {identifier(almost.name)} is {why}" if why else ""


def _targets(relationship: Relationship) -> str:
    close = [each.referenced for each in relationship.alternatives if each.confidence >= _CLOSE * relationship.confidence]
    return listed([relationship.referenced, *close], "or")


def _declaring(catalog: Catalog, relationship: Relationship) -> str:
    """Return how to declare a key: by a plan, or by hand where no plan can."""
    referencing, referenced, on_delete = relationship.referencing, relationship.referenced, relationship.suggested_on_delete
    reason = hindrance(catalog, relationship)
    if not reason:
        if not relationship.orphan_rows.is_known:
            return f"Audit again once its rows can be counted, then plan a foreign key with ON DELETE {on_delete}."
        plan = "Plan a foreign key" if relationship.tier is Tier.PLAN else "If the relationship is meant, include it by policy in a plan"
        return f"{plan} with ON DELETE {on_delete}. {relationship.rationale}".strip()
    if catalog.tables[referencing.table].persistence == "p" and catalog.tables[referenced.table].persistence != "p":
        return f"Run ALTER TABLE {qualified(referenced.table)} SET LOGGED, which rewrites it, then audit again: {sentence(reason)}"
    return f"Make the key possible, then audit again: {sentence(reason)}"


def _rounding(changed: Sequence[tuple[Column, Column]]) -> str:
    return "; it rounds numbers" if any(column.type.category == "N" for column, _ in changed) else ""


def _changed(catalog: Catalog, relationship: Relationship) -> list[tuple[Column, Column]]:
    """Return the referencing columns of other types than the referenced ones, each with its referenced one."""
    left, right = (catalog.tables[columns.table] for columns in (relationship.referencing, relationship.referenced))
    pairs = zip(relationship.referencing.columns, relationship.referenced.columns, strict=True)
    columns = [(left.column(name), right.column(key)) for name, key in pairs]
    return [(column, key) for column, key in columns if _differs(column, key)]


def _differs(column: Column, key: Column) -> bool:
    return (column.type.base_oid, column.collation) != (key.type.base_oid, key.collation)


def _has_default(column: Column) -> bool:
    return column.default is not None and not column.generated


def _type_change(column: Column, key: Column) -> str:
    """Return the ALTER COLUMN that gives a column the type of a key; no default is cast along."""
    name, new = identifier(column.name), key.type.formatted
    if column.type.base_oid == key.type.base_oid and key.collation is not None:
        return f"ALTER COLUMN {name} TYPE {new} COLLATE {'.'.join(identifier(part) for part in key.collation)}"
    drop = f"ALTER COLUMN {name} DROP DEFAULT, " if _has_default(column) else ""
    return f"{drop}ALTER COLUMN {name} TYPE {new} USING {name}::{new}"
