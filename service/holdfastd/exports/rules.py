"""What each kind of finding is, in the words of docs/findings: for tools that list rules next to results. Pure."""

from dataclasses import dataclass

from holdfastd.findings.model import FindingKind, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of finding."""

    #: One sentence.
    what: str
    #: Why it matters.
    why: str
    #: The usual severity; a finding may have another.
    severity: Severity
    tags: tuple[str, ...] = ()


_KEYS, _ROWS, _INDEXES = ("foreign-keys",), ("orphan-rows",), ("indexes", "performance")

RULES: dict[FindingKind, Rule] = {
    FindingKind.UNDECLARED_KEY: Rule(
        what="Columns reference a unique key of another table, and no foreign key says so.",
        why="Without a foreign key the database accepts rows that reference nothing, and a deleted row leaves orphan rows behind.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.ORPHAN_ROWS: Rule(
        what="Rows whose referencing columns are all non-null match no referenced row.",
        why="Joins drop these rows silently, sums with and without the join differ, and a foreign key over them cannot be validated.",
        severity=Severity.ERROR,
        tags=_ROWS,
    ),
    FindingKind.UNINDEXED_KEY: Rule(
        what="No usable index serves lookups by the referencing columns.",
        why="Whenever a referenced row is deleted or its key changes, the whole referencing table is read, under locks.",
        severity=Severity.WARN,
        tags=_INDEXES,
    ),
    FindingKind.NOT_VALIDATED_KEY: Rule(
        what="A foreign key is declared NOT VALID and was never validated.",
        why="New and changed rows are checked, older ones may be orphan rows.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.NOT_ENFORCED_KEY: Rule(
        what="A foreign key is declared NOT ENFORCED and checks nothing.",
        why="Rows that reference nothing are accepted, and readers of the schema easily believe the opposite.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.TYPE_MISMATCH: Rule(
        what="Columns look like a reference, and PostgreSQL has no operator by which a foreign key could compare their types.",
        why="No foreign key can be made; joins need a cast, which keeps indexes from being used.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.REFERENCED_NOT_UNIQUE: Rule(
        what="Columns look like a reference to columns that no usable unique index covers.",
        why="No foreign key can be made, and a join may find several rows for one reference.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.NO_PRIMARY_KEY: Rule(
        what="A table has no primary key.",
        why="Nothing tells two equal rows apart, so a wrong one cannot be deleted alone.",
        severity=Severity.WARN,
        tags=("tables",),
    ),
    FindingKind.NOT_AUDITABLE: Rule(
        what="The orphan rows of a relationship could not be counted.",
        why="Whether orphan rows exist is unknown; a zero in their place would be a lie.",
        severity=Severity.WARN,
        tags=_ROWS,
    ),
    FindingKind.DISABLED_KEY: Rule(
        what="The triggers of a foreign key are disabled, while the catalog calls the key valid.",
        why="Rows that reference nothing are accepted, and deleting a referenced row neither fails nor cascades.",
        severity=Severity.ERROR,
        tags=_KEYS,
    ),
    FindingKind.ORPHANS_UNDER_VALID_KEY: Rule(
        what="Rows reference nothing although a foreign key is declared, enforced and validated.",
        why="PostgreSQL trusts the key: it never looks at these rows again, and VALIDATE CONSTRAINT skips a valid key.",
        severity=Severity.ERROR,
        tags=(*_KEYS, *_ROWS),
    ),
    FindingKind.REDUNDANT_INDEX: Rule(
        what="An index serves no search that another index of the table does not serve as well.",
        why="Each index costs disk space, cache, and time on every write; this one earns nothing in return.",
        severity=Severity.INFO,
        tags=_INDEXES,
    ),
    FindingKind.INVALID_INDEX: Rule(
        what="An index is there and no search uses it, because its build failed or has not ended.",
        why="Every write keeps it up to date, and it gives nothing in return.",
        severity=Severity.WARN,
        tags=_INDEXES,
    ),
    FindingKind.DUPLICATE_KEY: Rule(
        what="Two foreign keys say that the same columns reference the same columns.",
        why="Every write is checked twice; where the keys act differently, which one wins is hard to tell.",
        severity=Severity.INFO,
        tags=_KEYS,
    ),
    FindingKind.SET_NULL_ON_NOT_NULL: Rule(
        what="A foreign key says ON DELETE SET NULL, and a column that it would set refuses NULL.",
        why="Deleting a referenced row always fails with a not-null violation on another table, at run time.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.PARTITION_WITHOUT_KEY: Rule(
        what="Partitions declare a foreign key for themselves, and this one does not.",
        why="The rows of this partition may reference what is gone, and a deletion of the referenced row does not see them.",
        severity=Severity.WARN,
        tags=_KEYS,
    ),
    FindingKind.ROWS_HIDDEN: Rule(
        what="Row security hides rows of a table from the role that audits, so orphan rows could not be counted.",
        why="A count over some of the rows would be wrong in both directions.",
        severity=Severity.WARN,
        tags=_ROWS,
    ),
    FindingKind.POLYMORPHIC_REFERENCE: Rule(
        what="Two columns together seem to reference rows of several tables: one holds an id, the other says of which table.",
        why="A foreign key references one table, so none can protect these rows: deleting what they reference leaves them behind.",
        severity=Severity.INFO,
        tags=_KEYS,
    ),
    FindingKind.UNKNOWN_INTENT: Rule(
        what="An application declares a relationship of tables or columns that the database does not have.",
        why="It is not audited, so its orphan rows go unnoticed and no plan protects it.",
        severity=Severity.WARN,
        tags=("application",),
    ),
}


def words(kind: FindingKind) -> str:
    """Return a kind as people say it: `Orphan rows`."""
    return kind.replace("_", " ").capitalize()
