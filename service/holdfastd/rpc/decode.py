"""Requests to domain values: what one field alone cannot decide."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from holdfast.v1 import audit_service_pb2, backup_service_pb2, core_pb2, database_service_pb2, plan_service_pb2
from holdfastd.catalog.model import OnDelete
from holdfastd.errors import InvalidField
from holdfastd.flows.context import Caller, DsnSource
from holdfastd.jobs.model import Throttle
from holdfastd.plan.model import OrphanAction, Override
from holdfastd.rpc import fields
from holdfastd.rpc.enums import from_proto
from holdfastd.rpc.interceptor import current_principal, current_visible
from holdfastd.store.model import DatabaseSettings, DsnKind

MAX_OVERRIDES = 10_000
DEFAULT_SAMPLES = 20
MAX_SAMPLES = 1000
MAX_REASON = 1000
MAX_RUNNING_JOBS = 1000
#: How long backups are kept unless the caller says otherwise.
RETENTION, LONGEST_RETENTION = timedelta(days=30), timedelta(days=36_500)
#: Two lists of 32 columns with names of 63 bytes, every byte a quote that is doubled, and some to spare.
MAX_FINDING_ID_BYTES = 12_000

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def caller(request_id: str = "") -> Caller:
    """Return who calls, what it may see, and the id under which the call is done only once; empty when the caller chose none."""
    return Caller(principal=current_principal(), request_id=fields.request_id(request_id), visible=current_visible())


def dsn_source(message: database_service_pb2.DsnSource) -> DsnSource:
    """Return where the DSN comes from. Whether it leads anywhere is found out by connecting."""
    match message.WhichOneof("source"):
        case "env":
            if not _VARIABLE.match(message.env):
                raise InvalidField("dsn.env", "dsn.env is not the name of an environment variable.")
            return DsnSource(kind=DsnKind.ENV, value=fields.text(message.env, "dsn.env"))
        case "file":
            return DsnSource(kind=DsnKind.FILE, value=fields.required(message.file, "dsn.file"))
        case "inline":
            return DsnSource(kind=DsnKind.INLINE, value=fields.required(message.inline, "dsn.inline"))
        case None:
            raise InvalidField("dsn", "dsn is empty; set one of env, file and inline.")


def settings(message: database_service_pb2.DatabaseSettings) -> DatabaseSettings:
    """Return what is asked of Holdfast for a database."""
    if not 0 <= message.max_running_jobs <= MAX_RUNNING_JOBS:
        field = "settings.max_running_jobs"
        raise InvalidField(field, f"{field} is not a number from 0 to {MAX_RUNNING_JOBS}; 0 means the service's own limit.")
    return DatabaseSettings(four_eyes=message.four_eyes, max_running_jobs=message.max_running_jobs)


def database_changes(request: database_service_pb2.UpdateDatabaseRequest) -> tuple[DsnSource | None, DatabaseSettings | None]:
    """Return what is to change of a database; what is absent stays."""
    if not request.HasField("dsn") and not request.HasField("settings"):
        raise InvalidField("dsn", "There is nothing to change; set dsn, settings, or both.")
    return (
        dsn_source(request.dsn) if request.HasField("dsn") else None,
        settings(request.settings) if request.HasField("settings") else None,
    )


def overrides(policy: plan_service_pb2.Policy) -> tuple[Override, ...]:
    """Return what the caller decides, one override per relationship."""
    if len(policy.overrides) > MAX_OVERRIDES:
        raise InvalidField("policy.overrides", f"policy.overrides has more than {MAX_OVERRIDES} entries.")
    decoded: dict[str, Override] = {}
    for position, message in enumerate(policy.overrides):
        path = f"policy.overrides[{position}]"
        value = _override(message, path)
        if value.relationship_id in decoded:
            raise InvalidField(f"{path}.relationship_id", "This relationship has an override already.")
        decoded[value.relationship_id] = value
    return tuple(decoded.values())


def relationship_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the relationships that the caller names, each once."""
    if len(ids) > MAX_OVERRIDES:
        raise InvalidField("relationship_ids", f"relationship_ids has more than {MAX_OVERRIDES} entries.")
    return tuple(dict.fromkeys(fields.required(value, f"relationship_ids[{position}]") for position, value in enumerate(ids)))


