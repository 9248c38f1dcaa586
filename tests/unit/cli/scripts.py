"""What the scripted server is asked by which command line, and the stream of a watched job."""

import time
from collections.abc import Callable, Iterator

from google.protobuf.message import Message

from holdfast.v1 import core_pb2 as core
from holdfast.v1 import job_service_pb2 as job_pb
from unit.cli.samples import AUDIT_ID, FINDINGS, JOB_ID, PLAN_ID, RELATIONSHIPS

#: Command line -> (rpc, name of the sample it answers with); the rest of the commands have tests of their own.
PLAIN = {
    ("databases", "add", "charging", "--dsn-env", "CHARGING_DSN"): ("AddDatabase", "databases add"),
    ("databases", "list"): ("ListDatabases", "databases list"),
    ("databases", "show", "charging"): ("GetDatabase", "databases show"),
    ("databases", "update", "charging", "--dsn", "postgresql://h/d"): ("UpdateDatabase", "databases update"),
    ("databases", "remove", "charging", "--yes"): ("RemoveDatabase", "databases remove"),
    ("databases", "check", "charging"): ("CheckDatabase", "databases check"),
    ("audit", "charging", "--detach"): ("StartAudit", "audit --detach"),
    ("audits", "list", "--database", "charging"): ("ListAudits", "audits list"),
    ("audits", "show", AUDIT_ID): ("GetAudit", "audit"),
    ("relationships", "charging"): ("ListRelationships", "relationships"),
    ("tables", "charging"): ("ListTables", "tables"),
    ("findings", "charging"): ("ListFindings", "findings"),
    ("impact", "charging", "stations", "42"): ("GetImpact", "impact"),
    ("gate", "charging"): ("JudgeAudit", "gate"),
    ("ignore", "charging", FINDINGS[1].id, "--reason", "Nobody deletes users."): ("IgnoreFinding", "ignore"),
    ("unignore", "charging", FINDINGS[1].id): ("UnignoreFinding", "unignore"),
    ("orphans", "charging", RELATIONSHIPS[2].id, "--column", "reason"): ("SampleOrphans", "orphans"),
    ("audits", "compare", "charging"): ("CompareAudits", "audits compare"),
    ("history", "charging"): ("ListOrphanCounts", "history"),
    ("history", "charging", RELATIONSHIPS[2].id, "--since", "7d"): ("ListOrphanCounts", "history"),
    ("schedules", "set", "charging", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin"): ("SetSchedule", "schedules set"),
    ("schedules", "list"): ("ListSchedules", "schedules list"),
    ("schedules", "show", "charging"): ("GetSchedule", "schedules show"),
    ("schedules", "remove", "charging"): ("RemoveSchedule", "schedules remove"),
    ("plan", "charging"): ("CreatePlan", "plan"),
    ("plans", "list"): ("ListPlans", "plans list"),
    ("plans", "show", PLAN_ID): ("GetPlan", "plans show"),
    ("plans", "check", PLAN_ID): ("CheckPlan", "plans check"),
    ("plans", "approve", PLAN_ID): ("ApprovePlan", "plans approve"),
    ("plans", "reject", PLAN_ID): ("RejectPlan", "plans reject"),
    ("script", PLAN_ID, "--kind", "verify"): ("RenderPlan", "script"),
    ("apply", PLAN_ID, "--detach"): ("ApplyPlan", "apply --detach"),
    ("restore", JOB_ID, "--relink", "--detach"): ("RestoreRows", "restore"),
    ("rollback", JOB_ID, "--detach"): ("RollBack", "rollback"),
    ("backups", "list", "charging"): ("ListBackups", "backups list"),
    ("backups", "purge", "charging", "--older-than", "90d", "--yes"): ("PurgeBackups", "backups purge"),
    ("cancel", JOB_ID): ("CancelJob", "cancel"),
    ("pause", JOB_ID): ("PauseJob", "pause"),
    ("resume", JOB_ID): ("ResumeJob", "resume"),
    ("jobs", "list"): ("ListJobs", "jobs list"),
    ("jobs", "show", JOB_ID): ("GetJob", "jobs show"),
    ("log", "charging"): ("ListEntries", "log"),
    ("log", "--verify"): ("VerifyEntries", "log --verify"),
}


WATCH = [
    job_pb.WatchJobResponse(
        snapshot=core.Job(id=JOB_ID, kind=core.JOB_KIND_APPLICATION, state=core.JOB_STATE_RUNNING, database="charging"), resume_token="0"
    ),
    job_pb.WatchJobResponse(
        event=core.Event(job_id=JOB_ID, sequence=1, kind=core.EVENT_KIND_STEP_STARTED, message="Build index", step=2), resume_token="1"
    ),
    job_pb.WatchJobResponse(
        event=core.Event(
            job_id=JOB_ID, sequence=2, kind=core.EVENT_KIND_LOCK_WAIT, message="Waiting for reports, held by process 4711", step=2
        ),
        resume_token="2",
    ),
    job_pb.WatchJobResponse(heartbeat=job_pb.Heartbeat(), resume_token="2"),
    job_pb.WatchJobResponse(event=core.Event(job_id=JOB_ID, sequence=3, kind=core.EVENT_KIND_STEP_DONE, step=2), resume_token="3"),
]


def ending_with(job: core.Job) -> list[job_pb.WatchJobResponse]:
    return [*WATCH, job_pb.WatchJobResponse(final=job, resume_token="3")]


def hanging(messages: list[job_pb.WatchJobResponse]) -> Callable[[Message], Iterator[job_pb.WatchJobResponse]]:
    def stream(_: Message) -> Iterator[job_pb.WatchJobResponse]:
        yield from messages
        time.sleep(2)

    return stream
