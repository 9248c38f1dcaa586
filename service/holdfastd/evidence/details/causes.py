"""The SELECT that says why orphan rows are orphans, as text. Pure.

Values are judged on the server, group by group; only the name of a cause, numbers and two times come back. A cause is named only
where the key itself tells: its sequence, its range when it is well filled, or how its values are written. Otherwise: UNKNOWN.
"""

from collections.abc import Mapping

from holdfastd.catalog.model import Catalog, Column, Table
from holdfastd.evidence.details.seen import seen_time
from holdfastd.evidence.details.sequences import Sequence
from holdfastd.evidence.model import OrphanCause
from holdfastd.evidence.statements import REFERENCED, REFERENCING, from_only, orphan_condition
from holdfastd.inference.model import Relationship
from holdfastd.names import identifier, qualified

#: Fewer rows of a key are no range and no way of writing.
LEAST_KEY_ROWS = 5
#: A key without a sequence that fills so much of its range was counted up: what is missing inside was there.
_WELL_FILLED = "0.5"
#: Key rows that are counted, and that are looked at for how they are written.
_MOST_COUNTED = 1_000_000
_SAMPLE = 20_000
_SAMPLE_WANTED = 8_000

_NUMBERS = frozenset({"int2", "int4", "int8", "numeric"})
_WORDS_FOR_NONE = ("null", "none", "nil", "n/a", "undefined")
_NO_UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
_UUID = "^[{]?[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}[}]?$"
#: Of composite keys, the first that any column shows. DELETED is not among them: each value may be there, only not together.
_TOLD_BY_ONE = (OrphanCause.SENTINEL, OrphanCause.WRONG_TYPE, OrphanCause.NEVER_EXISTED)


def details_sql(catalog: Catalog, relationship: Relationship, sequences: Mapping[str, Sequence], seen: Column | None) -> str:
    """Return the SELECT of cause, rows, distinct values, first and last time seen; one row per cause."""
    referencing, referenced = relationship.referencing, relationship.referenced
    table, key_table = catalog.tables[referencing.table], catalog.tables[referenced.table]
    pairs = [(table.column(own), key_table.column(other)) for own, other in zip(referencing.columns, referenced.columns, strict=True)]
    columns = ", ".join(f"{REFERENCING}.{identifier(name)} AS value{number}" for number, name in enumerate(referencing.columns))
    numbers = ", ".join(str(number + 1) for number in range(len(pairs)))
    time = seen_time(seen, REFERENCING) if seen else "NULL::pg_catalog.timestamptz"
    condition = orphan_condition(catalog, referencing, referenced, relationship.operators)
    known: dict[str, str] = {}
    verdicts = []
    for number, (own, key) in enumerate(pairs):
        parts, verdict = _judge(number, own, key, key_table, sequences.get(key.name), is_single=len(pairs) == 1)
        known.update(parts)
        verdicts.append(verdict)
    return (
        f"WITH {''.join(f'{name} AS MATERIALIZED ({sql}), ' for name, sql in known.items())}orphans AS ("
        f"SELECT {columns}, pg_catalog.count(*) AS rows, pg_catalog.min({time}) AS first, pg_catalog.max({time}) AS last"
        f" FROM {from_only(table)} AS {REFERENCING} WHERE {condition} GROUP BY {numbers})"
        f", judged AS (SELECT {_together(verdicts)} AS cause, orphans.rows, orphans.first, orphans.last"
        f" FROM {' CROSS JOIN '.join(('orphans', *known))})"
        " SELECT cause, pg_catalog.sum(rows)::pg_catalog.int8 AS rows, pg_catalog.count(*) AS distinct_values,"
        " pg_catalog.min(first) AS first_seen, pg_catalog.max(last) AS last_seen FROM judged GROUP BY cause"
    )


def _together(verdicts: list[str]) -> str:
    if len(verdicts) == 1:
        return verdicts[0]
    members = ", ".join(verdicts)
    cases = " ".join(f"WHEN '{cause}' IN ({members}) THEN '{cause}'" for cause in _TOLD_BY_ONE)
    return f"CASE {cases} ELSE '{OrphanCause.UNKNOWN}' END"


def _judge(
    number: int, own: Column, key: Column, key_table: Table, sequence: Sequence | None, *, is_single: bool
) -> tuple[dict[str, str], str]:
    """Return what must be known about a key column, by name, and the expression that names the cause of a value."""
    value = f"orphans.value{number}"
    if _is_number(own) and _is_number(key):
        parts = {f"range{number}": _range(key, key_table), f"given{number}": _given(sequence), "filled": _filled(key_table)}
        return parts, _judge_number(number, value, sequence)
    if own.type.category in {"S", "E"}:
        return {f"written{number}": _written(key, key_table)}, _judge_text(number, value, is_single=is_single)
    if own.type.base_name == "uuid":
        none = ", ".join(f"'{text}'" for text in _NO_UUIDS)
        return {}, f"CASE WHEN {value}::pg_catalog.text IN ({none}) THEN '{OrphanCause.SENTINEL}' ELSE '{OrphanCause.UNKNOWN}' END"
    return {}, f"'{OrphanCause.UNKNOWN}'"


def _is_number(column: Column) -> bool:
    return column.type.base_schema == "pg_catalog" and column.type.base_name in _NUMBERS


