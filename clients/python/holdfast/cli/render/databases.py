"""Databases and their checks as tables."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast.cli.render.checks import listed
from holdfast.cli.render.shapes import facts, listing, or_nothing
from holdfast.cli.render.words import clean, moment, state
from holdfast.v1.database_service_pb2 import CheckDatabaseResponse, Database, DatabaseState

#: What the service takes 0 for.
_JOBS_AT_ONCE = 2


def one(database: Database) -> RenderableType:
    """Return one database."""
    return facts(
        (
            ("database", Text(clean(database.name), style="bold")),
            ("state", state(DatabaseState, database.state)),
            ("server", f"{clean(database.host)}:{database.port}/{clean(database.database_name)}"),
            ("version", f"PostgreSQL {clean(database.server_version)}"),
            ("role", clean(database.role)),
            ("DSN from", clean(database.dsn_source)),
            ("since", moment(database.create_time)),
            ("approval", "by somebody else than the author" if database.settings.four_eyes else "by anybody who may"),
            ("jobs at once", str(database.settings.max_running_jobs or _JOBS_AT_ONCE)),
        )
    )


def many(databases: Iterable[Database]) -> RenderableType:
    """Return a list of databases."""
    table = listing("Name", "State", "Server", "Version", "Role", narrow=("State", "Version"))
    for database in databases:
        table.add_row(
            clean(database.name),
            state(DatabaseState, database.state),
            f"{clean(database.host)}:{database.port}/{clean(database.database_name)}",
            clean(database.server_version),
            clean(database.role),
        )
    return or_nothing(table, "No database is registered; see `holdfast databases add --help`.")


def checks(response: CheckDatabaseResponse) -> RenderableType:
    """Return what was checked, and what to do about it."""
    return Group(one(response.database), "", listed(response.checks))
