"""A database built to mislead: names, types, inheritance, partitions, keys that are none. Its truth was found by the server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.evidence.model import Exactness
from holdfastd.evidence.orphans import count_orphans
from holdfastd.evidence.statements import recount_orphans_sql
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect
from support.postgres import Server, database_name

HOSTILE = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "hostile"

#: What PostgreSQL refuses for other reasons than operators; their rows can be counted all the same.
_OTHER_REASONS = ("42809", "42P16")


async def load(server: Server, dsn: str) -> None:
    # The programs of the server under test must be found first: they know its syntax.
    path = f"{Path(server.binaries.program('psql')).parent}:/usr/bin:/bin"
    script = await asyncio.create_subprocess_exec(
        "bash", str(HOSTILE / "load.sh"), dsn, env={"PATH": path}, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await script.communicate()
    assert script.returncode == 0, errors.decode()[-2000:]


def pair_of(truth: dict[str, Any]) -> tuple[ColumnSet, ColumnSet]:
    return (
        ColumnSet(TableName(truth["child_schema"], truth["child_table"]), tuple(truth["child_columns"])),
        ColumnSet(TableName(truth["parent_schema"], truth["parent_table"]), tuple(truth["parent_columns"])),
    )


@pytest.mark.slow
async def test_every_count_is_the_true_one(any_postgres: Server, any_database: str) -> None:
    """Both counts equal the server's, and what PostgreSQL cannot implement is not counted."""
    if not HOSTILE.is_dir():
        pytest.skip(f"{HOSTILE} is not here")
    await load(any_postgres, any_database)
    connection = await connect(any_database, application_name=database_name(any_database), read_only=True)
    wrong, counted = [], 0
    try:
        catalog = await read_catalog(connection)
        for truth in json.loads((HOSTILE / "truth.json").read_text())["relationships"]:
            referencing, referenced = pair_of(truth)
            if not {referencing.table, referenced.table} <= catalog.tables.keys():
                # Made only where the version, ICU or citext allow it.
                assert truth["only_on"], truth["id"]
                continue
            operators = resolve_operators(catalog, referencing, referenced)
            if (operators is None) == (truth["implementable"] or verdict(truth).startswith(_OTHER_REASONS)):
                wrong.append(f"{truth['id']}: predicted {operators}, PostgreSQL says {verdict(truth)}")
            count = await count_orphans(connection, catalog, referencing, referenced, operators or (), timeout_seconds=30)
            if operators is None:
                assert count.exactness is Exactness.NOT_COUNTED
                continue
            again = await connection.fetchval(recount_orphans_sql(catalog, referencing, referenced, operators))
            counted += 1
            if not count.value == again == truth["orphan_rows"]:
                wrong.append(f"{truth['id']}: {count.value} and {again}, not {truth['orphan_rows']}")
    finally:
        await connection.close()

    assert wrong == []
    assert counted > 50


def verdict(truth: dict[str, Any]) -> str:
    """What PostgreSQL said to ADD FOREIGN KEY NOT VALID."""
    return str((truth.get("pg15") or truth.get("pg18"))["add_not_valid"])
