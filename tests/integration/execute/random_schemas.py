"""Random little databases with everything that makes repairing hard; one seed, one database. Knows nothing of the engine."""

from dataclasses import dataclass, field
from random import Random

TEXTS = ("text", "varchar(12)", "char(6)")
NUMBERS = ("integer", "bigint", "smallint")
NAMES = (
    "orders",
    "user",
    'say "so"',
    "it's; --",
    "Großhändler",
    "Mixed Case",
    "z" * 63,
    "back\\slash $q0$ %s",
    "referencing",
    "saved",
    "gone",
)
SCHEMAS = ("public", 'odd "schema"')


def quote(name: str) -> str:
    """Return a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(slots=True)
class Key:
    """Unique columns that can be referenced, with their types."""

    columns: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(slots=True)
class RandomTable:
    """A table: columns as SQL, rows as dictionaries of values."""

    schema: str
    name: str
    keys: list[Key]
    primary: tuple[str, ...]
    columns: dict[str, str]
    extras: list[str] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """The table in SQL."""
        return f"{quote(self.schema)}.{quote(self.name)}"


@dataclass(slots=True)
class RandomKey:
    """A relationship, declared or not."""

    referencing: RandomTable
    columns: tuple[str, ...]
    referenced: RandomTable
    key: Key
    nullable: bool
    declared: bool
    #: NOT VALID, with orphan rows left in.
    not_valid: bool
    on_delete: str
    options: str = ""
    name: str = ""


@dataclass(slots=True)
class RandomDatabase:
    """What one seed makes."""

    tables: list[RandomTable]
    keys: list[RandomKey]
    statements: list[str]


def make_database(random: Random) -> RandomDatabase:
    """Return a random database, with the statements that make it."""
    tables = [_table(random, name) for name in random.sample(NAMES, random.randint(3, 6))]
    keys: list[RandomKey] = []
    for number in range(random.randint(len(tables), 2 * len(tables))):
        referenced = random.choice([table for table in tables if table.keys])
        keys.append(_key(random, number, random.choice(tables), referenced))
    statements = [f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}" for table in tables]
    statements += [_create(random, table, keys) for table in tables]
    statements += [statement for table in tables for statement in _rows(random, table, keys)]
    statements += [statement for key in keys for statement in _detach(random, key)]
    # Deleting for one key may make orphan rows of another: as often as there can be levels.
    declared = [key for key in keys if key.declared]
    statements += [_attach(key) for _ in range(12) for key in declared if not key.not_valid]
    statements += [_declare(key) for key in declared]
    return RandomDatabase(tables, keys, statements)


def _table(random: Random, name: str) -> RandomTable:
    table = RandomTable(random.choice(SCHEMAS), name, [], (), {})
    kind = random.choice(("always", "default", "serial", "bigint", "text", "varchar(12)", "char(6)", "composite", "composite", "none"))
    if kind in ("always", "default"):
        table.columns["id"] = f"integer GENERATED {'ALWAYS' if kind == 'always' else 'BY DEFAULT'} AS IDENTITY"
        table.keys.append(Key(("id",), ("integer",)))
    elif kind == "composite":
        types = (random.choice(NUMBERS), random.choice(TEXTS + NUMBERS))
        table.columns |= dict(zip(("one", 'two "2"'), types, strict=True))
        table.keys.append(Key(("one", 'two "2"'), types))
    elif kind != "none":
        table.columns["id"] = kind
        table.keys.append(Key(("id",), ("integer" if kind == "serial" else kind,)))
    if table.keys:
        table.primary = table.keys[0].columns
        table.extras.append(f"PRIMARY KEY ({', '.join(map(quote, table.primary))})")
    if kind == "none" or random.random() < 0.3:
        kind = random.choice(TEXTS + NUMBERS)
        table.columns["code"] = kind
        if random.random() < 0.7:
            table.keys.append(Key(("code",), (kind,)))
            table.extras.append("UNIQUE (code)")
    table.columns["note"] = "text"
    if random.random() < 0.3:
        table.columns["made"] = "text GENERATED ALWAYS AS (coalesce(note, '') || '!') STORED"
    if random.random() < 0.3:
        table.extras.append("CHECK (note <> 'never')")
    return table


def _key(random: Random, number: int, referencing: RandomTable, referenced: RandomTable) -> RandomKey:
    key = random.choice(referenced.keys)
    nullable = random.random() < 0.6
    columns = []
    for position, kind in enumerate(key.types):
        family = NUMBERS if kind in NUMBERS else TEXTS
        # A column may belong to several relationships.
        shared = [name for name, own in referencing.foreign.items() if own in family and name not in columns]
        if shared and random.random() < 0.15:
            columns.append(random.choice(shared))
            continue
        name = f"{referenced.name[:20]}_{number}{'abc'[position]}_id"
        referencing.foreign[name] = random.choice(family)
        required = not nullable or (len(key.types) > 1 and random.random() < 0.2)
        referencing.columns[name] = referencing.foreign[name] + (" NOT NULL" if required else "")
        columns.append(name)
    nullable = not any("NOT NULL" in referencing.columns[name] for name in columns)
    if random.random() < 0.08:
        referencing.extras.append(f"UNIQUE ({', '.join(map(quote, columns))})")
    declared = random.random() < 0.4
    actions = ["NO ACTION", "RESTRICT", "CASCADE", "CASCADE"] + (["SET NULL"] * 2 if nullable else [])
    options = random.choice(("", "", "", " ON UPDATE CASCADE", " DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"))
    return RandomKey(
        referencing=referencing,
        columns=tuple(columns),
        referenced=referenced,
        key=key,
        nullable=nullable,
        declared=declared,
        not_valid=declared and random.random() < 0.15,
        on_delete=random.choice(actions),
        options=options if declared else "",
        name=f"their key {number}",
    )


def _create(random: Random, table: RandomTable, keys: list[RandomKey]) -> str:
    columns = dict(table.columns)
    if not table.primary and table.foreign and random.random() < 0.2:
        names = random.sample(list(table.foreign), min(2, len(table.foreign)))
        if all("NOT NULL" in columns[name] for name in names):
            table.primary = tuple(names)
            table.extras.append(f"PRIMARY KEY ({', '.join(map(quote, names))})")
    items = list(columns.items())
    random.shuffle(items)
    lines = [f"{quote(name)} {kind}" for name, kind in items] + table.extras
    return f"CREATE TABLE {table.sql} ({', '.join(lines)})"


def _rows(random: Random, table: RandomTable, keys: list[RandomKey]) -> list[str]:
    """Return INSERTs; some rows twice where the table lets them."""
    statements = []
    wide = random.random() < 0.3
    for _ in range(random.choice((0, 1, 5, 12, 12, 12, 20))):
        values = {}
        for name, kind in table.columns.items():
            if "GENERATED ALWAYS AS (" in kind:
                continue
            values[name] = _value(random, name, kind, wide=wide)
        names, row = ", ".join(map(quote, values)), ", ".join(values.values())
        insert = f"INSERT INTO {table.sql} ({names}) OVERRIDING SYSTEM VALUE VALUES ({row}) ON CONFLICT DO NOTHING"
        statements += [insert] * random.choice((1, 1, 1, 2))
    return statements


def _value(random: Random, name: str, kind: str, *, wide: bool) -> str:
    if name == "note":
        if wide:
            return f"repeat('{random.choice('abc')}', 1500)"
        return random.choice(("NULL", "''", "'x'", "'(a,\"b\\c\")'", "'ü\n'", "'NULL'"))
    if "_id" in name and "NOT NULL" not in kind and random.random() < 0.2:
        return "NULL"
    if name == "code" and random.random() < 0.2:
        return "NULL"
    number = random.randint(1, 9)
    if any(kind.startswith(each) for each in (*NUMBERS, "serial")):
        return str(number)
    return f"'k{number}{random.choice(('', '', ' ')) if kind.startswith('text') else ''}'"


def _match(key: RandomKey) -> str:
    return " AND ".join(f"k.{quote(right)} = r.{quote(left)}" for left, right in zip(key.columns, key.key.columns, strict=True))


def _detach(random: Random, key: RandomKey) -> list[str]:
    """Delete some referenced rows."""
    if random.random() < 0.6:
        return []
    return [f"DELETE FROM {key.referenced.sql} WHERE {quote(key.key.columns[0])}::text LIKE '%{random.randint(1, 9)}%'"]


def _attach(key: RandomKey) -> str:
    """Delete the orphan rows of a key that is to be declared valid."""
    given = " AND ".join(f"r.{quote(column)} IS NOT NULL" for column in key.columns)
    return (
        f"DELETE FROM {key.referencing.sql} AS r WHERE {given} AND NOT EXISTS (SELECT FROM {key.referenced.sql} AS k WHERE {_match(key)})"
    )


def _declare(key: RandomKey) -> str:
    columns, referenced = ", ".join(map(quote, key.columns)), ", ".join(map(quote, key.key.columns))
    return (
        f"ALTER TABLE {key.referencing.sql} ADD CONSTRAINT {quote(key.name)} FOREIGN KEY ({columns})"
        f" REFERENCES {key.referenced.sql} ({referenced}) ON DELETE {key.on_delete}{key.options}{' NOT VALID' if key.not_valid else ''}"
    )
