"""Registering, listing, updating, removing and checking databases."""

from collections.abc import Sequence

from holdfastd.catalog.model import Identity
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import AlreadyExists, HoldfastError, Reason
from holdfastd.flows.context import Caller, DsnSource, Services
from holdfastd.flows.deeds import deed
from holdfastd.flows.targets import make_sure, read_dsn, reading
from holdfastd.store import databases
from holdfastd.store.model import DatabaseRecord, DsnKind, Registration
from holdfastd.target.dsn import parse
from holdfastd.target.identity import read_identity
from holdfastd.target.preflight.check import Check
from holdfastd.target.preflight.connection import failed_connection
from holdfastd.target.preflight.run import check_database
from holdfastd.target.session import close, connect


async def add(services: Services, caller: Caller, name: str, dsn: DsnSource) -> DatabaseRecord:
    """Register a database after connecting to it once; the same registration again succeeds."""
    try:
        async with deed(services, caller, "database.add", database=name) as doing:
            registration = await _look(services, name, dsn)
            record = await databases.add(doing.connection, registration)
            doing.subject = record.id
            return record
    except AlreadyExists as error:
        same = await _same_registration(services, name, dsn) if error.reason is Reason.DATABASE_EXISTS else None
        if same is None:
            raise
        return same


async def _same_registration(services: Services, name: str, dsn: DsnSource) -> DatabaseRecord | None:
    """Return the registration of that name if it came from the same source and leads to the same database."""
    record, found = await get(services, name), await _look(services, name, dsn)
    known = (record.dsn_kind, record.dsn_reference, record.role, record.identity.system_identifier, record.identity.database_oid)
    new = (found.dsn_kind, found.dsn_reference, found.role, found.identity.system_identifier, found.identity.database_oid)
    return record if known == new else None


async def _look(services: Services, name: str, dsn: DsnSource) -> Registration:
    """Connect, and return what is to be registered."""
    text = read_dsn(services, dsn)
    endpoint = parse(text, path=f"dsn.{dsn.kind}")
    identity = await _identify(text)
    inline = dsn.kind is DsnKind.INLINE
    return Registration(
        name=name,
        host=endpoint.host,
        port=endpoint.port,
        database_name=endpoint.database,
        role=endpoint.user,
        dsn_kind=dsn.kind,
        dsn_reference="" if inline else dsn.value,
        dsn_encrypted=services.secrets.encrypt(text) if inline else None,
        identity=identity,
    )


async def _identify(dsn: str) -> Identity:
    connection = await connect(dsn, application_name="holdfast/register", read_only=True)
    try:
        return await read_identity(connection)
    finally:
        await close(connection)


async def get(services: Services, name: str) -> DatabaseRecord:
    """Return a database by name."""
    async with services.store.connection() as connection:
        return await databases.get(connection, name)


async def list_page(services: Services, after: str, limit: int) -> Sequence[DatabaseRecord]:
    """Return databases by name, those after the given name."""
    async with services.store.connection() as connection:
        return await databases.list_page(connection, after, limit)


async def update(services: Services, caller: Caller, name: str, dsn: DsnSource, etag: str) -> DatabaseRecord:
    """Replace the DSN; it must lead to the same database."""
    async with deed(services, caller, "database.update", database=name) as doing:
        record = await databases.get(doing.connection, name)
        doing.subject = record.id
        registration = await _look(services, name, dsn)
        make_sure(record, registration.identity)
        return await databases.update(doing.connection, registration, if_etag=etag)


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
