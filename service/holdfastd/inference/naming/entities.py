"""Tables as things with a name: their words, their module's prefix, their columns' prefix, and the keys they can be referenced by.

In come the tables of a catalog; out come entities. Everything asked of a table often is computed here once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from holdfastd.catalog.model import Column, IndexColumn, Table
from holdfastd.catalog.operators import is_referenceable
from holdfastd.inference.naming.vocabulary import AGENT_WORDS, PLACE_WORDS, SELF_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, stem_of, words
from holdfastd.names import ColumnSet, TableName

Words = tuple[str, ...]

_SHARED_PREFIX = 3  # tables that must start with a word before it can be a module's prefix
_COLUMN_PREFIX_SHARE = 0.9
_COLUMN_PREFIX_COLUMNS = 3
_SHORTEST_PART = 3
_COMMON_WORDS = frozenset({*AGENT_WORDS, *PLACE_WORDS, *SELF_WORDS, "code", "number", "name"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Key:
    """A column that can be referenced: unique by an index, or (entry None) the obvious key of a table without any."""

    column: Column
    #: The column with its table.
    referenced: ColumnSet
    #: Words of the column, its table's column prefix cut off.
    words: Words
    #: All of them: `w_id` of TPC-C's warehouse, which others call `d_w_id`.
    full: Words
    is_primary: bool
    entry: IndexColumn | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entity:
    """A table as a thing with a name; equal only to itself."""

    table: Table
    #: All words of the name.
    words: Words
    #: How many leading words are a module's prefix, as `auth` in `auth_user`.
    module: int
    #: The words without it.
    own: Words
    #: First word of nearly every column, as `l` in TPC-H's lineitem; empty when there is none.
    column_prefix: str
    keys: tuple[Key, ...]
    primary_key: tuple[str, ...]
    #: The key is named after something else, so that it looks borrowed: `user_settings.user_id`.
    is_satellite: bool
    #: Words of each column, in the order of the columns.
    column_names: tuple[Words, ...]
    #: The same with the table's column prefix, where it has one.
    full_names: tuple[Words, ...]
    #: Words of a column -> the first column called so.
    by_words: Mapping[Words, Column]

    @property
    def name(self) -> TableName:
        """The table's name."""
        return self.table.name

    @property
    def is_referenceable(self) -> bool:
        """Tell whether a foreign key of one column may point at the table."""
        return any(key.entry is not None for key in self.keys)


def squash(parts: Iterable[str]) -> str:
    """Join words, so that `work_order` and `workorder` are the same."""
    return "".join(parts)


def make_entities(tables: Iterable[Table]) -> dict[TableName, Entity]:
    """Return every table as an entity, its words taken apart by the words that the tables use themselves."""
    listed = list(tables)
    vocabulary = _vocabulary(listed)
    names = {table.name: taken_apart(words(table.name.name), vocabulary) for table in listed}
    modules = _module_prefixes(names.values())
    return {table.name: _entity(table, names[table.name], modules, vocabulary) for table in listed}


def taken_apart(parts: Words, vocabulary: frozenset[str]) -> Words:
    """Split glued words into words the schema uses elsewhere: `workorderid` into work, order, id."""
    return tuple(piece for part in parts for piece in _split(part, vocabulary))


@lru_cache(maxsize=65_536)
def _split(word: str, vocabulary: frozenset[str]) -> Words:
    for suffix in STRONG_SUFFIXES:
        rest = word.removesuffix(suffix)
        if rest == word or len(rest) < _SHORTEST_PART:
            continue
        parts = _split(rest, vocabulary)
        if rest in vocabulary or len(parts) > 1:
            return (*parts, suffix)
    if len(word) < 2 * _SHORTEST_PART:
        return (word,)
    best: list[Words | None] = [()] + [None] * len(word)
    for end in range(_SHORTEST_PART, len(word) + 1):
        for start in range(end - _SHORTEST_PART + 1):
            before, part = best[start], word[start:end]
            if before is None or part == word or part not in vocabulary:
                continue
            here = best[end]
            if here is None or len(before) + 1 < len(here):
                best[end] = (*before, part)
    return best[-1] or (word,)


