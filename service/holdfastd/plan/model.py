"""A plan as a value: what will be done, in which order, at which risk. Steps hold no connection and know no clock."""

from dataclasses import dataclass
from enum import StrEnum

from holdfastd.catalog.model import OnDelete
from holdfastd.names import ColumnSet, TableName


class LockLevel(StrEnum):
    """Table lock modes by PostgreSQL's own names, weakest first."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"


class LockPolicy(StrEnum):
    """How long a statement may wait for its locks."""

    NONE = "NONE"
    #: Below deadlock_timeout, retried with jitter: while such a lock waits, others queue behind it.
    SHORT = "SHORT"
    #: SHARE UPDATE EXCLUSIVE: its waiting blocks nobody, and autovacuum yields only after deadlock_timeout.
    LONG = "LONG"
    #: Concurrent index builds: they wait for older transactions in the middle, and giving up there throws the work away.
    BUILD = "BUILD"


class HazardKind(StrEnum):
    """The closed list of risks."""

    DELETES_ROWS = "DELETES_ROWS"
    CHANGES_ROWS = "CHANGES_ROWS"
    BLOCKS_WRITES = "BLOCKS_WRITES"
    BLOCKS_READS = "BLOCKS_READS"
    BUILDS_INDEX = "BUILDS_INDEX"
    SCANS_TABLE = "SCANS_TABLE"
    ENFORCEMENT_STARTS = "ENFORCEMENT_STARTS"
    DOUBLE_UPDATE_FAILS = "DOUBLE_UPDATE_FAILS"
    LARGE_CLOSURE = "LARGE_CLOSURE"
    USER_TRIGGERS = "USER_TRIGGERS"
    ORPHANS_REMAIN = "ORPHANS_REMAIN"


class StepKind(StrEnum):
    """One file per kind in plan/steps."""

    PREPARE = "PREPARE"
    CREATE_INDEX = "CREATE_INDEX"
    ADD_FOREIGN_KEY = "ADD_FOREIGN_KEY"
    CLEAN_UP = "CLEAN_UP"
    VALIDATE_FOREIGN_KEY = "VALIDATE_FOREIGN_KEY"
    VERIFY = "VERIFY"
    ATTACH_INDEX = "ATTACH_INDEX"


class OrphanAction(StrEnum):
    """What to do with orphan rows."""

    DELETE = "DELETE"
    SET_NULL = "SET_NULL"
    REPOINT = "REPOINT"
    LEAVE = "LEAVE"


class PlanState(StrEnum):
    """Where a plan stands."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    APPLIED = "APPLIED"
    ROLLED_BACK = "ROLLED_BACK"


