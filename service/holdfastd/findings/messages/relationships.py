"""Sentences about relationships that no foreign key declares, or could declare as things are."""

from holdfastd.catalog.model import Catalog, Column, Index, TableKind
from holdfastd.findings.plannable import hindrance
from holdfastd.findings.words import Words, add_key_sql, listed, numbered, sentence
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
    changes = ", ".join(_type_changes(catalog, relationship))
    return Words(
        message=sentence(relationship.obstacle),
        consequence="No foreign key can protect the relationship, and joins need a cast that no index serves.",
        cure=f"Run ALTER TABLE {qualified(table)} {changes}, then audit again; it rewrites {table} and its indexes under ACCESS EXCLUSIVE, "
        f"which blocks readers and writers meanwhile, and fails on values that cannot be cast{_rounding(catalog, relationship)}.",
    )


def referenced_not_unique(relationship: Relationship, others: int, almost: Index | None) -> Words:
    """Referenced columns without a unique index that a key can use, though one comes near; so many other relationships want one too."""
    referencing, referenced = relationship.referencing, relationship.referenced
    is_sure = relationship.tier is Tier.PLAN
    if others:
        subject = f"{referencing} and {numbered(others, 'other relationship')} seem to reference"
    else:
        subject = f"{referencing} {'references' if is_sure else 'seems to reference'}"
    return Words(
        message=f"{subject} {referenced}, which no usable unique index covers{_shortcoming(almost)}.",
        consequence="No foreign key can point there"
        + ("." if almost is not None and not almost.is_immediate else ", and a row may reference several rows at once."),
        cure=f"Remove duplicates, then run CREATE UNIQUE INDEX CONCURRENTLY ON {qualified(referenced.table)}"
        f" ({identifiers(referenced.columns)}), and audit again.",
    )


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
    if catalog.tables[referencing.table].kind is not TableKind.PARTITIONED:
        return f"Make the key possible, then audit again: {sentence(reason)}"
    sql = add_key_sql(referencing, referenced, on_delete, not_valid=False)
    return f"Clean up orphan rows, then run {sql} by hand when writes can wait, because {sentence(reason)}"


def _rounding(catalog: Catalog, relationship: Relationship) -> str:
    table = catalog.tables[relationship.referencing.table]
    is_number = any(table.column(name).type.category == "N" for name in relationship.referencing.columns)
    return " or rounds them" if is_number else ""


def _type_changes(catalog: Catalog, relationship: Relationship) -> list[str]:
    """Return the ALTER COLUMNs that give the referencing columns the types of the referenced ones."""
    left, right = (catalog.tables[columns.table] for columns in (relationship.referencing, relationship.referenced))
    pairs = zip(relationship.referencing.columns, relationship.referenced.columns, strict=True)
    columns = [(left.column(name), right.column(key)) for name, key in pairs]
    return [_type_change(column, key) for column, key in columns if _differs(column, key)]


def _differs(column: Column, key: Column) -> bool:
    return (column.type.base_oid, column.collation) != (key.type.base_oid, key.collation)


def _type_change(column: Column, key: Column) -> str:
    name, new = identifier(column.name), key.type.formatted
    if column.type.base_oid == key.type.base_oid and key.collation is not None:
        return f"ALTER COLUMN {name} TYPE {new} COLLATE {'.'.join(identifier(part) for part in key.collation)}"
    return f"ALTER COLUMN {name} TYPE {new} USING {name}::{new}"
