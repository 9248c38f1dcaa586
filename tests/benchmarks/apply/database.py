"""The database that a plan is applied to: rows and orphan rows by factor, and the relationships with what to do about them."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg

from holdfast.v1 import core_pb2 as core
from holdfast.v1.plan_service_pb2 import Override, Policy

#: Rows at factor 1.
ROWS = {"users": 200_000, "stations": 50_000, "charging_sessions": 3_500_000, "reports": 1_000_000, "trust_events": 600_000}
#: Shares of the orphan rows.
_SHARES = {"session": 0.5, "user": 0.1, "report": 0.25, "event": 0.15}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A relationship, and whether its orphan rows are deleted or set NULL."""

    table: str
    column: str
    referenced: str
    nulled: bool = False

    def orphans(self, selected: str) -> str:
        """The query for something about orphan rows, as the documents write it."""
        return (
            f"SELECT {selected} FROM {self.table} r LEFT JOIN {self.referenced} s ON r.{self.column} = s.id"
            f" WHERE r.{self.column} IS NOT NULL AND s.id IS NULL"
        )

    @property
    def relationship_id(self) -> str:
        """The relationship as Holdfast calls it."""
        return f"public.{self.table}({self.column})->public.{self.referenced}(id)"


REFERENCES = (
    Reference(table="charging_sessions", column="station_id", referenced="stations"),
    Reference(table="charging_sessions", column="user_id", referenced="users", nulled=True),
    Reference(table="reports", column="station_id", referenced="stations"),
    Reference(table="trust_events", column="user_id", referenced="users"),
)


async def fill(dsn: str, *, factor: float, orphans: int) -> None:
    """Fill an empty database; the number of orphan rows comes out within a hundredth."""
    rows = {name: int(count * factor) for name, count in ROWS.items()}
    gaps = {
        "session_gap": int(rows["charging_sessions"] / (orphans * _SHARES["session"])),
        "user_gap": int(rows["charging_sessions"] / (orphans * _SHARES["user"])) // 10 * 10,
        "report_gap": int(rows["reports"] / (orphans * _SHARES["report"])),
        "event_gap": int(rows["trust_events"] / (orphans * _SHARES["event"])),
    }
    text = Path(__file__).with_name("generate.sql").read_text(encoding="utf-8")
    for name, value in {**rows, **gaps}.items():
        text = text.replace(f"{{{name}}}", str(value))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(text)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def count_orphans(dsn: str) -> int:
    """Return the orphan rows of all relationships."""
    connection = await asyncpg.connect(dsn)
    try:
        counts = [await connection.fetchval(each.orphans("count(*)")) for each in REFERENCES]
    finally:
        await connection.close()
    return sum(counts)


def policy() -> Policy:
    """Return the decisions, so that the plan is that of the script."""
    return Policy(
        overrides=[
            Override(
                relationship_id=each.relationship_id,
                include=True,
                on_delete=core.ON_DELETE_SET_NULL if each.nulled else core.ON_DELETE_CASCADE,
                orphan_action=core.ORPHAN_ACTION_SET_NULL if each.nulled else core.ORPHAN_ACTION_DELETE,
            )
            for each in REFERENCES
        ]
    )


def naive_script() -> tuple[str, ...]:
    """Return what the documents do by hand: copy orphan rows, change them, count; indexes and keys in one transaction; count again."""
    copy = [f"CREATE TABLE _backup_orphan_{each.table}_{each.column} AS {each.orphans('r.*')}" for each in REFERENCES]
    change = [
        (f"UPDATE {each.table} SET {each.column} = NULL" if each.nulled else f"DELETE FROM {each.table}")
        + f" WHERE id IN ({each.orphans('r.id')})"
        for each in REFERENCES
    ]
    count = [" UNION ALL ".join(each.orphans("count(*)") for each in REFERENCES)]
    indexes = [f"CREATE INDEX {each.table}_{each.column}_idx ON {each.table} ({each.column})" for each in REFERENCES]
    keys = [
        f"ALTER TABLE {each.table} ADD CONSTRAINT fk_{each.table}_{each.column} FOREIGN KEY ({each.column})"
        f" REFERENCES {each.referenced} (id) ON DELETE {'SET NULL' if each.nulled else 'CASCADE'}"
        for each in REFERENCES
    ]
    return (*copy, *change, *count, "BEGIN", *indexes, *keys, "COMMIT", *count)
