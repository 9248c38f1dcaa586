"""What this schema teaches about its own names: glued words, module prefixes, column prefixes, and which words name which table.

In comes a catalog; out goes a `Naming`, the dictionary that every rule looks words up in.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from holdfastd.catalog.model import Catalog, Column, IndexColumn, Table
from holdfastd.catalog.operators import is_referenceable
from holdfastd.inference.names import STRONG_SUFFIXES, words
from holdfastd.inference.vocabulary import BOOKKEEPING, BOOKKEEPING_PREFIXES, BOOKKEEPING_SUFFIXES
from holdfastd.names import TableName

Words = tuple[str, ...]

_SHARED_PREFIX = 3  # tables that must start with a word before it can be a module's prefix
_COLUMN_PREFIX_SHARE = 0.9
_COLUMN_PREFIX_COLUMNS = 3
_SHORTEST_PART = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A column that can be referenced: unique by an index, or (entry None) the obvious key of a table without any."""

    column: Column
    #: Words of the column, its table's column prefix cut off.
    words: Words
    #: All of them: `w_id` of TPC-C's warehouse, which others call `d_w_id`.
    full: Words
    is_primary: bool
    entry: IndexColumn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A table as a thing with a name."""

    table: Table
    #: All words of the name.
    words: Words
    #: How many leading words are a module's prefix, as `auth` in `auth_user`.
    module: int
    #: First word of nearly every column, as `l` in TPC-H's lineitem; empty when there is none.
    column_prefix: str
    keys: tuple[Key, ...]
    #: Words of each column, in the order of the columns.
    column_names: tuple[Words, ...]
    #: The same with the table's column prefix, where it has one.
    full_names: tuple[Words, ...]

    @property
    def own(self) -> Words:
        """The words without the module's prefix."""
        return self.words[self.module :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way of reading a squashed word as the name of a table, with what the name has besides."""

    entity: Entity
    #: Words of the table before and after the ones read.
    before: Words
    after: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The dictionary of a schema."""

    entities: Mapping[TableName, Entity]
    readings: Mapping[str, tuple[Reading, ...]]
    #: Squashed name of a key column (its table's column prefix cut) -> tables and keys called so.
    key_names: Mapping[str, tuple[tuple[Entity, Key], ...]]
    #: Squashed names of a table and its key together, such as `currencycode` of currencies.code -> tables and keys; plain ids left out.
    qualified: Mapping[str, tuple[tuple[Entity, Key], ...]]
    #: First letters of a table's last word -> tables, for abbreviations.
    abbreviated: Mapping[str, tuple[Entity, ...]]
    #: First letters of a table's words, together -> tables.
    initials: Mapping[str, tuple[Entity, ...]]
    #: Tables whose name lists other tables, as `l_artist_work` does -> those, in order.
    made_of: Mapping[TableName, tuple[Entity, ...]]
    vocabulary: frozenset[str]

    def counts_from_zero(self, entity: Entity, name: str) -> bool:
        """Tell whether the numbered columns that this one belongs to start with 0."""
        return entity.table.has_columns((name.rstrip("0123456789") + "0",))


def learn(catalog: Catalog) -> Naming:
    """Learn the naming of a catalog's tables; bookkeeping and backup tables are left out."""
    tables = [table for table in catalog.tables.values() if not is_bookkeeping(table.name)]
    vocabulary = _vocabulary(tables)
    names = {table.name: taken_apart(words(table.name.name), vocabulary) for table in tables}
    modules = _module_prefixes(names.values())
    entities = {table.name: _entity(table, names[table.name], modules, vocabulary) for table in tables}
    return Naming(
        entities=entities,
        readings=_readings(entities.values()),
        key_names=_key_names(entities.values()),
        qualified=_qualified(entities.values()),
        abbreviated=_abbreviated(entities.values()),
        initials=_initials(entities.values()),
        made_of=_made_of(entities),
        vocabulary=vocabulary,
    )


def is_bookkeeping(name: TableName) -> bool:
    """Tell whether a table is a migration tool's own, or a backup of another."""
    lower = name.name.lower()
    return lower in BOOKKEEPING or lower.startswith(BOOKKEEPING_PREFIXES) or lower.endswith(BOOKKEEPING_SUFFIXES)


def squash(parts: Iterable[str]) -> str:
    """Join words, so that `work_order` and `workorder` are the same."""
    return "".join(parts)


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
    """Words of table names, and those that several columns use."""
    listed = list(tables)
    used = Counter(word for table in listed for column in table.columns for word in set(words(column.name)))
    named = {word for table in listed for word in words(table.name.name)}
    return frozenset(word for word in named | {word for word, count in used.items() if count > 1} if len(word) >= _SHORTEST_PART)


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
    return Entity(
        table=table,
        words=name,
        module=module,
        column_prefix=prefix,
        keys=tuple(_keys(table, name, prefix, vocabulary)),
        column_names=tuple(_column_words(column, prefix, vocabulary) for column in table.columns),
        full_names=tuple(_column_words(column, "", vocabulary) for column in table.columns),
    )


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
        if not is_referenceable(index) or len(index.key_columns) > 1 or index.columns[0] in found:
            continue
        column = table.column(index.columns[0] or "")
        found.add(column.name)
        yield Key(
            column=column,
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
            yield Key(column=column, words=parts, full=parts, is_primary=False, entry=None)


def _column_words(column: Column, prefix: str, vocabulary: frozenset[str]) -> Words:
    """Words of a column, glued ones taken apart, the table's column prefix cut off."""
    parts = taken_apart(words(column.name), vocabulary)
    return parts[1:] if prefix and parts[0] == prefix and len(parts) > 1 else parts


def _readings(entities: Iterable[Entity]) -> dict[str, tuple[Reading, ...]]:
    """Every beginning and every end of a table's name, squashed."""
    found: dict[str, list[Reading]] = defaultdict(list)
    for entity in entities:
        name = entity.words
        spans = {(start, len(name)) for start in range(len(name))} | {(entity.module, end) for end in range(entity.module + 1, len(name))}
        for start, end in spans:
            found[squash(name[start:end])].append(Reading(entity=entity, before=name[:start], after=name[end:]))
    return {word: tuple(readings) for word, readings in found.items()}


def _key_names(entities: Iterable[Entity]) -> dict[str, tuple[tuple[Entity, Key], ...]]:
    found: dict[str, list[tuple[Entity, Key]]] = defaultdict(list)
    for entity in entities:
        for key in entity.keys:
            for name in {squash(key.words), squash(key.full)}:
                found[name].append((entity, key))
    return {word: tuple(keys) for word, keys in found.items()}


def _qualified(entities: Iterable[Entity]) -> dict[str, tuple[tuple[Entity, Key], ...]]:
    found: dict[str, list[tuple[Entity, Key]]] = defaultdict(list)
    for entity in entities:
        for key in entity.keys:
            if key.words != ("id",):
                for name in {squash((*entity.words, *key.words)), squash((*entity.own, *key.words))}:
                    found[name].append((entity, key))
    return {name: tuple(keys) for name, keys in found.items()}


def _abbreviated(entities: Iterable[Entity]) -> dict[str, tuple[Entity, ...]]:
    found: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        if entity.keys and len(entity.words[-1]) > _SHORTEST_PART:
            found[entity.words[-1][:_SHORTEST_PART]].append(entity)
    return {letters: tuple(listed) for letters, listed in found.items()}


def _initials(entities: Iterable[Entity]) -> dict[str, tuple[Entity, ...]]:
    found: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        for name in {entity.words, entity.own} if entity.keys else ():
            if len(name) > 1:
                found["".join(word[0] for word in name)].append(entity)
    return {letters: tuple(listed) for letters, listed in found.items()}


def _made_of(entities: Mapping[TableName, Entity]) -> dict[TableName, tuple[Entity, ...]]:
    """Read a table's name as a list of two or more other tables' names, after at most one word of prefix."""
    usable = [entity for entity in entities.values() if any(key.entry is not None for key in entity.keys)]
    by_name = {entity.own: entity for entity in usable} | {entity.words: entity for entity in usable}
    found = {}
    for name, entity in entities.items():
        for start in (0, 1):
            parts = _listed(entity.words[start:], by_name, longest=len(entity.words) - start - 1)
            if parts:
                found[name] = parts
                break
    return found


def _listed(name: Words, by_name: Mapping[Words, Entity], longest: int) -> tuple[Entity, ...]:
    """Read words as names of tables from left to right, the longest first; nothing when words are left over."""
    for length in range(min(longest, len(name)), 0, -1):
        first = by_name.get(name[:length])
        if first is None:
            continue
        rest = _listed(name[length:], by_name, len(name))
        if length == len(name) or rest:
            return (first, *rest)
    return ()
