"""Backups as tables."""

from collections.abc import Iterable

from rich.console import RenderableType

from holdfast.cli.render.shapes import listing, or_nothing
from holdfast.cli.render.words import clean, minute, number
from holdfast.v1.backup_service_pb2 import Backup


def many(backups: Iterable[Backup]) -> RenderableType:
    """Return the backups of a database, with the tables that their rows are from."""
    table = listing("Plan", "Rows", "Came back", "Saved last", "Tables", numbers=("Rows", "Came back"), narrow=("Plan", "Saved last"))
    for backup in backups:
        tables = ", ".join(f"{clean(item.table)}: {number(item.rows)}" for item in backup.tables)
        state = f"purged {minute(backup.purge_time)}" if backup.HasField("purge_time") else tables
        table.add_row(clean(backup.plan_id), number(backup.rows), number(backup.restored_rows), minute(backup.last_time), state)
    return or_nothing(table, "There is no backup yet.")


def purged(backups: Iterable[Backup]) -> RenderableType:
    """Return what was deleted for good."""
    table = listing("Plan", "Rows purged", "Saved last", numbers=("Rows purged",), narrow=("Plan", "Saved last"))
    for backup in backups:
        table.add_row(clean(backup.plan_id), number(backup.rows + backup.restored_rows), minute(backup.last_time))
    return or_nothing(table, "There was nothing to purge.")
