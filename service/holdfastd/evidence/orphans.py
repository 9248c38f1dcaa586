"""Counting and sampling orphan rows: in come a session and a relationship, out go numbers or keys.

One relationship is one short READ ONLY transaction, so that no snapshot holds back vacuum for longer than one count. What cannot be
counted is said, never guessed and never an exception; only a lost connection is, because nothing more can be asked over it.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import asyncpg

from holdfastd.catalog.model import Catalog, Operator, TableKind
from holdfastd.errors import InvalidField, NotFound, Reason, Refused
from holdfastd.evidence.counting.choose import Choice, choose
from holdfastd.evidence.counting.estimating import CannotEstimateError, estimate_orphans
from holdfastd.evidence.counting.hash_join import count_by_hash
from holdfastd.evidence.counting.model import Strategy, Subject
from holdfastd.evidence.counting.run import Terms, run_count
from holdfastd.evidence.masking import mask
from holdfastd.evidence.model import Exactness, RowCount
from holdfastd.evidence.privileges import explain_missing_privilege, find_missing_privilege
from holdfastd.evidence.statements import sample_orphans_sql
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.errors import FAILURES, is_connection_lost, sqlstate, translate
from holdfastd.target.identity import session_role

_PRIVILEGE = "42501"
_STOPPED = "57014"
_CONFLICT = "40001"
#: Reasons by SQLSTATE; the server's own text may hold row values.
_REASONS = {
    "40001": "the standby cancelled the count because it conflicted with replay; audit the primary or try again",
    "55P03": "a lock on the tables could not be had in time; try again when they are less busy",
    "42P01": "a table was dropped or renamed during the audit; audit again",
    "42703": "a column was dropped or renamed during the audit; audit again",
    "53100": "the target has no disk space for the count",
    "53200": "the target has no memory for the count",
    "53400": "the count hit a limit of the target, such as temp_file_limit",
}
#: After the server should have stopped the statement, so long until the connection counts as lost.
_GRACE_SECONDS = 10.0
_SAMPLE_SECONDS = 30.0
#: A shorter time is spent on nothing but the first blocks.
_LEAST_ESTIMATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanSamples:
    """Some orphan rows: keys, and columns that were asked for, as PostgreSQL prints them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def masked(self) -> "OrphanSamples":
        """Return the same with the shapes of the values."""
        return replace(self, rows=tuple(tuple(map(mask, row)) for row in self.rows))


async def count_orphans(
    connection: asyncpg.Connection,
    catalog: Catalog,
    referencing: ColumnSet,
    referenced: ColumnSet,
    operators: tuple[Operator, ...],
    *,
    timeout_seconds: float,
) -> RowCount:
    """Count the orphan rows of a relationship, exactly or not at all. Unavailable when the connection is lost."""
    subject = Subject(catalog=catalog, referencing=referencing, referenced=referenced, operators=operators)
    obstacle = find_obstacle(subject)
    if obstacle:
        return not_counted(obstacle)
    return (await count_choice(connection, Choice(subjects=(subject,), count=choose(subject)), Terms(timeout_seconds=timeout_seconds)))[0]


async def count_choice(connection: asyncpg.Connection, choice: Choice, terms: Terms) -> tuple[RowCount, ...]:
    """Count the subjects of a choice, in its way; one by one in the plain way when that one fails. Unavailable as above.

    Where the terms allow estimates, a count that is expected to take longer than they say is estimated, and so is one that did.
    """
    if terms.estimate_after is not None and choice.count.cost > terms.estimate_after * 1000:
        if len(choice.subjects) > 1:
            # Together they take too long; one by one they need not.
            alone = [Choice(subjects=(subject,), count=choose(subject)) for subject in choice.subjects]
            return tuple([count for each in alone for count in await count_choice(connection, each, terms)])
        return await _estimate_choice(connection, choice, terms)
    try:
        return await _count_choice(connection, choice, terms)
    except asyncpg.SerializationError:
        # A standby stopped the count because replay was waiting for it. Once more: the next may fall between two conflicts.
        return await _count_choice(connection, choice, terms, is_last_try=True)


async def _count_choice(connection: asyncpg.Connection, choice: Choice, terms: Terms, *, is_last_try: bool = False) -> tuple[RowCount, ...]:
    table = choice.subjects[0].referencing.table
    is_last_way = choice.count.strategy is Strategy.HASH
    try:
        values = await run_count(connection, table, choice.count, terms)
    except FAILURES as error:
        if is_connection_lost(error):
            raise translate(error, role=session_role(connection)) from error
        if sqlstate(error) == _CONFLICT and not is_last_try and not connection.is_closed():
            raise
        if sqlstate(error) == _STOPPED and terms.estimate_after is not None:
            return await _estimate_choice(connection, choice, terms)
        if is_last_way or sqlstate(error) in {_STOPPED, _CONFLICT}:
            tables = tuple(columns.table for subject in choice.subjects for columns in (subject.referencing, subject.referenced))
            reason = await _reason(connection, error, tables, terms.timeout_seconds)
            return (not_counted(reason),) * len(choice.subjects)
        values = (None,) * len(choice.subjects)
    return tuple([await _known_or_plain(connection, subject, value, terms) for subject, value in zip(choice.subjects, values, strict=True)])


