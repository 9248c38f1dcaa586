"""One believable message per response, as the sample database of charging stations would give them."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from holdfast.v1 import audit_log_service_pb2 as log_pb
from holdfast.v1 import audit_service_pb2 as audit_pb
from holdfast.v1 import backup_service_pb2 as backup_pb
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import database_service_pb2 as database_pb
from holdfast.v1 import gate_service_pb2 as gate_pb
from holdfast.v1 import impact_service_pb2 as impact_pb
from holdfast.v1 import job_service_pb2 as job_pb
from holdfast.v1 import migration_service_pb2 as migration_pb
from holdfast.v1 import plan_service_pb2 as plan_pb
from holdfast.v1 import report_service_pb2 as report_pb
from holdfast.v1 import schedule_service_pb2 as schedule_pb

AT = Timestamp(seconds=1_795_000_000)
LATER = Timestamp(seconds=1_795_000_002, nanos=400_000_000)
AUDIT_ID = "audit-0649a1d3e7f2c5b80e1f"
PLAN_ID = "plan-0649a1d3f9b4e2a17c3d"
JOB_ID = "job-0649a1d40b6d8f1e529a"

DATABASE = database_pb.Database(
    id="db_1",
    name="charging",
    state=database_pb.DATABASE_STATE_REACHABLE,
    host="db.example.net",
    port=5432,
    database_name="ev_charging",
    role="holdfast",
    dsn_source="env:CHARGING_DSN",
    server_version="18.4",
    system_identifier="7430000000000000000",
    create_time=AT,
    etag="e1",
)


def relationship(
    table: str, column: str, referenced: str, orphans: int = 0, *, nullable: bool = False, on_delete: str = "CASCADE"
) -> core.Relationship:
    """Return an undeclared relationship with a key on `id`."""
    risk = core.RISK_HIGH if orphans else core.RISK_LOW if nullable else core.RISK_MEDIUM
    return core.Relationship(
        id=f"public.{table}({column})->public.{referenced}(id)",
        referencing=core.ColumnSet(schema="public", table=table, columns=[column]),
        referenced=core.ColumnSet(schema="public", table=referenced, columns=["id"]),
        enforced=True,
        nullable=nullable,
        confidence=0.985,
        tier=core.TIER_PLAN,
        orphan_rows=core.RowCount(value=orphans, exactness=core.EXACTNESS_EXACT, as_of=AT),
        risk=risk,
        suggested_on_delete=core.OnDelete.Value(f"ON_DELETE_{on_delete}"),
        rationale="The rows belong to the station.",
        state=core.RELATIONSHIP_STATE_UNDECLARED,
    )


RELATIONSHIPS = [
    relationship("charging_sessions", "station_id", "stations", 3),
    relationship("charging_sessions", "user_vehicle_id", "user_vehicles", nullable=True, on_delete="SET_NULL"),
    relationship("reports", "station_id", "stations", 8),
    relationship("reports", "reviewed_by", "users", nullable=True, on_delete="SET_NULL"),
    relationship("station_verifications", "station_id", "stations"),
    relationship("user_vehicles", "ev_vehicle_id", "ev_vehicles", on_delete="RESTRICT"),
]
RELATIONSHIPS[2].MergeFrom(
    core.Relationship(
        evidence=[core.Evidence(rule="exact", text="station_id is named after public.stations")],
        reference_probability=0.99,
        target_probability=0.995,
        alternatives=[
            core.Alternative(referenced=core.ColumnSet(schema="public", table="weather_stations", columns=["id"]), confidence=0.005)
        ],
        other_actions=[core.OtherAction(on_delete=core.ON_DELETE_RESTRICT, rationale="When reports must outlive stations.")],
        orphan_details=core.OrphanDetails(
            distinct_values=2,
            share=0.004,
            causes=[
                core.CausedRows(cause=core.ORPHAN_CAUSE_DELETED, rows=7, distinct_values=1),
                core.CausedRows(cause=core.ORPHAN_CAUSE_SENTINEL, rows=1, distinct_values=1),
            ],
            seen_column="created_at",
            first_seen=Timestamp(seconds=1_700_000_000),
            last_seen=Timestamp(seconds=1_750_000_000),
            taken=[
                core.TakenRows(table="public.reports", rows=8, share=0.004),
                core.TakenRows(table="public.report_photos", rows=21, share=0.12),
            ],
        ),
    )
)
ESTIMATED = core.Relationship()
ESTIMATED.CopyFrom(RELATIONSHIPS[4])
ESTIMATED.orphan_rows.CopyFrom(core.RowCount(value=12_000, exactness=core.EXACTNESS_ESTIMATED, as_of=AT, low=11_400, high=12_600))
DOUBTFUL = relationship("trust_events", "station_id", "stations", 4, nullable=True, on_delete="SET_NULL")
DOUBTFUL.tier, DOUBTFUL.confidence = core.TIER_REVIEW, 0.61
DECLARED = core.Relationship(
    id='sales."Order Lines"("Order", line)->sales.orders(id, line)',
    referencing=core.ColumnSet(schema="sales", table="Order Lines", columns=["Order", "line"]),
    referenced=core.ColumnSet(schema="sales", table="orders", columns=["id", "line"]),
    declared=True,
    validated=True,
    enforced=True,
    constraint_name="fk_order_lines",
    declared_on_delete=core.ON_DELETE_NO_ACTION,
    confidence=1,
    tier=core.TIER_DECLARED,
    orphan_rows=core.RowCount(exactness=core.EXACTNESS_NOT_COUNTED, reason="permission denied"),
    suggested_on_delete=core.ON_DELETE_NO_ACTION,
    state=core.RELATIONSHIP_STATE_VALIDATED,
)
AUDIT = audit_pb.Audit(
    id=AUDIT_ID,
    database="charging",
    state=audit_pb.AUDIT_STATE_SUCCEEDED,
    job_id=JOB_ID,
    create_time=AT,
    end_time=LATER,
    summary=audit_pb.AuditSummary(tables=9, relationships=13, undeclared_relationships=13, orphan_rows=11, missing_indexes=13, findings=28),
)
TABLES = [
    core.Table(
        schema="public",
        name="reports",
        kind=core.TABLE_KIND_TABLE,
        columns=[core.Column(name="id", type="bigint"), core.Column(name="station_id", type="bigint", nullable=True)],
        primary_key=["id"],
        indexes=[core.Index(name="reports_pkey", columns=["id"], unique=True, primary=True)],
        row_estimate=388,
        size_bytes=57_344,
    ),
    core.Table(schema="sales", name="Order Lines", kind=core.TABLE_KIND_PARTITIONED),
]
FINDINGS = [
    core.Finding(
        id="orphan_rows:public.reports(station_id)->public.stations(id)",
        kind=core.FINDING_KIND_ORPHAN_ROWS,
        severity=core.SEVERITY_ERROR,
        message="8 rows of reports have a station_id that no row of stations has.",
        consequence="Joins leave these rows out, and screens that expect a station fail.",
        cure="Plan the key: cleaning up is part of the plan, and every row is backed up first.",
        relationship_id=RELATIONSHIPS[2].id,
        table="public.reports",
    ),
    core.Finding(
        id="unindexed_key:public.reports(reviewed_by)->public.users(id)",
        kind=core.FINDING_KIND_UNINDEXED_KEY,
        severity=core.SEVERITY_WARN,
        message="No index serves reports.reviewed_by.",
        consequence="Deleting a row of users reads all of reports.",
        cure="CREATE INDEX CONCURRENTLY on reports (reviewed_by).",
        relationship_id=RELATIONSHIPS[3].id,
        table="public.reports",
    ),
]
IGNORED = core.Finding()
IGNORED.CopyFrom(FINDINGS[1])
IGNORED.MergeFrom(
    core.Finding(
        state=core.FINDING_STATE_IGNORED,
        ignored=core.Ignored(
            reason="Nobody deletes users.", principal="ada@laptop", create_time=AT, expire_time=Timestamp(seconds=1_900_000_000)
        ),
    )
)


def _statement(sql: str, level: core.LockLevel.ValueType, *tables: str) -> core.Statement:
    locks = [core.TableLock(table=table, level=level) for table in tables]
    return core.Statement(sql=sql, locks=locks, lock_policy=core.LOCK_POLICY_SHORT, transactional=True)


def _hazard(kind: str, message: str) -> core.Hazard:
    return core.Hazard(kind=core.HazardKind.Value(f"HAZARD_KIND_{kind}"), message=message)


STEPS = [
    core.Step(number=1, kind=core.STEP_KIND_PREPARE, title="Create schema holdfast with the ledger and the backup"),
    core.Step(
        number=2,
        kind=core.STEP_KIND_CREATE_INDEX,
        title="Build index ix_reports_station_id",
        statements=[_statement("CREATE INDEX …", core.LOCK_LEVEL_SHARE_UPDATE_EXCLUSIVE, "public.reports")],
        hazards=[_hazard("BUILDS_INDEX", "Reads all of reports and waits for older transactions.")],
        row_estimate=1200,
    ),
    core.Step(
        number=3,
        kind=core.STEP_KIND_ADD_FOREIGN_KEY,
        title="Add foreign key fk_reports_station, not validated",
        statements=[_statement("ALTER …", core.LOCK_LEVEL_SHARE_ROW_EXCLUSIVE, "public.reports", "public.stations")],
        undo=[_statement("ALTER … DROP", core.LOCK_LEVEL_ACCESS_EXCLUSIVE, "public.reports", "public.stations")],
        hazards=[
            _hazard("BLOCKS_WRITES", "Writers of reports and stations wait, at most 0.5 s per try."),
            _hazard("ENFORCEMENT_STARTS", "From here on, writes that would create orphan rows fail."),
        ],
    ),
    core.Step(
        number=4,
        kind=core.STEP_KIND_CLEAN_UP,
        title="Back up and delete 8 orphan rows of reports",
        statements=[_statement("DELETE …", core.LOCK_LEVEL_ROW_EXCLUSIVE, "public.reports")],
        hazards=[_hazard("DELETES_ROWS", "8 rows of reports are deleted; the backup holds them.")],
        row_estimate=8,
    ),
    core.Step(
        number=5,
        kind=core.STEP_KIND_VALIDATE_FOREIGN_KEY,
        title="Validate foreign key fk_reports_station",
        statements=[_statement("ALTER … VALIDATE", core.LOCK_LEVEL_SHARE_UPDATE_EXCLUSIVE, "public.reports")],
        hazards=[_hazard("SCANS_TABLE", "Reads all of reports; nobody waits.")],
    ),
]
DECISIONS = [
    core.Decision(
        relationship_id=RELATIONSHIPS[2].id,
        included=True,
        reason="confident",
        on_delete=core.ON_DELETE_CASCADE,
        orphan_action=core.ORPHAN_ACTION_DELETE,
        orphan_rows=8,
        closure_rows=8,
        constraint_name="fk_reports_station",
        index_name="ix_reports_station_id",
    ),
    core.Decision(
        relationship_id=RELATIONSHIPS[5].id,
        included=True,
        reason="confident",
        on_delete=core.ON_DELETE_RESTRICT,
        orphan_action=core.ORPHAN_ACTION_LEAVE,
        constraint_name="fk_user_vehicles_ev_vehicle",
    ),
    core.Decision(
        relationship_id="public.trust_events(station_id)->public.stations(id)",
        included=False,
        reason="Its confidence is below what is planned by default; include it by a policy.",
        on_delete=core.ON_DELETE_SET_NULL,
        orphan_action=core.ORPHAN_ACTION_SET_NULL,
    ),
]
PLAN = core.Plan(
    id=PLAN_ID,
    database="charging",
    audit_id=AUDIT_ID,
    state=core.PLAN_STATE_PROPOSED,
    fingerprint="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    steps=STEPS,
    decisions=DECISIONS,
    create_time=AT,
    author="ada@laptop",
)
JOB = core.Job(
    id=JOB_ID,
    kind=core.JOB_KIND_APPLICATION,
    state=core.JOB_STATE_SUCCEEDED,
    database="charging",
    plan_id=PLAN_ID,
    progress=core.Progress(activity="done", done=27, total=27),
    principal="ada@laptop",
    create_time=AT,
    start_time=AT,
    end_time=LATER,
    epoch=1,
    verifications=[
        core.Verification(
            relationship_id=RELATIONSHIPS[2].id,
            orphan_rows_before=8,
            backed_up_rows=8,
            constraint_name="fk_reports_station",
            declared=True,
            validated=True,
        ),
        core.Verification(
            relationship_id=RELATIONSHIPS[5].id,
            orphan_rows_before=2,
            orphan_rows_after=2,
            constraint_name="fk_user_vehicles_ev_vehicle",
            declared=True,
        ),
    ],
)
FAILED_JOB = core.Job(
    id=JOB_ID,
    kind=core.JOB_KIND_APPLICATION,
    state=core.JOB_STATE_FAILED,
    database="charging",
    plan_id=PLAN_ID,
    principal="ada@laptop",
    create_time=AT,
    end_time=LATER,
    error_reason="LOCK_TIMEOUT",
    error_message="The lock on reports could not be had within 60 s; process 4711 held it. Apply again when it is free.",
)
PAUSED_JOB = core.Job(
    id=JOB_ID,
    kind=core.JOB_KIND_APPLICATION,
    state=core.JOB_STATE_RUNNING,
    database="charging",
    plan_id=PLAN_ID,
    progress=core.Progress(activity="Clean up reports", done=3, total=27, waiting_for="paused by bob@desk"),
    principal="ada@laptop",
    create_time=AT,
    pause_requested=True,
)
CANCELLED_JOB = core.Job(
    id=JOB_ID,
    kind=core.JOB_KIND_APPLICATION,
    state=core.JOB_STATE_CANCELLED,
    database="charging",
    plan_id=PLAN_ID,
    principal="ada@laptop",
    create_time=AT,
    end_time=LATER,
    cancel_requested=True,
    error_message="Cancelled after step 3 of 27. In force now: 1 key NOT VALID (fk_reports_station); 8 rows are in the backup.",
)
ENTRIES = [
    log_pb.AuditLogEntry(
        sequence=13, time=LATER, principal="ada@laptop", action="plan.apply", database="charging", subject=JOB_ID, outcome="OK", hash="ab"
    ),
    log_pb.AuditLogEntry(
        sequence=12,
        time=AT,
        principal="ada@laptop",
        action="finding.ignore",
        database="charging",
        subject="unindexed_key:public.reports(reviewed_by)->public.users(id)",
        outcome="OK",
    ),
    log_pb.AuditLogEntry(
        sequence=11, time=AT, principal="ada@laptop", action="plan.approve", database="charging", subject=PLAN_ID, outcome="PLAN_STATE"
    ),
]

#: Name of the sample -> message; every response of the contract is among them.
BACKUPS = (
    backup_pb.Backup(
        plan_id=PLAN_ID,
        rows=1840,
        restored_rows=12,
        tables=[
            backup_pb.BackupTable(table="charging.charging_sessions", rows=1204),
            backup_pb.BackupTable(table="charging.payments", rows=636),
        ],
        first_time=AT,
        last_time=LATER,
    ),
    backup_pb.Backup(plan_id="plan-0649a1d3f9b4e2a17c00", first_time=AT, last_time=AT, purge_time=LATER),
)

SCHEDULE = schedule_pb.Schedule(
    database="charging",
    cron="30 2 * * *",
    time_zone="Europe/Berlin",
    jitter=Duration(seconds=600),
    estimate_after=Duration(seconds=90),
    next_time=LATER,
    last_time=AT,
    last_audit_id=AUDIT_ID,
    missed_runs=2,
    missed_reason=f"Audit {AUDIT_ID} of the database was still running at 2026-11-18 01:30 UTC.",
    principal="ann@example",
)
COUNTS = [
    audit_pb.OrphanCount(
        time=Timestamp(seconds=AT.seconds - 86_400 * day),
        audit_id=f"audit-0649a1d3e7f2c5b80e{day:02x}",
        relationship_id=item.id,
        orphan_rows=core.RowCount(value=rows[day], exactness=core.EXACTNESS_EXACT),
    )
    for day in range(4)
    for item, rows in zip(RELATIONSHIPS[:3], ((3, 2, 1, 0), (0, 0, 0, 0), (4_200_000, 4_200_000, 90, 1)), strict=True)
]

RESPONSES: dict[str, Message] = {
    "impact": impact_pb.GetImpactResponse(
        exact=False,
        impacts=[
            impact_pb.Impact(
                table="public.stations",
                action="IMPACT_ACTION_DELETE",
                rows=core.RowCount(value=1, exactness=core.EXACTNESS_EXACT, as_of=AT),
                sample_columns=["id"],
            ),
            impact_pb.Impact(
                table="public.reports",
                action="IMPACT_ACTION_ORPHAN",
                relationship_id=FINDINGS[0].relationship_id,
                rows=core.RowCount(value=8, exactness=core.EXACTNESS_EXACT, as_of=AT),
                depth=1,
                sample_columns=["id"],
                samples=[audit_pb.OrphanSample(values=[str(number)], nulls=[False]) for number in (10_001, 10_002)],
            ),
            impact_pb.Impact(
                table="public.events",
                action="IMPACT_ACTION_BLOCK",
                constraint_name="fk_events_station",
                rows=core.RowCount(exactness="EXACTNESS_NOT_COUNTED", reason="no usable index"),
                depth=1,
                reason="no usable index on public.events(station_id), so its rows were not looked for",
            ),
        ],
        unknown=["public.events(station_id) has no usable index"],
    ),
    "gate": gate_pb.JudgeAuditResponse(
        passed=True,
        more_orphans=[gate_pb.MoreOrphans(relationship_id="public.reports(station_id)->public.stations(id)", base=7, head=8)],
        new_orphan_rows=1,
        current=gate_pb.Baseline(audit_id="audit-0650a1b2c3d4e5f60718"),
    ),
    "schedules set": schedule_pb.SetScheduleResponse(schedule=SCHEDULE),
    "schedules show": schedule_pb.GetScheduleResponse(schedule=SCHEDULE),
    "schedules list": schedule_pb.ListSchedulesResponse(
        schedules=[SCHEDULE, schedule_pb.Schedule(database="shop", interval=Duration(seconds=21_600), next_time=LATER)]
    ),
    "schedules remove": schedule_pb.RemoveScheduleResponse(),
    "history": audit_pb.ListOrphanCountsResponse(counts=COUNTS),
    "audits compare": audit_pb.CompareAuditsResponse(
        base=AUDIT,
        head=AUDIT,
        relationships=[
            audit_pb.RelationshipChange(
                kind=audit_pb.CHANGE_KIND_CHANGED,
                relationship_id=RELATIONSHIPS[0].id,
                base_orphan_rows=core.RowCount(value=1_250_000, exactness=core.EXACTNESS_EXACT),
                head_orphan_rows=core.RowCount(value=3, exactness=core.EXACTNESS_ESTIMATED),
                message="declared as charging_sessions_station_id_fkey, an index appeared, about 1249997 fewer orphan rows",
            ),
            audit_pb.RelationshipChange(
                kind=audit_pb.CHANGE_KIND_APPEARED, relationship_id=RELATIONSHIPS[1].id, message="candidate for review"
            ),
            audit_pb.RelationshipChange(kind=audit_pb.CHANGE_KIND_WENT_AWAY, relationship_id=RELATIONSHIPS[2].id, message="candidate"),
        ],
        findings=[
            audit_pb.FindingChange(kind=audit_pb.CHANGE_KIND_APPEARED, finding=FINDINGS[0]),
            audit_pb.FindingChange(kind=audit_pb.CHANGE_KIND_WENT_AWAY, finding=IGNORED),
        ],
        changed_relationships=3,
        changed_findings=14,
    ),
    "databases add": database_pb.AddDatabaseResponse(database=DATABASE),
    "databases show": database_pb.GetDatabaseResponse(database=DATABASE),
    "databases update": database_pb.UpdateDatabaseResponse(database=DATABASE),
    "databases remove": database_pb.RemoveDatabaseResponse(),
    "databases list": database_pb.ListDatabasesResponse(databases=[DATABASE]),
    "databases check": database_pb.CheckDatabaseResponse(
        database=DATABASE,
        checks=[
            database_pb.Check(id="connection", state=database_pb.CHECK_STATE_PASSED, message="Connected in 12 ms."),
            database_pb.Check(
                id="direct_connection",
                state=database_pb.CHECK_STATE_BLOCKS_APPLICATION,
                message="The connection goes through a pooler in transaction mode.",
                cure="Register a DSN that leads to PostgreSQL itself.",
            ),
        ],
    ),
    "plans check": plan_pb.CheckPlanResponse(
        checks=[
            database_pb.Check(id="drift", state=database_pb.CHECK_STATE_PASSED, message="The tables are as they were."),
            database_pb.Check(
                id="old_transactions",
                state=database_pb.CHECK_STATE_WARNING,
                message="Transactions older than 60 s hold up locks: pid 4711 (billing, idle for 12 min).",
                cure="Wait for them, or end them.",
            ),
        ],
        ready=True,
    ),
    "audit --detach": audit_pb.StartAuditResponse(
        audit=audit_pb.Audit(id=AUDIT_ID, database="charging", state=audit_pb.AUDIT_STATE_QUEUED, create_time=AT), job=JOB
    ),
    "audit": audit_pb.GetAuditResponse(audit=AUDIT),
    "audits list": audit_pb.ListAuditsResponse(audits=[AUDIT]),
    "relationships": audit_pb.ListRelationshipsResponse(relationships=[*RELATIONSHIPS, DECLARED], audit_id=AUDIT_ID),
    "tables": audit_pb.ListTablesResponse(tables=TABLES, audit_id=AUDIT_ID),
    "findings": audit_pb.ListFindingsResponse(findings=FINDINGS, audit_id=AUDIT_ID),
    "findings --ignored": audit_pb.ListFindingsResponse(findings=[FINDINGS[0], IGNORED], audit_id=AUDIT_ID),
    "ignore": audit_pb.IgnoreFindingResponse(finding=IGNORED),
    "unignore": audit_pb.UnignoreFindingResponse(),
    "orphans": audit_pb.SampleOrphansResponse(
        columns=["id", "station_id", "reason"],
        samples=[
            audit_pb.OrphanSample(values=["1043", "99", "[red]broken[/red]"], nulls=[False, False, False]),
            audit_pb.OrphanSample(values=["1044", "99", ""], nulls=[False, False, True]),
        ],
    ),
    "plan": plan_pb.CreatePlanResponse(plan=PLAN),
    "plans show": plan_pb.GetPlanResponse(plan=PLAN),
    "plans approve": plan_pb.ApprovePlanResponse(plan=PLAN),
    "plans reject": plan_pb.RejectPlanResponse(plan=PLAN),
    "plans list": plan_pb.ListPlansResponse(plans=[PLAN]),
    "script": plan_pb.RenderPlanResponse(script="BEGIN;\nCOMMIT;\n"),
    "apply --detach": migration_pb.ApplyPlanResponse(job=JOB),
    "rollback": migration_pb.RollBackResponse(job=JOB),
    "restore": migration_pb.RestoreRowsResponse(job=JOB),
    "backups list": backup_pb.ListBackupsResponse(backups=BACKUPS),
    "backups purge": backup_pb.PurgeBackupsResponse(backups=BACKUPS[:1]),
    "jobs show": job_pb.GetJobResponse(job=JOB),
    "jobs show failed": job_pb.GetJobResponse(job=FAILED_JOB),
    "jobs show cancelled": job_pb.GetJobResponse(job=CANCELLED_JOB),
    "cancel": job_pb.CancelJobResponse(job=JOB),
    "pause": job_pb.PauseJobResponse(job=PAUSED_JOB),
    "resume": job_pb.ResumeJobResponse(job=JOB),
    "jobs list": job_pb.ListJobsResponse(jobs=[JOB, FAILED_JOB, PAUSED_JOB]),
    "suggestions": report_pb.ListSuggestionsResponse(
        suggestions=[report_pb.Suggestion(text="11 rows reference nothing.", command="holdfast relationships charging reports.station_id")],
        findings="2 findings: 1 ERROR, 1 WARN.",
        audit_id=AUDIT_ID,
    ),
    "map": report_pb.DrawMapResponse(svg="<svg></svg>", audit_id=AUDIT_ID),
    "log": log_pb.ListEntriesResponse(entries=ENTRIES),
    "log --verify": log_pb.VerifyEntriesResponse(intact=True, entries=12, head_hash="9f86d081884c7d65"),
}
