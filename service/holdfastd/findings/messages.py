"""All sentences of findings: what is wrong, what happens if nothing is done, what to do. Pure.

Names and numbers are data: they appear in sentences, never in ids.
"""

from dataclasses import dataclass

from holdfastd.catalog.model import Table
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import identifier, identifiers, qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The three sentences of a finding."""

    message: str
    consequence: str
    cure: str


def undeclared_key(relationship: Relationship) -> Words:
    """A relationship that no foreign key declares."""
    verb = "references" if relationship.tier is Tier.PLAN else "may reference"
    return Words(
        message=f"{relationship.referencing} {verb} {relationship.referenced}, but no foreign key says so.",
        consequence="Nothing stops rows from referencing what is gone, and deleting a referenced row leaves orphan rows behind.",
        cure=f"Plan a foreign key with ON DELETE {relationship.suggested_on_delete}. {relationship.rationale}".strip(),
    )


def orphan_rows(relationship: Relationship, *, is_certain: bool) -> Words:
    """Rows that reference nothing."""
    count = relationship.orphan_rows.value
    rows = "1 row" if count == 1 else f"{count} rows"
    verb = "references" if count == 1 else "reference"
    referencing, referenced = relationship.referencing, relationship.referenced
    doubt = "" if is_certain else ", if the relationship is meant"
    return Words(
        message=f"{rows} of {referencing.table} {verb} nothing in {referenced} through {_list(referencing.columns)}{doubt}.",
        consequence="Joins drop these rows silently, sums over them differ, and a foreign key cannot be validated.",
        cure="Look at samples, then plan what happens to them: delete, set NULL, repoint, or leave the key not validated.",
    )


def unindexed_key(relationship: Relationship) -> Words:
    """Referencing columns without a usable index."""
    referencing = relationship.referencing
    return Words(
        message=f"No usable index serves lookups by {referencing}.",
        consequence=f"Each row deleted from {relationship.referenced.table} reads the whole of {referencing.table}, under a foreign key.",
        cure="Plan the foreign key, which builds the index first, or run "
        f"CREATE INDEX CONCURRENTLY ON {qualified(referencing.table)} ({identifiers(referencing.columns)}).",
    )


def not_validated_key(relationship: Relationship) -> Words:
    """A foreign key that is NOT VALID."""
    table = relationship.referencing.table
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {table} is not validated.",
        consequence="New rows are checked, older ones may still be orphan rows, and the planner does not rely on the key.",
        cure="Clean up its orphan rows, then run "
        f"ALTER TABLE {qualified(table)} VALIDATE CONSTRAINT {identifier(relationship.constraint_name)}; a plan does both.",
    )


def not_enforced_key(relationship: Relationship) -> Words:
    """A foreign key declared NOT ENFORCED."""
    table = relationship.referencing.table
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {table} is not enforced.",
        consequence="It documents the relationship and protects nothing: rows that reference nothing are accepted.",
        cure="Clean up its orphan rows, then run "
        f"ALTER TABLE {qualified(table)} ALTER CONSTRAINT {identifier(relationship.constraint_name)} ENFORCED.",
    )


def disabled_key(relationship: Relationship) -> Words:
    """A foreign key whose triggers are disabled."""
    table = relationship.referencing.table
    return Words(
        message=f"Foreign key {identifier(relationship.constraint_name)} of {table} is declared, but its triggers are disabled.",
        consequence="It looks valid and checks nothing: rows that reference nothing are accepted.",
        cure=f"Run ALTER TABLE {qualified(table)} ENABLE TRIGGER ALL as a superuser, on the referenced table too, then audit again.",
    )


def type_mismatch(relationship: Relationship) -> Words:
    """Columns whose types a foreign key cannot compare."""
    return Words(
        message=_sentence(relationship.obstacle),
        consequence="No foreign key can protect the relationship, and joins need a cast that no index serves.",
        cure=f"Change the type of {relationship.referencing} to that of {relationship.referenced}, then audit again.",
    )


def referenced_not_unique(relationship: Relationship) -> Words:
    """Referenced columns without a usable unique index."""
    referenced = relationship.referenced
    return Words(
        message=f"{relationship.referencing} references {referenced}, which no usable unique index covers.",
        consequence="No foreign key can point there, and a row may reference several rows at once.",
        cure="Remove duplicates, then run "
        f"CREATE UNIQUE INDEX CONCURRENTLY ON {qualified(referenced.table)} ({identifiers(referenced.columns)}), and audit again.",
    )


def no_primary_key(table: Table) -> Words:
    """A table without a primary key."""
    return Words(
        message=f"{table.name} has no primary key.",
        consequence="Foreign keys have nothing to point at, logical replication refuses its updates, and duplicates go unnoticed.",
        cure="Add a primary key on the columns that identify a row, or an identity column when none do.",
    )


def not_auditable(relationship: Relationship) -> Words:
    """A relationship whose rows could not be counted."""
    return Words(
        message=f"The orphan rows of {relationship.referencing} were not counted: {_sentence(relationship.orphan_rows.reason)}",
        consequence="Whether orphan rows exist is unknown, so no key is planned on the strength of this audit.",
        cure="Remove the reason, then audit again.",
    )


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def _sentence(text: str) -> str:
    """Return text that ends with one full stop."""
    return text.removesuffix(".") + "."
