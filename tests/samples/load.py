"""The two sample databases: loading one into an empty database, and what is true of it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

SAMPLES = ("ev_charging", "gaztime")
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRelationship:
    """One undeclared key: `table.column` on both sides, in schema public."""

    referencing: str
    referenced: str
    nullable: bool
    on_delete: str
    orphan_rows: int
    document_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalCheck:
    """One query that counts orphan rows: `before` as loaded, 0 after the migration."""

    name: str
    before: int
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What expected.toml says of one sample."""

    relationships: tuple[ExpectedRelationship, ...]
    unindexed: tuple[str, ...]
    workload_unindexed: tuple[str, ...]
    final_checks: tuple[FinalCheck, ...]

    @property
    def orphan_rows(self) -> int:
        """All orphan rows of the sample."""
        return sum(relationship.orphan_rows for relationship in self.relationships)


def read_expected(name: str) -> Expected:
    """What is true of the sample `name`."""
    raw = tomllib.loads((_HERE / name / "expected.toml").read_text(encoding="utf-8"))
    return Expected(
        relationships=tuple(ExpectedRelationship(**each) for each in raw["relationship"]),
        unindexed=tuple(raw["unindexed"]),
        workload_unindexed=tuple(raw["workload_unindexed"]),
        final_checks=tuple(FinalCheck(**each) for each in raw.get("final_check", ())),
    )


async def load_sample(dsn: str, name: str) -> None:
    """Create and fill the sample `name` in the empty database at `dsn`, with fresh statistics."""
    # A name set by the caller's role must not send the tables elsewhere.
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "public"})
    try:
        for part in ("schema.sql", "data.sql"):
            await connection.execute((_HERE / name / part).read_text(encoding="utf-8"))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