async def _known_or_plain(connection: asyncpg.Connection, subject: Subject, value: int | None, terms: Terms) -> RowCount:
    """Return the number as a count, or count again in the plain way where there is none."""
    if value is not None:
        return RowCount(value=value, exactness=Exactness.EXACT, as_of=datetime.now(UTC), low=value, high=value)
    return (await count_choice(connection, Choice(subjects=(subject,), count=count_by_hash(subject)), terms))[0]


async def _estimate_choice(connection: asyncpg.Connection, choice: Choice, terms: Terms) -> tuple[RowCount, ...]:
    """Estimate the subjects of a choice one by one."""
    return tuple([await _estimate_or_count(connection, subject, terms) for subject in choice.subjects])


async def _estimate_or_count(connection: asyncpg.Connection, subject: Subject, terms: Terms) -> RowCount:
    """Estimate a relationship; count it, whatever time that takes, where it cannot be sampled."""
    seconds = max(terms.limit_seconds, _LEAST_ESTIMATE_SECONDS)
    try:
        value, low, high, share = await estimate_orphans(connection, subject, seconds=seconds)
    except (CannotEstimateError, *FAILURES) as error:
        if is_connection_lost(error):
            raise translate(error, role=session_role(connection)) from error
        return (await count_choice(connection, Choice(subjects=(subject,), count=choose(subject)), replace(terms, estimate_after=None)))[0]
    return RowCount(
        value=value,
        exactness=Exactness.ESTIMATED,
        as_of=datetime.now(UTC),
        reason=f"estimated from {share * 100:.2g} % of the blocks",
        low=low,
        high=high,
    )


async def sample_orphans(
    connection: asyncpg.Connection, catalog: Catalog, relationship: Relationship, *, limit: int, columns: tuple[str, ...]
) -> OrphanSamples:
    """Read some orphan rows: primary key and referencing columns, then those asked for. NotFound when the columns are gone by now."""
    referencing, referenced = relationship.referencing, relationship.referenced
    for columns_then in (referencing, referenced):
        present = catalog.tables.get(columns_then.table)
        if present is None or not present.has_columns(columns_then.columns):
            message = f"{columns_then} was dropped or renamed since the audit; audit again."
            raise NotFound(message, reason=Reason.RELATIONSHIP_NOT_FOUND, facts={"relationship": relationship.id})
    obstacle = relationship.obstacle or find_obstacle(
        Subject(catalog=catalog, referencing=referencing, referenced=referenced, operators=relationship.operators)
    )
    if obstacle:
        raise InvalidField("relationship_id", f"The rows of {relationship.id} cannot be compared: {obstacle.removesuffix('.')}.")
    table = catalog.tables[referencing.table]
    for number, name in enumerate(columns):
        if not table.has_columns((name,)):
            raise InvalidField(f"columns[{number}]", f"{table.name} has no such column.")
    shown = tuple(dict.fromkeys((*table.primary_key, *referencing.columns, *columns)))
    sql = sample_orphans_sql(catalog, referencing, referenced, relationship.operators, columns=shown)
    try:
        rows = await _read(connection, sql, limit, timeout_seconds=_SAMPLE_SECONDS)
    except FAILURES as error:
        raise await _sampling_error(connection, error, (referencing.table, referenced.table)) from error
    return OrphanSamples(columns=shown, rows=tuple(tuple(row.values()) for row in rows))


async def _read(connection: asyncpg.Connection, sql: str, *parameters: object, timeout_seconds: float) -> list[asyncpg.Record]:
    """Run one SELECT in a transaction of its own, under a time limit that the server keeps and we watch."""
    limit = str(max(1, int(timeout_seconds * 1000)))
    async with asyncio.timeout(timeout_seconds + _GRACE_SECONDS), connection.transaction(readonly=True):
        await connection.execute("SELECT pg_catalog.set_config('statement_timeout', $1, true)", limit)
        rows: list[asyncpg.Record] = await connection.fetch(sql, *parameters)
        return rows


def find_obstacle(subject: Subject) -> str:
    """Return why the rows cannot be compared at all; empty when they can."""
    for table in (subject.referencing_table, subject.referenced_table):
        if table.kind is TableKind.FOREIGN:
            return f"{table.name} is a foreign table, whose rows are in another database"
    if not subject.operators:
        return f"no operator compares {subject.referencing} with {subject.referenced} as a foreign key would"
    return ""


async def _reason(connection: asyncpg.Connection, error: Exception, tables: tuple[TableName, ...], timeout_seconds: float) -> str:
    """Return why a count failed."""
    state = sqlstate(error)
    if state == _PRIVILEGE:
        return await explain_missing_privilege(connection, tables)
    if state == _STOPPED:
        return f"the count was stopped; it may take {timeout_seconds:g} seconds"
    return _REASONS.get(state, f"the target refused the count (SQLSTATE {state})")


async def _sampling_error(connection: asyncpg.Connection, error: Exception, tables: tuple[TableName, TableName]) -> Exception:
    """Return the error of a failed sample; with the cure when a privilege is missing."""
    role = session_role(connection)
    if sqlstate(error) != _PRIVILEGE:
        return translate(error, role=role)
    missing = await find_missing_privilege(connection, tables)
    if missing is None:
        return translate(error, role=role)
    return Refused(f"The rows cannot be read: {missing.reason}.", reason=Reason.MISSING_PRIVILEGE, facts={"grant": missing.cure})


def not_counted(reason: str) -> RowCount:
    """Return the count of rows that were not counted, with its reason."""
    return RowCount(value=0, exactness=Exactness.NOT_COUNTED, as_of=datetime.now(UTC), reason=reason)
