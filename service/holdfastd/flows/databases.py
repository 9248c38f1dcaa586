"""Registering, listing, updating, removing and checking databases."""

from collections.abc import Sequence
from dataclasses import asdict

from holdfastd.catalog.model import Identity
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import AlreadyExists, HoldfastError, Reason
from holdfastd.flows.context import Caller, DsnSource, Services
from holdfastd.flows.deeds import deed, failure_logged
from holdfastd.flows.targets import make_sure, read_dsn, reading, refuse_own_store
from holdfastd.store import databases
from holdfastd.store.model import USUAL_SETTINGS, DatabaseRecord, DatabaseSettings, DsnKind, Registration
from holdfastd.target.destination import Destination
from holdfastd.target.dsn import parse
from holdfastd.target.identity import read_identity
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.connection import failed_connection
from holdfastd.target.preflight.run import check_database
from holdfastd.target.session import close, connect


async def add(services: Services, caller: Caller, name: str, dsn: DsnSource, settings: DatabaseSettings = USUAL_SETTINGS) -> DatabaseRecord:
    """Register a database after connecting to it once; the same registration again succeeds."""
    try:
        async with failure_logged(services, caller, "database.add", database=name):
            registration = await _look(services, name, dsn)
        async with deed(services, caller, "database.add", database=name) as doing:
            await refuse_own_store(doing.connection, registration.identity)
            record = await databases.add(doing.connection, registration, settings)
            doing.subject = record.id
            doing.details = _changes(USUAL_SETTINGS, settings)
            return record
    except AlreadyExists as error:
        _hide_invisible(caller, name, error)
        same = await _same_registration(services, name, dsn) if error.reason is Reason.DATABASE_EXISTS else None
        if same is None or same.settings != settings:
            raise
        return same


def _hide_invisible(caller: Caller, name: str, error: AlreadyExists) -> None:
    """Refuse without the other name of the database when that is none of the caller's business."""
    other = error.facts.get("registered_as", name)
    if caller.visible is not None and other not in caller.visible:
        message = "This database is registered under another name; ask who keeps the access file for rights on that one."
        raise AlreadyExists(message, reason=error.reason, facts={"database": name}) from None


async def _same_registration(services: Services, name: str, dsn: DsnSource) -> DatabaseRecord | None:
    """Return the registration of that name if it came from the same source and leads to the same database."""
    record, found = await get(services, name), await _look(services, name, dsn)
    known = (record.dsn_kind, record.dsn_reference, record.role, record.identity.system_identifier, record.identity.database_oid)
    new = (found.dsn_kind, found.dsn_reference, found.role, found.identity.system_identifier, found.identity.database_oid)
    return record if known == new else None


async def _look(services: Services, name: str, dsn: DsnSource) -> Registration:
    """Connect, and return what is to be registered."""
    destination = read_dsn(services, dsn)
    endpoint = parse(destination.dsn, path=f"dsn.{dsn.kind}")
    identity = await _identify(destination)
    inline = dsn.kind is DsnKind.INLINE
    return Registration(
        name=name,
        host=endpoint.host,
        port=endpoint.port,
        database_name=endpoint.database,
        role=endpoint.user,
        dsn_kind=dsn.kind,
        dsn_reference="" if inline else dsn.value,
        dsn_encrypted=services.secrets.encrypt(destination.dsn) if inline else None,
        identity=identity,
    )


async def _identify(destination: Destination) -> Identity:
    connection = await connect(destination, application_name="holdfast/register", read_only=True)
    try:
        return await read_identity(connection)
    finally:
        await close(connection)


async def get(services: Services, name: str) -> DatabaseRecord:
    """Return a database by name."""
    async with services.store.connection() as connection:
        return await databases.get(connection, name)


async def list_page(services: Services, after: str, limit: int, visible: frozenset[str] | None = None) -> Sequence[DatabaseRecord]:
    """Return databases by name, those after the given name; the visible ones only."""
    async with services.store.connection() as connection:
        return await databases.list_page(connection, after, limit, visible)


async def update(
    services: Services, caller: Caller, name: str, dsn: DsnSource | None, settings: DatabaseSettings | None, etag: str
) -> DatabaseRecord:
    """Replace the DSN, which must lead to the same database, or the settings, or both; None leaves them as they are."""
    registration = None
    if dsn is not None:
        async with failure_logged(services, caller, "database.update", database=name):
            await get(services, name)
            registration = await _look(services, name, dsn)
    async with deed(services, caller, "database.update", database=name) as doing:
        record = await databases.get(doing.connection, name)
        doing.subject = record.id
        if dsn is not None and registration is not None:
            make_sure(record, registration.identity)
            updated = await databases.update(doing.connection, registration, if_etag=etag)
            doing.details = {"dsn": dsn.kind}
            record, etag = updated, updated.etag
        if settings is not None:
            updated = await databases.set_settings(doing.connection, name, settings, if_etag=etag)
            doing.details |= _changes(record.settings, settings)
            record = updated
        return record


def _changes(before: DatabaseSettings, after: DatabaseSettings) -> dict[str, str]:
    """Return which settings changed, for the audit log."""
    both = zip(asdict(before).items(), asdict(after).values(), strict=True)
    return {name: f"{was} -> {now}".lower() for (name, was), now in both if was != now}


async def remove(services: Services, caller: Caller, name: str) -> None:
    """Forget a database; its audit log stays."""
    async with deed(services, caller, "database.remove", database=name) as doing:
        doing.subject = (await databases.get(doing.connection, name)).id
        await databases.remove(doing.connection, name)


async def check(services: Services, name: str) -> tuple[DatabaseRecord, Sequence[Check]]:
    """Connect and report what an audit and an application would need; a database out of reach is a failed check, not an error."""
    record = await get(services, name)
    is_reachable = True
    checks: Sequence[Check]
    try:
        async with reading(services, record, "check") as connection:
            checks = await check_database(connection, await read_catalog(connection), record.identity)
    except HoldfastError as error:
        checks, is_reachable = (failed_connection(error),), False
    async with services.store.connection() as connection:
        await databases.set_reachable(connection, name, reachable=is_reachable)
        return await databases.get(connection, name), checks
