"""`holdfast databases …`: registering the databases that Holdfast looks after."""

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.arguments import Dsn, DsnEnv, DsnFile, Name
from holdfast.cli.asking import Yes, ask
from holdfast.cli.failures import ExitCode, InputError
from holdfast.cli.session import Session, command
from holdfast.pages import every_page
from holdfast.v1.core_pb2 import JOB_KIND_APPLICATION
from holdfast.v1.database_service_pb2 import CHECK_STATE_BLOCKS_AUDIT, DatabaseSettings, DsnSource

app = typer.Typer(name="databases", help="Register, list and check databases.", no_args_is_help=True)

FourEyes = Annotated[
    bool | None,
    typer.Option("--four-eyes/--no-four-eyes", help="Plans are approved by somebody else than who made them.", show_default=False),
]
MaxRunningJobs = Annotated[
    int | None,
    typer.Option("--max-running-jobs", metavar="N", min=1, help="So many jobs at the same time at most (2).", show_default=False),
]


@command(app, "add", example="holdfast databases add shop --dsn-env SHOP_DSN")
async def add(
    session: Session,
    name: Name,
    dsn_env: DsnEnv = "",
    dsn_file: DsnFile = "",
    dsn: Dsn = "",
    four_eyes: FourEyes = None,
    max_running_jobs: MaxRunningJobs = None,
) -> None:
    """Register a database after connecting to it once.

    Give exactly one of --dsn-env, --dsn-file and --dsn.
    """
    source = dsn_source(env=dsn_env, file=dsn_file, inline=dsn)
    settings = _changed(DatabaseSettings(), four_eyes, max_running_jobs)
    response = await session.client.add_database(name, source, settings=settings)
    session.show(response)
    if response.database.pooler:
        session.tell(response.database.pooler)
    session.suggest(f"holdfast audit {name}")


@command(app, "list", example="holdfast databases list")
async def list_(session: Session) -> None:
    """List the registered databases."""
    session.show(await every_page(session.client.list_databases))


@command(app, "show", example="holdfast databases show shop")
async def show(session: Session, name: Name) -> None:
    """Show one database."""
    session.show(await session.client.get_database(name))


@command(app, "update", example="holdfast databases update shop --dsn-file /run/secrets/shop_dsn")
async def update(
    session: Session,
    name: Name,
    dsn_env: DsnEnv = "",
    dsn_file: DsnFile = "",
    dsn: Dsn = "",
    four_eyes: FourEyes = None,
    max_running_jobs: MaxRunningJobs = None,
) -> None:
    """Replace the DSN, which must lead to the same database, or change settings.

    Give at most one of --dsn-env, --dsn-file and --dsn.
    """
    changes_settings = four_eyes is not None or max_running_jobs is not None
    has_dsn = any((dsn_env, dsn_file, dsn))
    source = dsn_source(env=dsn_env, file=dsn_file, inline=dsn) if has_dsn or not changes_settings else None
    if not changes_settings:
        session.show(await session.client.update_database(name, source))
        return
    # Settings are replaced as a whole; the etag keeps what somebody else changes in between.
    present = (await session.client.get_database(name)).database
    settings = _changed(present.settings, four_eyes, max_running_jobs)
    session.show(await session.client.update_database(name, source, settings=settings, etag=present.etag))


@command(app, "remove", example="holdfast databases remove shop")
async def remove(session: Session, name: Name, yes: Yes = False) -> None:
    """Forget a database with its audits, plans and jobs.

    Applications can no longer be rolled back then.
    The audit log stays, and so does schema holdfast in the database.
    """
    applied = (await session.client.list_jobs(database=name, kind=JOB_KIND_APPLICATION, page_size=1)).jobs
    if applied and not yes:
        ask(f"Plans were applied to {name}; after this they cannot be rolled back or restored. Forget it all the same?")
    session.show(await session.client.remove_database(name))


@command(app, "check", example="holdfast databases check shop")
async def check(session: Session, name: Name) -> ExitCode:
    """Report what an audit and an application would need.

    Connects to the database. Ends with 2 when audits are blocked.
    """
    response = await session.client.check_database(name)
    session.show(response)
    blocked = any(check.state == CHECK_STATE_BLOCKS_AUDIT for check in response.checks)
    return ExitCode.ERROR if blocked else ExitCode.FINE


def dsn_source(*, env: str, file: str, inline: str) -> DsnSource:
    """Return the one source that was given."""
    if sum(map(bool, (env, file, inline))) != 1:
        raise InputError("Say where the DSN comes from: give exactly one of --dsn-env, --dsn-file and --dsn.")
    if env:
        return DsnSource(env=env)
    # The service has another working directory than we have.
    return DsnSource(file=str(Path(file).absolute())) if file else DsnSource(inline=inline)


def _changed(settings: DatabaseSettings, four_eyes: bool | None, max_running_jobs: int | None) -> DatabaseSettings | None:
    """Return the settings with what was asked for, None when nothing was."""
    if four_eyes is None and max_running_jobs is None:
        return None
    changed = DatabaseSettings()
    changed.CopyFrom(settings)
    if four_eyes is not None:
        changed.four_eyes = four_eyes
    if max_running_jobs is not None:
        changed.max_running_jobs = max_running_jobs
    return changed