def _filled(key_table: Table) -> str:
    """Count the rows of a key up to a bound; beyond it the estimate of the catalog takes over."""
    bounded = f"SELECT FROM {from_only(key_table)} LIMIT {_MOST_COUNTED + 1}"
    estimate = max(int(key_table.row_estimate), _MOST_COUNTED + 1)
    return (
        f"SELECT CASE WHEN pg_catalog.count(*) <= {_MOST_COUNTED} THEN pg_catalog.count(*) ELSE {estimate} END AS rows"
        f" FROM ({bounded}) AS bounded"
    )


def _range(key: Column, key_table: Table) -> str:
    value = f"{REFERENCED}.{identifier(key.name)}"
    return (
        f"SELECT pg_catalog.min({value})::pg_catalog.numeric AS lowest, pg_catalog.max({value})::pg_catalog.numeric AS highest"
        f" FROM {from_only(key_table)} AS {REFERENCED}"
    )


def _given(sequence: Sequence | None) -> str:
    """Return the highest value that a sequence gave out; NULL when there is none to read, or it was never asked."""
    if sequence is None or not sequence.is_readable:
        return "SELECT NULL::pg_catalog.numeric AS highest"
    return (
        f"SELECT CASE WHEN is_called THEN last_value::pg_catalog.numeric"
        f" WHEN last_value > {sequence.start} THEN last_value::pg_catalog.numeric - {sequence.increment} END AS highest"
        f" FROM {qualified(sequence.name)}"
    )


def _judge_number(number: int, value: str, sequence: Sequence | None) -> str:
    whole, bounds, given = f"{value}::pg_catalog.numeric", f"range{number}", f"given{number}.highest"
    start = sequence.start if sequence is not None else "NULL::pg_catalog.numeric"
    # A key that holds more than its sequence gave out gets values from elsewhere, too: then the sequence tells nothing.
    trusted = f"{given} >= coalesce({bounds}.highest, {given})"
    cases = [
        (f"{whole} <> pg_catalog.trunc({whole})", OrphanCause.UNKNOWN),
        (f"{whole} IN (0, -1) AND {whole} < coalesce(LEAST({bounds}.lowest, {start}), 1)", OrphanCause.SENTINEL),
    ]
    if sequence is not None:
        cases += [
            (f"{trusted} AND {whole} > {given}", OrphanCause.NEVER_EXISTED),
            (f"{trusted} AND {whole} >= {start}", OrphanCause.UNKNOWN if sequence.is_shared else OrphanCause.DELETED),
            (f"{trusted} AND {whole} < LEAST({bounds}.lowest, {sequence.lowest})", OrphanCause.NEVER_EXISTED),
        ]
    filled = f"filled.rows >= {LEAST_KEY_ROWS} AND filled.rows >= ({bounds}.highest - {bounds}.lowest + 1) * {_WELL_FILLED}"
    cases.append((f"{whole} BETWEEN {bounds}.lowest AND {bounds}.highest AND {filled}", OrphanCause.DELETED))
    return _case(cases)


def _shape(text: str) -> str:
    return f"CASE WHEN {text} ~ '{_UUID}' THEN 'uuid' WHEN {text} ~ '^[0-9]+$' THEN 'digits' ELSE 'other' END"


def _is_blank(text: str) -> str:
    bare = f"pg_catalog.btrim({text}, E' \\t\\r\\n')"
    words = ", ".join(f"'{word}'" for word in ("", *_WORDS_FOR_NONE, *_NO_UUIDS))
    return f"pg_catalog.lower({bare}) IN ({words})"


def _as_text(value: str) -> str:
    """Return a value as text of bounded length that regular expressions accept under any collation."""
    return f'pg_catalog.left({value}::pg_catalog.text COLLATE pg_catalog."C", 64)'


def _written(key: Column, key_table: Table) -> str:
    """Look at how a bounded sample of a key's values is written."""
    share = _SAMPLE_WANTED * 100 / key_table.row_estimate if key_table.row_estimate > _SAMPLE else 100
    sample = f" TABLESAMPLE SYSTEM ({share:.6f}) REPEATABLE (1)" if share < 100 else ""  # noqa: PLR2004 (per cent)
    name = f"{REFERENCED}.{identifier(key.name)}"
    values = (
        f"SELECT {_as_text(name)} AS value FROM {from_only(key_table)} AS {REFERENCED}{sample} WHERE {name} IS NOT NULL LIMIT {_SAMPLE}"
    )
    return (
        f"SELECT pg_catalog.count(*) AS rows, pg_catalog.array_agg(DISTINCT {_shape('value')}) AS shapes,"
        f" coalesce(pg_catalog.bool_or({_is_blank('value')}), false) AS has_blank FROM ({values}) AS sample"
    )


def _judge_text(number: int, value: str, *, is_single: bool) -> str:
    text, written = _as_text(value), f"written{number}"
    # With one column the key lacks the value; with several, another row of the key may hold it for good.
    blank = _is_blank(text) if is_single else f"{_is_blank(text)} AND NOT {written}.has_blank"
    other = f"{written}.rows >= {LEAST_KEY_ROWS} AND {_shape(text)} <> ALL ({written}.shapes)"
    return _case(
        [
            (blank, OrphanCause.SENTINEL),
            (f"{other} AND {text} IN ('0', '-1')", OrphanCause.SENTINEL),
            (other, OrphanCause.WRONG_TYPE),
        ]
    )


def _case(cases: list[tuple[str, OrphanCause]]) -> str:
    whens = " ".join(f"WHEN {condition} THEN '{cause}'" for condition, cause in cases)
    return f"CASE {whens} ELSE '{OrphanCause.UNKNOWN}' END"