def _vocabulary(tables: Iterable[Table]) -> frozenset[str]:
    """Words of table names, those that several columns use, and those that say which of several is meant: `fromcurrencycode`."""
    listed = list(tables)
    used = Counter(word for table in listed for column in table.columns for word in set(words(column.name)))
    named = {word for table in listed for word in words(table.name.name)}
    several = {word for word, count in used.items() if count > 1}
    return frozenset(word for word in named | several | _COMMON_WORDS if len(word) >= _SHORTEST_PART)


def _module_prefixes(names: Iterable[Words]) -> frozenset[Words]:
    """Leading words that several tables share and that name no table themselves."""
    listed = list(names)
    whole = set(listed)
    counts = Counter(name[:length] for name in listed for length in (1, 2) if len(name) > length)
    return frozenset(prefix for prefix, count in counts.items() if count >= _SHARED_PREFIX and not {prefix, prefix[-1:]} & whole)


def _entity(table: Table, name: Words, modules: frozenset[Words], vocabulary: frozenset[str]) -> Entity:
    module = max(
        length for length in (0, 1, 2) if length == 0 or (len(name) > length and (name[:length] in modules or _is_doubled(name, length)))
    )
    prefix = _column_prefix(table)
    column_names = tuple(_column_words(column, prefix, vocabulary) for column in table.columns)
    keys = tuple(_keys(table, name, prefix, vocabulary))
    return Entity(
        table=table,
        words=name,
        module=module,
        own=name[module:],
        column_prefix=prefix,
        keys=keys,
        primary_key=table.primary_key,
        is_satellite=_is_satellite(name, module, keys),
        column_names=column_names,
        full_names=tuple(_column_words(column, "", vocabulary) for column in table.columns) if prefix else column_names,
        by_words=dict(zip(reversed(column_names), reversed(table.columns), strict=True)),
    )


def _is_satellite(name: Words, module: int, keys: Iterable[Key]) -> bool:
    primary = next((key for key in keys if key.is_primary), None)
    stem = stem_of(primary.words).words if primary else ()
    return bool(stem) and squash(stem) not in {squash(name), squash(name[module:]), name[-1]}


def _is_doubled(name: Words, length: int) -> bool:
    """`order_order`, `gift_card_giftcard`: a module named after its main table."""
    return name[:length] == name[length : 2 * length]


def _column_prefix(table: Table) -> str:
    firsts = Counter(parts[0] for column in table.columns if len(parts := words(column.name)) > 1)
    if len(table.columns) < _COLUMN_PREFIX_COLUMNS or not firsts:
        return ""
    word, count = firsts.most_common(1)[0]
    return word if count >= _COLUMN_PREFIX_SHARE * len(table.columns) else ""


def _keys(table: Table, name: Words, prefix: str, vocabulary: frozenset[str]) -> Iterator[Key]:
    """Columns that are a whole unique index; failing that, `id` or `<table>_id` of a table without a primary key."""
    found: set[str] = set()
    for index in sorted(table.indexes, key=lambda index: (not index.is_primary, index.oid)):
        if len(index.key_columns) > 1 or not is_referenceable(index) or index.columns[0] in found:
            continue
        column = table.column(index.columns[0] or "")
        found.add(column.name)
        yield Key(
            column=column,
            referenced=ColumnSet(table.name, (column.name,)),
            words=_column_words(column, prefix, vocabulary),
            full=_column_words(column, "", vocabulary),
            is_primary=index.is_primary,
            entry=index.key_columns[0],
        )
    if found or table.primary_key:
        return
    for column in table.columns:
        parts = _column_words(column, prefix, vocabulary)
        if parts in {("id",), (*name, "id")}:
            yield Key(
                column=column, referenced=ColumnSet(table.name, (column.name,)), words=parts, full=parts, is_primary=False, entry=None
            )


def _column_words(column: Column, prefix: str, vocabulary: frozenset[str]) -> Words:
    """Words of a column, glued ones taken apart, the table's column prefix cut off."""
    parts = taken_apart(words(column.name), vocabulary)
    return parts[1:] if prefix and parts[0] == prefix and len(parts) > 1 else parts
