"""Small values for tests of the store, each valid, and different only where the test says so."""

from datetime import UTC, datetime
from typing import Any

from holdfastd.catalog.model import Identity, OnDelete
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Evidence, Relationship, Risk, Tier
from holdfastd.jobs.model import EventKind, Happening, Job, JobKind
from holdfastd.names import ColumnSet, TableName
from holdfastd.plan.model import Plan, Statement, Step, StepKind
from holdfastd.store import audits, databases, jobs
from holdfastd.store.model import AuditSummary, DatabaseRecord, DsnKind, Registration

MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SUMMARY = AuditSummary(
    tables=4,
    relationships=2,
    undeclared_relationships=2,
    orphan_rows=8,
    not_validated_keys=0,
    missing_indexes=2,
    findings=2,
    not_auditable=0,
)


def a_registration(name: str = "shop", *, oid: int = 5, **changes: Any) -> Registration:
    values: dict[str, Any] = {
        "name": name,
        "host": "db.example",
        "port": 5432,
        "database_name": "shop",
        "role": "app",
        "dsn_kind": DsnKind.ENV,
        "dsn_reference": "SHOP_DSN",
        "dsn_encrypted": None,
        "identity": Identity(
            system_identifier="7300000000000000001",
            database_oid=oid,
            database_name="shop",
            version_number=180004,
            version="18.4",
        ),
    }
    return Registration(**values | changes)


def a_relationship(column: str = "customer_id", *, table: str = "orders", orphans: int = 8) -> Relationship:
    return Relationship(
        referencing=ColumnSet(TableName("public", table), (column,)),
        referenced=ColumnSet(TableName("public", "customers"), ("id",)),
        declared=False,
        validated=False,
        enforced=False,
        constraint_name="",
        declared_on_delete=None,
        nullable=True,
        confidence=0.97,
        tier=Tier.PLAN,
        evidence=(Evidence(rule="name", text="customer_id names customers"),),
        orphan_rows=RowCount(value=orphans, exactness=Exactness.EXACT, as_of=MOMENT),
        risk=Risk.HIGH,
        suggested_on_delete=OnDelete.SET_NULL,
        rationale="Orders outlive customers.",
        indexed=False,
        obstacle="",
        operators=(),
    )


def a_finding(severity: Severity, table: str = "orders") -> Finding:
    return Finding(
        kind=FindingKind.NO_PRIMARY_KEY,
        severity=severity,
        message="It is so.",
        consequence="It stays so.",
        cure="Change it.",
        table=TableName("public", table),
    )


def a_plan(title: str = "Index orders") -> Plan:
    step = Step(number=1, kind=StepKind.CREATE_INDEX, title=title, statements=(Statement(sql="SELECT 'it''s'"),))
    return Plan(steps=(step,), decisions=(), fingerprint="f00d", facts=("table public.orders",))


def an_event(message: str = "Something", kind: EventKind = EventKind.STEP_DONE) -> Happening:
    return Happening(kind=kind, message=message)


async def add_database(store: Any, name: str = "shop", *, oid: int = 5) -> DatabaseRecord:
    async with store.transaction() as connection:
        return await databases.add(connection, a_registration(name, oid=oid))


async def add_audit(store: Any, database: DatabaseRecord) -> Job:
    async with store.transaction() as connection:
        audit_id = await audits.create(connection, database.id)
        return await add_job(connection, database, JobKind.AUDIT, audit_id=audit_id)


async def add_job(connection: Any, database: DatabaseRecord, kind: JobKind = JobKind.APPLICATION, **more: str) -> Job:
    return await jobs.enqueue(connection, kind=kind, database=database.name, database_id=database.id, principal="ann", **more)
