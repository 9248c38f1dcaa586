"""What a report is made of: in comes the name of a database, out come its audit, relationships and findings."""

import functools
from dataclasses import dataclass

from holdfast.client import Holdfast
from holdfast.pages import every_page
from holdfast.v1.audit_service_pb2 import Audit
from holdfast.v1.core_pb2 import (
    EXACTNESS_NOT_COUNTED,
    FINDING_STATE_IGNORED,
    TIER_DECLARED,
    TIER_PLAN,
    TIER_REVIEW,
    Finding,
    Relationship,
)
from holdfast.v1.database_service_pb2 import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One audit, whole, and the database it is of."""

    database: Database
    audit: Audit
    relationships: tuple[Relationship, ...]
    #: Ignored ones included.
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The name of the database, as commands take it."""
        return self.audit.database

    @property
    def meant(self) -> tuple[Relationship, ...]:
        """Relationships that are declared, or would be planned."""
        return tuple(item for item in self.relationships if item.tier in (TIER_DECLARED, TIER_PLAN))

    @property
    def undeclared(self) -> tuple[Relationship, ...]:
        """Relationships that a plan would declare."""
        return tuple(item for item in self.relationships if item.tier == TIER_PLAN)

    @property
    def doubtful(self) -> tuple[Relationship, ...]:
        """Relationships for review, the likeliest first."""
        return tuple(sorted((item for item in self.relationships if item.tier == TIER_REVIEW), key=lambda item: -item.confidence))

    @property
    def with_orphans(self) -> tuple[Relationship, ...]:
        """Relationships that are meant and have orphan rows, the most first; each once, however many constraints declare it."""
        found = {item.id: item for item in self.meant if is_counted(item) and item.orphan_rows.value}
        return tuple(sorted(found.values(), key=lambda item: -item.orphan_rows.value))

    @property
    def uncounted(self) -> tuple[Relationship, ...]:
        """Relationships whose rows were not counted."""
        return tuple(item for item in self.relationships if not is_counted(item))

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings that stand."""
        return tuple(item for item in self.findings if item.state != FINDING_STATE_IGNORED)

    @property
    def ignored(self) -> tuple[Finding, ...]:
        """Findings that somebody decided to live with."""
        return tuple(item for item in self.findings if item.state == FINDING_STATE_IGNORED)


def is_counted(item: Relationship) -> bool:
    """Tell whether the number of orphan rows means anything."""
    return item.orphan_rows.exactness != EXACTNESS_NOT_COUNTED


async def gather(client: Holdfast, name: str, audit_id: str = "") -> Facts:
    """Read an audit of a database with all that it found; without an id, the latest."""
    listed = await every_page(functools.partial(client.list_relationships, name, audit_id=audit_id))
    findings = functools.partial(client.list_findings, name, audit_id=listed.audit_id, include_ignored=True)
    return Facts(
        database=(await client.get_database(name)).database,
        audit=(await client.get_audit(listed.audit_id)).audit,
        relationships=tuple(listed.relationships),
        findings=tuple((await every_page(findings)).findings),
    )