def older_than(request: backup_service_pb2.PurgeBackupsRequest) -> timedelta:
    """Return how old backups must be to be purged."""
    if not request.HasField("older_than"):
        return RETENTION
    age = fields.duration(request.older_than)
    if age is None or age > LONGEST_RETENTION:
        raise InvalidField("older_than", "older_than is no time between 0 s and 100 years; leave it out for 30 days.")
    return age


def audit_page(
    request: audit_service_pb2.ListRelationshipsRequest | audit_service_pb2.ListTablesRequest | audit_service_pb2.ListFindingsRequest,
    *scope: object,
) -> tuple[str, fields.Page]:
    """Return the audit to read and the page of it. Later pages stay with the audit of the first, whatever was audited since."""
    audit_id = fields.optional_identifier(request.audit_id, "audit_id")
    filters = (*scope, request.database, audit_id)
    page = fields.page(request.page_size, request.page_token, *filters, parts=("id", "number"))
    # A token can be made up: it must not lead to another audit than the one that the caller was let in for.
    if page.cursor and audit_id and page.cursor[0] != audit_id:
        raise InvalidField("page_token", "The page token belongs to another audit; send it as it was received.")
    return (page.cursor[0] if page.cursor else audit_id), page


def sample_limit(limit: int) -> int:
    """Return how many orphan rows to read."""
    if limit < 0:
        raise InvalidField("limit", f"limit is negative; 0 means {DEFAULT_SAMPLES}.")
    return min(limit or DEFAULT_SAMPLES, MAX_SAMPLES)


def estimate_after(options: audit_service_pb2.AuditOptions) -> timedelta | None:
    """Return how long a count may take before it is estimated instead; None: as long as it takes."""
    if not options.HasField("estimate_after"):
        return None
    limit = fields.duration(options.estimate_after)
    if not limit:
        raise InvalidField("options.estimate_after", "options.estimate_after is not a time above 0 s; leave it out to count everything.")
    return limit


def reason(text: str) -> str:
    """Return why a finding is ignored."""
    stated = fields.required(text.strip(), "reason")
    if len(stated) > MAX_REASON:
        raise InvalidField("reason", f"reason is longer than {MAX_REASON} characters.")
    return stated


def expire_time(request: audit_service_pb2.IgnoreFindingRequest) -> datetime | None:
    """Return from when on a finding is open again; None: never."""
    if not request.HasField("expire_time"):
        return None
    try:
        moment = request.expire_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidField("expire_time", "expire_time is no time between the years 1 and 9999.") from None
    if moment <= datetime.now(UTC):
        raise InvalidField("expire_time", "expire_time has passed already; leave it out to ignore the finding for good.")
    return moment


def throttle(message: core_pb2.Throttle) -> Throttle:
    """Return when to hold a job back."""
    for name in ("max_active_sessions", "max_wal_bytes_per_second"):
        if getattr(message, name) < 0:
            raise InvalidField(f"throttle.{name}", f"throttle.{name} is negative; 0 means no limit.")
    return Throttle(
        max_replica_lag_seconds=_replica_lag(message),
        max_active_sessions=message.max_active_sessions,
        max_wal_bytes_per_second=message.max_wal_bytes_per_second,
    )


def _replica_lag(message: core_pb2.Throttle) -> float:
    if not message.HasField("max_replica_lag"):
        return Throttle().max_replica_lag_seconds
    lag = fields.duration(message.max_replica_lag)
    if not lag:
        raise InvalidField("throttle.max_replica_lag", "throttle.max_replica_lag is not a time above 0 s; leave it out for 10 s.")
    return lag.total_seconds()


def _override(message: plan_service_pb2.Override, path: str) -> Override:
    action = from_proto(OrphanAction, message.orphan_action, f"{path}.orphan_action")
    return Override(
        relationship_id=fields.required(message.relationship_id, f"{path}.relationship_id"),
        include=message.include if message.HasField("include") else None,
        on_delete=from_proto(OnDelete, message.on_delete, f"{path}.on_delete"),
        orphan_action=action,
        repoint_to=_repoint_to(message.repoint_to, action, f"{path}.repoint_to"),
    )


def _repoint_to(values: Sequence[str], action: OrphanAction | None, path: str) -> tuple[str, ...]:
    if action is OrphanAction.REPOINT and not values:
        raise InvalidField(path, "REPOINT needs repoint_to: one value per referenced column.")
    if action is not OrphanAction.REPOINT and values:
        raise InvalidField(path, "repoint_to goes with REPOINT only.")
    return tuple(fields.text(value, f"{path}[{position}]") for position, value in enumerate(values))
