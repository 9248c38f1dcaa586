"""Random pairs of tables, small and nasty, and what brute force says about them.

In comes a seed; out goes a case: SQL that makes the tables in a schema of its own, and the number of orphan rows that Python counts.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from holdfastd.names import ColumnSet, TableName

EXTREMES = {"smallint": (-(2**15), 2**15 - 1), "integer": (-(2**31), 2**31 - 1), "bigint": (-(2**63), 2**63 - 1)}
_WORDS = ("", "a", "A", "b", "ab", "é", "zz top", "a'b", "\\x")


def _blunt(text: str) -> str:
    """As character(n) and its casts see it: trailing spaces are none."""
    return text.rstrip(" ")


def _same(value: object) -> object:
    return value


#: Referencing type, referenced type, and how either value is seen by the key's operator.
PAIRS: tuple[tuple[str, str, Callable, Callable], ...] = (
    *((own, other, _same, _same) for own in EXTREMES for other in EXTREMES),
    ("numeric", "numeric", float, float),
    ("integer", "numeric", float, float),
    ("text", "text", _same, _same),
    ("varchar(9)", "text", _same, _same),
    ("varchar", "varchar(9)", _same, _same),
    ("character(9)", "character(9)", _blunt, _blunt),
    ("text", "character(9)", _blunt, _blunt),
    ("character(9)", "text", _blunt, _same),
    ("uuid", "uuid", _same, _same),
    ("date", "date", _same, _same),
    ("date", "timestamp", _same, _same),
)

INDEXES = (
    "",
    "CREATE INDEX ON {table} (c)",
    "CREATE INDEX ON {table} (c DESC)",
    "CREATE INDEX ON {table} (c DESC NULLS LAST)",
    "CREATE INDEX ON {table} (c) WHERE c IS NOT NULL",
    "CREATE INDEX ON {table} USING hash (c)",
    "CREATE INDEX ON {table} (c, pad)",
    "CREATE INDEX ON {table} (pad, c)",
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Two tables and the truth about them."""

    seed: int
    sql: str
    referencing: ColumnSet
    referenced: ColumnSet
    orphans: int
    vacuumed: bool


def a_case(seed: int) -> Case:
    """Return the case of a seed, in schema `case_<seed>`."""
    chance = random.Random(seed)
    own, other, see_own, see_other = chance.choice(PAIRS)
    # One value per key as the key sees it: 2.5 and 2.50 are one number.
    keys = list({see_other(value): value for value in _values(chance, other, chance.choice((0, 1, 7, 60)))}.values())
    deleted = {key for key in keys if chance.random() < chance.choice((0, 0.3))}
    if other in EXTREMES and chance.random() < 0.3:
        # Dense, and one number missing.
        keys = list(range(-3, chance.choice((30, 1200))))
        deleted = {chance.choice(keys)}
    likely = [key for key in keys if _fits(key, own)]
    values = [
        chance.choice(likely) if likely and chance.random() < 0.7 else _values(chance, own, 1)[0] for _ in range(chance.choice((0, 3, 90)))
    ]
    values = [None if chance.random() < chance.choice((0, 0.3)) else value for value in values]
    left = {see_other(key) for key in keys if key not in deleted}
    schema = f"case_{seed}"
    shape = chance.choice(("plain", "plain", "plain", "inherited", "partitioned"))
    return Case(
        seed=seed,
        sql="\n".join(_script(chance, schema, shape, (own, other), (values, keys, deleted))),
        referencing=ColumnSet(TableName(schema, "t"), ("c",)),
        referenced=ColumnSet(TableName(schema, "r"), ("k",)),
        orphans=sum(value is not None and see_own(value) not in left for value in values),
        vacuumed=chance.random() < 0.5,
    )


def _script(chance: random.Random, schema: str, shape: str, types: tuple[str, str], rows: tuple[list, list, set]) -> list[str]:
    values, keys, deleted = rows
    own, other = types
    partitioned = shape == "partitioned"
    unique = chance.choice(("PRIMARY KEY", "PRIMARY KEY", "UNIQUE"))
    script = [
        f"CREATE SCHEMA {schema};",
        f"CREATE TABLE {schema}.r (k {other} {unique}, pad text){' PARTITION BY HASH (k)' if partitioned else ''};",
        # Wide rows make several blocks of few rows, so that parts and the visibility map have something to tell.
        f"CREATE TABLE {schema}.t (c {own}, pad text DEFAULT repeat('x', 900)){' PARTITION BY HASH (c)' if partitioned else ''};",
        f"ALTER TABLE {schema}.t ALTER pad SET STORAGE PLAIN;" if not partitioned else "",
    ]
    if partitioned:
        for table in "rt":
            script += [
                f"CREATE TABLE {schema}.{table}{n} PARTITION OF {schema}.{table} FOR VALUES WITH (MODULUS 2, REMAINDER {n});"
                for n in (0, 1)
            ]
    script.append(_insert(f"{schema}.r (k)", [*keys, *([None] if unique == "UNIQUE" and chance.random() < 0.5 else [])]))
    script.append(_insert(f"{schema}.t (c)", values))
    if deleted:
        script.append(f"DELETE FROM {schema}.r WHERE k IN ({', '.join(_literal(key) for key in deleted)});")
    if shape == "inherited":
        script += [f"CREATE TABLE {schema}.{table}_more () INHERITS ({schema}.{table});" for table in "rt"]
        script.append(_insert(f"{schema}.r_more (k)", [value for value in values if value is not None and _fits(value, other)][:5]))
        script.append(_insert(f"{schema}.t_more (c)", values[:5]))
    script.append(chance.choice(INDEXES).format(table=f"{schema}.t") + ";")
    return script


def _insert(target: str, values: list) -> str:
    return f"INSERT INTO {target} VALUES {', '.join(f'({_literal(value)})' for value in values)};" if values else ""


def _literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def _values(chance: random.Random, kind: str, number: int) -> list:
    """Return values of a type: neighbours, extremes, negatives, words that differ in case and trailing spaces."""
    if kind in EXTREMES:
        lowest, highest = EXTREMES[kind]
        near = chance.choice((0, -20, 30_000))
        pool = [*range(near, near + chance.choice((3, 40, 90))), lowest, lowest + 1, highest, highest - 1, -1, 0]
        return [value for value in chance.choices(pool, k=number) if lowest <= value <= highest] or [0] * min(number, 1)
    match kind:
        case "numeric":
            return [chance.choice((1, 2.5, -3, "2.50", "1.0", 1e15, chance.randint(-9, 9))) for _ in range(number)]
        case "uuid":
            return [f"00000000-0000-4000-8000-{chance.randint(0, 40):012}" for _ in range(number)]
        case "date" | "timestamp":
            return [f"2024-01-{chance.randint(1, 28):02}" for _ in range(number)]
    words = [chance.choice(_WORDS) + str(chance.randint(0, 3)) + chance.choice(("", "", " ", "  ")) for _ in range(number)]
    return [_blunt(word) if kind.startswith("character(") else word for word in words]


def _fits(value: object, kind: str) -> bool:
    """Tell whether a value can stand in a column of a type."""
    if kind in EXTREMES:
        return isinstance(value, int) and EXTREMES[kind][0] <= value <= EXTREMES[kind][1]
    if kind in {"character(9)", "varchar(9)"}:
        return isinstance(value, str) and len(value) <= 9
    return True
