"""Each table among the others: what it references, what references it, whether it holds people or reference data. Pure."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.advice.meanings import LISTED
from holdfastd.inference.model import Relationship, Tier
from holdfastd.inference.naming.vocabulary import HISTORY_WORDS, LABEL_WORDS, OWNER_WORDS, PERSON_LIKE, PERSON_SIGNS, PERSON_WORDS
from holdfastd.inference.naming.words import stem_of, words
from holdfastd.inference.purposes.meanings import LOGS, USUAL, WORK
from holdfastd.inference.purposes.phrases import plural
from holdfastd.names import ColumnSet, TableName

#: Reference data of more rows than these is referenced more than once per row.
_FEW_ROWS = 1_000
#: A table that is called like a list is none when it has more columns than these.
_NARROW = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One table among the others."""

    table: TableOutline
    #: Words of its name, in the singular.
    words: tuple[str, ...]
    columns: frozenset[str]
    #: Tables it references: in every row, and in some; without itself.
    required: tuple[TableName, ...]
    optional: tuple[TableName, ...]
    #: Referenced tables after which the referencing columns are named: user_id.
    named: frozenset[TableName]
    #: How many columns are references, and how many tables reference it.
    references: int
    users: int
    #: Tables of people, and of reference data.
    people: frozenset[TableName]
    listed: frozenset[TableName]

    @property
    def things(self) -> str:
        """Its rows, as people call them: trust_events -> trust events."""
        return plural(self.table.name.name)

    @property
    def own_columns(self) -> frozenset[str]:
        """Columns that say something: neither usual ones nor its key."""
        return self.columns - USUAL - set(self.table.primary_key)


def look(tables: Sequence[TableOutline], relationships: Sequence[Relationship]) -> list[Seen]:
    """Return what is seen of each table; relationships for review do not count."""
    required: dict[TableName, dict[TableName, None]] = defaultdict(dict)
    optional: dict[TableName, dict[TableName, None]] = defaultdict(dict)
    columns: dict[TableName, set[str]] = defaultdict(set)
    users: dict[TableName, set[TableName]] = defaultdict(set)
    named: dict[TableName, set[TableName]] = defaultdict(set)
    for each in relationships:
        one, other = each.referencing.table, each.referenced.table
        if each.tier is not Tier.REVIEW and one != other:
            (optional if each.nullable else required)[one][other] = None
            columns[one].update(each.referencing.columns)
            users[other].add(one)
            if _is_named_after(each.referencing, other):
                named[one].add(other)
    rows = {table.name: table.row_estimate for table in tables}
    people = frozenset(table.name for table in tables if _is_people(table))
    listed = frozenset(
        table.name
        for table in tables
        if users[table.name]
        and not required[table.name]
        and not optional[table.name]
        and table.name not in people
        and _is_listed(table)
        and _has_few_rows(table, users[table.name], rows)
    )
    return [
        Seen(
            table=table,
            words=words(table.name.name),
            columns=frozenset(column.name.lower() for column in table.columns),
            required=tuple(required[table.name]),
            optional=tuple(name for name in optional[table.name] if name not in required[table.name]),
            named=frozenset(named[table.name]),
            references=len(columns[table.name]),
            users=len(users[table.name]),
            people=people,
            listed=listed,
        )
        for table in tables
    ]


def _is_named_after(referencing: ColumnSet, referenced: TableName) -> bool:
    stem = stem_of(words(referencing.columns[-1])).words
    name = words(referenced.name)
    return bool(stem) and (stem[-1:] == name[-1:] or "".join(stem).endswith("".join(name)))


def _is_people(table: TableOutline) -> bool:
    last = words(table.name.name)[-1]
    squashed = {"".join(stem_of(words(column.name)).words) for column in table.columns}
    signs = {sign for sign, spellings in PERSON_SIGNS.items() if not squashed.isdisjoint(spellings)}
    if {"email", "password"} <= signs or {"login", "password"} <= signs:
        return True
    return (last in PERSON_WORDS or last in PERSON_LIKE) and bool(signs - {"login"})


def _is_listed(table: TableOutline) -> bool:
    """Tell whether a table that references nothing looks like a list of codes, kinds or articles."""
    if words(table.name.name)[-1] in OWNER_WORDS | PERSON_LIKE | HISTORY_WORDS | LOGS | WORK:
        return False
    if words(table.name.name)[-1] in LISTED and len(table.columns) <= _NARROW:
        return True
    own = set(words(table.name.name))
    # `name` and `category_name`, not `auth_code`.
    return any(parts[-1] in LABEL_WORDS and own.issuperset(parts[:-1]) for parts in (words(column.name) for column in table.columns))


def _has_few_rows(table: TableOutline, users: Collection[TableName], rows: Mapping[TableName, float]) -> bool:
    """Tell whether rows are referenced more than once on average, as far as anybody counted."""
    using = [rows.get(name, -1.0) for name in users]
    return table.row_estimate <= _FEW_ROWS or any(number < 0 for number in using) or table.row_estimate <= sum(using) / 2
