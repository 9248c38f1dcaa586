"""From a registration to an open session: the DSN is looked up at every use, and never leaves this place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfastd.catalog.model import Identity
from holdfastd.errors import InvalidField, Reason, Refused
from holdfastd.flows.context import DsnSource, Services
from holdfastd.store import jobs
from holdfastd.store.model import DatabaseRecord, DsnKind
from holdfastd.target.errors import FAILURES, translate
from holdfastd.target.identity import read_identity, session_role
from holdfastd.target.session import Connection, close, connect

_LONGEST_DSN_FILE = 16_384


def read_dsn(services: Services, source: DsnSource) -> str:
    """Return the DSN behind a source. Refused DSN_UNREADABLE when the reference leads nowhere."""
    match source.kind:
        case DsnKind.INLINE:
            return source.value
        case DsnKind.ENV:
            dsn = services.environment.get(source.value, "")
            where = f"the service has no environment variable {source.value}; set it where holdfastd runs"
        case DsnKind.FILE:
            dsn, where = _read_file(source.value), f"the service cannot read {source.value}; check the path and its permissions"
    if not dsn:
        raise Refused(f"There is no DSN: {where}.", reason=Reason.DSN_UNREADABLE, facts={"source": source.kind})
    return dsn


def _read_file(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LONGEST_DSN_FILE).strip()
    except (OSError, ValueError):
        return ""


def registered_dsn(services: Services, record: DatabaseRecord) -> str:
    """Return the DSN of a registered database."""
    value = services.secrets.decrypt(record.dsn_encrypted) if record.dsn_encrypted is not None else record.dsn_reference
    return read_dsn(services, DsnSource(kind=record.dsn_kind, value=value))


@asynccontextmanager
async def reading(services: Services, record: DatabaseRecord, purpose: str) -> AsyncIterator[Connection]:
    """Open a read-only session on a registered database, make sure it is that database, and translate what goes wrong in it."""
    async with _session(services, record, purpose, read_only=True) as connection:
        yield connection


@asynccontextmanager
async def writing(services: Services, record: DatabaseRecord, purpose: str) -> AsyncIterator[Connection]:
    """Do the same with a session that may write: only to what is Holdfast's own, jobs have sessions of their own."""
    async with _session(services, record, purpose, read_only=False) as connection:
        yield connection


@asynccontextmanager
async def _session(services: Services, record: DatabaseRecord, purpose: str, *, read_only: bool) -> AsyncIterator[Connection]:
    try:
        connection = await connect(registered_dsn(services, record), application_name=f"holdfast/{purpose}", read_only=read_only)
    except InvalidField as error:
        # The caller of this request did not type the DSN; whoever changed the variable or file did.
        message = f"The DSN of {record.name} is malformed; correct it where it is kept."
        raise Refused(message, reason=Reason.DSN_UNREADABLE, facts={"database": record.name}) from error
    try:
        make_sure(record, await read_identity(connection))
        yield connection
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    finally:
        await close(connection)


def make_sure(record: DatabaseRecord, found: Identity) -> None:
    """Refuse TARGET_CHANGED when a connection leads to another database than the one that was registered."""
    expected = record.identity
    if (found.system_identifier, found.database_oid) != (expected.system_identifier, expected.database_oid):
        message = (
            f"The connection of {record.name} now leads to another database than the one registered (restored, or failed over to a copy?);"
            " remove it and add it again if that is meant."
        )
        raise Refused(message, reason=Reason.TARGET_CHANGED, facts={"database": record.name})


async def refuse_busy(services: Services, record: DatabaseRecord) -> None:
    """Refuse DATABASE_BUSY while a job changes a database."""
    async with services.store.connection() as connection:
        job_id = await jobs.changing(connection, record.id)
    if job_id:
        raise jobs.busy(record.name, job_id)
