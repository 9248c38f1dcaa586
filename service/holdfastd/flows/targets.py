"""From a registration to an open session: the DSN is looked up at every use, and never leaves this place."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from holdfastd.catalog.model import Identity
from holdfastd.errors import HoldfastError, InvalidField, Reason, Refused, Unavailable
from holdfastd.flows.context import DsnSource, Services
from holdfastd.store import cluster, databases, jobs
from holdfastd.store.model import DatabaseRecord, DsnKind
from holdfastd.target.destination import Destination
from holdfastd.target.dsn import parse
from holdfastd.target.errors import FAILURES, translate
from holdfastd.target.identity import is_surrogate, read_identity, session_role
from holdfastd.target.session import Connection, close, connect
from holdfastd.tracing import Side, watch

_LONGEST_DSN_FILE = 16_384
#: Secrets of the service that are not meant for callers, who name variables.
_OWN = frozenset({"HOLDFAST_STORE_URL", "HOLDFAST_SECRET_KEY"})


def read_dsn(services: Services, source: DsnSource) -> Destination:
    """Return the DSN behind a source, under the policy for targets. Refused DSN_UNREADABLE when the reference leads nowhere."""
    match source.kind:
        case DsnKind.INLINE:
            return Destination(dsn=source.value, policy=services.targets)
        case DsnKind.ENV if source.value in _OWN:
            dsn, where = "", f"{source.value} is a setting of the service itself; name another variable"
        case DsnKind.ENV:
            dsn = services.environment.get(source.value, "")
            where = f"the service has no environment variable {source.value}; set it where holdfastd runs"
        case DsnKind.FILE:
            dsn, where = _read_file(source.value), f"the service cannot read {source.value}; check the path and its permissions"
    if not dsn:
        raise Refused(f"There is no DSN: {where}.", reason=Reason.DSN_UNREADABLE, facts={"source": source.kind})
    return Destination(dsn=dsn, policy=services.targets)


def _read_file(path: str) -> str:
    try:
        # Opening a pipe would wait for somebody to write.
        if not Path(path).is_file():
            return ""
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LONGEST_DSN_FILE).strip()
    except (OSError, ValueError):
        return ""


def registered_dsn(services: Services, record: DatabaseRecord) -> Destination:
    """Return the DSN of a registered database, under the policy of today. Refused DSN_UNREADABLE when it is no DSN (any more)."""
    value = services.secrets.decrypt(record.dsn_encrypted) if record.dsn_encrypted is not None else record.dsn_reference
    destination = read_dsn(services, DsnSource(kind=record.dsn_kind, value=value))
    try:
        parse(destination.dsn)
    except InvalidField as error:
        # The caller of this request did not type the DSN; whoever changed the variable or file did.
        message = f"The DSN of {record.name} is malformed; correct it where it is kept."
        raise Refused(message, reason=Reason.DSN_UNREADABLE, facts={"database": record.name}) from error
    return destination


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
    connection = await _connect(services, record, purpose, read_only=read_only)
    watch(connection, Side.TARGET)
    try:
        make_sure(record, await read_identity(connection))
        yield connection
    except FAILURES as error:
        raise translate(error, role=session_role(connection)) from error
    finally:
        await close(connection)


async def _connect(services: Services, record: DatabaseRecord, purpose: str, *, read_only: bool) -> Connection:
    """Connect, and note for dashboards when that no longer works, or works again."""
    try:
        connection = await connect(registered_dsn(services, record), application_name=f"holdfast/{purpose}", read_only=read_only)
    except HoldfastError:
        await _note(services, record, reachable=False)
        raise
    if not record.reachable:
        await _note(services, record, reachable=True)
    return connection


async def _note(services: Services, record: DatabaseRecord, *, reachable: bool) -> None:
    # Nothing to fail for: the next connection is noted again.
    with contextlib.suppress(Unavailable):
        async with services.store.connection() as store:
            await databases.set_reachable(store, record.name, reachable=reachable)


def make_sure(record: DatabaseRecord, found: Identity) -> None:
    """Refuse TARGET_CHANGED when a connection leads to another database than the one that was registered."""
    expected = record.identity
    if (found.system_identifier, found.database_oid) != (expected.system_identifier, expected.database_oid):
        message = (
            f"The connection of {record.name} now leads to another database than the one registered (restored, or failed over to a copy?);"
            " remove it and add it again if that is meant."
        )
        raise Refused(message, reason=Reason.TARGET_CHANGED, facts={"database": record.name})


async def refuse_own_store(store: Connection, found: Identity) -> None:
    """Refuse a target that is the service's own store, given a connection of it: samples of its rows would be what it keeps."""
    own = await read_identity(store)
    # On the embedded one, the service is let in everywhere, as a superuser and without a password.
    is_embedded = await store.fetchval("SELECT pg_catalog.current_setting('cluster_name')") == cluster.NAME
    is_same = found.system_identifier == own.system_identifier and (is_embedded or found.database_oid == own.database_oid)
    # Servers that were set up alike share a surrogate.
    if is_same and not is_surrogate(own):
        message = "The DSN leads to the store of Holdfast itself; register the database that your application uses."
        raise Refused(message, reason=Reason.HOST_NOT_ALLOWED)


async def refuse_busy(services: Services, record: DatabaseRecord) -> None:
    """Refuse DATABASE_BUSY while a job changes a database."""
    async with services.store.connection() as connection:
        job_id = await jobs.changing(connection, record.id)
    if job_id:
        raise jobs.busy(record.name, job_id)