class ScriptKind(StrEnum):
    """Which script to render."""

    FORWARD = "FORWARD"
    VERIFY = "VERIFY"
    ROLLBACK = "ROLLBACK"
    RESTORE = "RESTORE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLock:
    """A lock that a statement takes."""

    table: TableName
    level: LockLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One SQL statement with its danger."""

    sql: str
    locks: tuple[TableLock, ...] = ()
    lock_policy: LockPolicy = LockPolicy.NONE
    #: False for what PostgreSQL refuses inside a transaction (CREATE INDEX CONCURRENTLY).
    transactional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One risk of one step, in words."""

    kind: HazardKind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the caller decides for one relationship, instead of Holdfast. None: Holdfast decides."""

    relationship_id: str
    include: bool | None = None
    on_delete: OnDelete | None = None
    orphan_action: OrphanAction | None = None
    #: For REPOINT: one text value per referenced column.
    repoint_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the plan decided for one relationship."""

    relationship_id: str
    referencing: ColumnSet
    referenced: ColumnSet
    included: bool
    reason: str
    on_delete: OnDelete
    orphan_action: OrphanAction
    orphan_rows: int
    #: Rows that cleaning up removes or changes, cascades included.
    closure_rows: int
    constraint_name: str = ""
    index_name: str = ""
    #: Values for REPOINT.
    repoint_to: tuple[str, ...] = ()
    #: The columns that ON DELETE SET NULL, and cleaning up by it, sets NULL; empty: all referencing columns.
    set_null_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """One foreign key that a deletion follows: its dependents are backed up, then looked at again."""

    #: Lock dependents of rows that were added last and write their images to the backup; returns the addresses of what it added, as
    #: one array of text. Parameters: batch, array of addresses as text.
    back_up: str
    #: Take those out of the backup again that let go while we waited for them. Parameters: batch, addresses of what was added, of what
    #: was followed.
    recheck: str
    #: Of `back_up`.
    locks: tuple[TableLock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUpRecipe:
    """The statements of one batch of a cleanup, run in this order in one transaction. plan/recipe.py tells how they fit together."""

    #: Tables that the batch may take rows from: the referencing table first, then those that cascades reach.
    tables: tuple[TableName, ...]
    #: Count all orphan rows.
    count: str
    #: Addresses of orphan rows in a window of blocks, as one array of text. Parameters: first tid, tid after the last, as text; limit.
    find: str
    #: Lock the referenced table against writers that would bring a referenced row late.
    lock: str
    #: Lock the rows at addresses that are orphan rows, and write their images to the backup. Parameters: batch, array of addresses as text.
    back_up: str
    #: Take rows out of the backup that were repaired while we waited for them. Parameter: batch.
    recheck: str
    #: Repeated for what the last round added, until nothing is.
    expansions: tuple[Expansion, ...]
    #: Delete or change the orphan rows of the backup; cascades take the dependents. Parameter: batch.
    change: str
    #: Count the rows that one key sets NULL, also those that another deletes then: PostgreSQL does both. Parameter: batch.
    nulled: tuple[str, ...] = ()
    #: Write down how user triggers left the changed rows, where there are any. Parameter: batch.
    left: tuple[str, ...] = ()
    #: The user triggers to turn off while rows are put back: returns statements, turn_off and turn_on.
    triggers: str
    #: Put the rows of one batch back; returns how many, and how many are not as they were. Parameter: batch.
    restore: str
    #: Queries that return one text per reason why putting rows back would not be exact. Parameter: plan id.
    restore_checks: tuple[str, ...]
    #: Of `change` and of `restore`, what keys look into included; of `left`, one per statement.
    change_locks: tuple[TableLock, ...] = ()
    restore_locks: tuple[TableLock, ...] = ()
    left_locks: tuple[TableLock, ...] = ()
    #: Count changed rows that do not have their new values: a trigger kept them. Parameter: batch.
    kept: tuple[str, ...] = ()
    #: Lock orphan rows in a window of blocks as they are met, however often they change; returns their addresses as `find` does.
    hold: str = ""
    #: Queries that return one text per reason why a batch must not go on: its rows could not come back. Parameter: batch.
    refused: tuple[str, ...] = ()
    #: Keys without an index to find what references deleted rows.
    unindexed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The unit of resume: forward, undo, done_when, hazards, all data."""

    number: int
    kind: StepKind
    title: str
    statements: tuple[Statement, ...]
    undo: tuple[Statement, ...] = ()
    #: A query returning one boolean; empty when the step must always run.
    done_when: str = ""
    #: A query returning one boolean: is what the step made still there, as it made it? Others may own what has its name.
    undo_when: str = ""
    hazards: tuple[Hazard, ...] = ()
    relationship_id: str = ""
    row_estimate: int = 0
    #: Only for CLEAN_UP.
    recipe: CleanUpRecipe | None = None
    #: Only for CREATE_INDEX and the key steps: the name of the object made.
    object_name: str = ""
    table: TableName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps, decisions, and the facts about the catalog that they depend on."""

    steps: tuple[Step, ...]
    decisions: tuple[Decision, ...]
    #: SHA-256 (hexadecimal) of `facts`.
    fingerprint: str
    #: One line per fact, sorted; comparing them names what drifted.
    facts: tuple[str, ...]
