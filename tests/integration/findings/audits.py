"""A whole audit of a database, as far as findings go."""

import re

import asyncpg

from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.orphans import count_orphans
from holdfastd.findings.derive import derive_findings
from holdfastd.findings.model import Finding, FindingKind
from holdfastd.inference.candidates import infer_candidates
from holdfastd.inference.relationships import derive_relationships

#: A statement in a cure: quoted names whole, up to the English that continues or the end of the sentence.
_STATEMENT = re.compile(
    r"(?:ALTER (?:TABLE|INDEX|ROLE)|(?:CREATE|DROP) (?:UNIQUE )?INDEX|GRANT|SELECT) "
    r'(?:"(?:[^"]|"")*"|[^"])*?'
    r"(?=\.\Z|; |, then |, which |, clean up |, or | as a superuser| and (?:ALTER|run|declare) | if rows | by hand|, and | when )"
)
_SENTENCE = re.compile(r'[\w"].*[^.]\.', re.DOTALL)


async def audit(connection: asyncpg.Connection) -> tuple[Finding, ...]:
    """Read, infer, count and derive, as an audit does; whatever is found, it is said in sentences, and once."""
    catalog = await read_catalog(connection)
    candidates = infer_candidates(catalog)
    counts = {
        relationship.id: await count_orphans(
            connection, catalog, relationship.referencing, relationship.referenced, relationship.operators, timeout_seconds=10
        )
        for relationship in derive_relationships(catalog, candidates, {})
        if relationship.operators
    }
    findings = derive_findings(catalog, derive_relationships(catalog, candidates, counts))
    for finding in findings:
        for text in (finding.message, finding.consequence, finding.cure):
            assert _SENTENCE.fullmatch(text), text
    assert len({finding.id for finding in findings}) == len(findings)
    return findings


async def found(connection: asyncpg.Connection, kind: FindingKind) -> list[Finding]:
    """Audit and return the findings of a kind."""
    return [finding for finding in await audit(connection) if finding.kind is kind]


def statements(finding: Finding) -> list[str]:
    """Return the SQL in the cure of a finding, in the order given."""
    return _STATEMENT.findall(finding.cure)
