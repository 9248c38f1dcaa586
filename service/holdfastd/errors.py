"""Every error that a caller can meet, and its stable reason.

    HoldfastError
    ├── InvalidField            INVALID_ARGUMENT   with the field's path
    ├── NotFound                NOT_FOUND
    ├── AlreadyExists           ALREADY_EXISTS
    ├── Conflict                ABORTED            somebody else is at it
    ├── Refused                 FAILED_PRECONDITION   not in this state, not safely, not with these privileges
    ├── Unauthenticated         UNAUTHENTICATED    who are you?
    ├── Forbidden               PERMISSION_DENIED  not you
    ├── Exhausted               RESOURCE_EXHAUSTED too much at once
    ├── Unavailable             UNAVAILABLE        try again
    ├── Pruned                  OUT_OF_RANGE
    └── Cancelled               CANCELLED

The message says what is wrong and ends with what to do. `facts` hold every changing part of it; neither ever holds a DSN, a
password or a row value (keys of rows are allowed where a reason says so).
"""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Stable names; one to one with holdfast.v1.ErrorReason (a test compares them)."""

    INVALID_FIELD = "INVALID_FIELD"
    DATABASE_NOT_FOUND = "DATABASE_NOT_FOUND"
    AUDIT_NOT_FOUND = "AUDIT_NOT_FOUND"
    RELATIONSHIP_NOT_FOUND = "RELATIONSHIP_NOT_FOUND"
    FINDING_NOT_FOUND = "FINDING_NOT_FOUND"
    PLAN_NOT_FOUND = "PLAN_NOT_FOUND"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    DATABASE_EXISTS = "DATABASE_EXISTS"
    DATABASE_REGISTERED_TWICE = "DATABASE_REGISTERED_TWICE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    DATABASE_BUSY = "DATABASE_BUSY"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    TARGET_UNREACHABLE = "TARGET_UNREACHABLE"
    TARGET_LOGIN_REFUSED = "TARGET_LOGIN_REFUSED"
    MISSING_PRIVILEGE = "MISSING_PRIVILEGE"
    TARGET_READ_ONLY = "TARGET_READ_ONLY"
    TARGET_POOLED = "TARGET_POOLED"
    TARGET_TOO_OLD = "TARGET_TOO_OLD"
    TARGET_CHANGED = "TARGET_CHANGED"
    DSN_UNREADABLE = "DSN_UNREADABLE"
    NO_AUDIT = "NO_AUDIT"
    PLAN_INFEASIBLE = "PLAN_INFEASIBLE"
    PLAN_EMPTY = "PLAN_EMPTY"
    PLAN_STATE = "PLAN_STATE"
    PLAN_DRIFTED = "PLAN_DRIFTED"
    JOB_STATE = "JOB_STATE"
    ROLLBACK_NOT_EXACT = "ROLLBACK_NOT_EXACT"
    LOCK_TIMEOUT = "LOCK_TIMEOUT"
    STEP_FAILED = "STEP_FAILED"
    EVENTS_PRUNED = "EVENTS_PRUNED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    CANCELLED = "CANCELLED"
    RESTORE_REJECTED = "RESTORE_REJECTED"
    BACKUP_GONE = "BACKUP_GONE"
    BACKUP_RETAINED = "BACKUP_RETAINED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    SECOND_PERSON_NEEDED = "SECOND_PERSON_NEEDED"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    TARGET_TLS_REQUIRED = "TARGET_TLS_REQUIRED"
    LIMIT_REACHED = "LIMIT_REACHED"
    SCHEDULE_NOT_FOUND = "SCHEDULE_NOT_FOUND"
    ROW_NOT_FOUND = "ROW_NOT_FOUND"
    INTERNAL = "INTERNAL"


class HoldfastError(Exception):
    """Base of all errors that a caller can meet."""

    def __init__(self, message: str, *, reason: Reason, facts: Mapping[str, str] | None = None) -> None:
        """Take the sentence for people, the reason for programs, and the changing parts of the sentence."""
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.facts: dict[str, str] = dict(facts or {})


class InvalidField(HoldfastError):
    """The caller typed something that cannot be meant."""

    def __init__(self, field: str, message: str) -> None:
        """Take the field's path in the request, such as `policy.overrides[2].relationship_id`, and the sentence."""
        super().__init__(message, reason=Reason.INVALID_FIELD, facts={"field": field})
        self.field = field


class NotFound(HoldfastError):
    """There is no such thing."""


class AlreadyExists(HoldfastError):
    """There is one already."""


class Conflict(HoldfastError):
    """Somebody else is at it; try again later."""


class Refused(HoldfastError):
    """Not in this state, not safely, or not with these privileges."""


class Unauthenticated(HoldfastError):
    """The caller cannot be recognised. The message says how to state who one is, never why credentials are wrong."""

    def __init__(self, message: str) -> None:
        """Take the sentence."""
        super().__init__(message, reason=Reason.UNAUTHENTICATED)


class Forbidden(HoldfastError):
    """The caller is known and may not do this."""


class Exhausted(HoldfastError):
    """Too much at once; waiting helps."""


class Unavailable(HoldfastError):
    """Not now; trying again may help."""


class Pruned(HoldfastError):
    """What was asked for is no longer kept."""


class Cancelled(HoldfastError):
    """Somebody asked to stop, and it stopped."""

    def __init__(self, message: str = "The job was cancelled; what was done stays done.") -> None:
        """Take the sentence."""
        super().__init__(message, reason=Reason.CANCELLED)


class LeaseLost(Exception):
    """Another replica took the job over: stop at once, write nothing more."""
