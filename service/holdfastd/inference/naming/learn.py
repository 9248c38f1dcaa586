"""What this schema teaches about its own names: which words name which table, which key, and from where.

In comes a catalog; out goes a `Naming`, the dictionary that every rule looks words up in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from holdfastd.catalog.model import Catalog
from holdfastd.inference.naming.entities import Entity, Key, Words, make_entities, squash
from holdfastd.inference.naming.lexicon import Lexicon
from holdfastd.inference.naming.vocabulary import BOOKKEEPING, BOOKKEEPING_PREFIXES, BOOKKEEPING_SUFFIXES
from holdfastd.names import TableName

_SHORTEST_PART = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """One way of reading a squashed word as the name of a table, with what the name has besides."""

    entity: Entity
    #: Words of the table before and after the ones read.
    before: Words
    after: Words
    #: The words are the whole name, a module's prefix aside.
    is_plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The dictionary of a schema."""

    entities: Mapping[TableName, Entity]
    #: Beginnings and ends of tables' names, squashed.
    readings: Lexicon[Reading]
    #: Squashed name of a key column (its table's column prefix cut) -> tables and keys called so.
    key_names: Lexicon[tuple[Entity, Key]]
    #: Squashed names of a table and its key together, such as `currencycode` of currencies.code -> tables and keys; plain ids left out.
    qualified: Lexicon[tuple[Entity, Key]]
    #: First letters of a table's last word -> tables, for abbreviations.
    abbreviated: Lexicon[Entity]
    #: First letters of a table's words, together -> tables.
    initials: Lexicon[Entity]
    #: Tables whose name lists other tables, as `l_artist_work` does -> those, in order.
    made_of: Mapping[TableName, tuple[Entity, ...]]
    _spans: dict[Words, tuple[tuple[int, int, str], ...]] = field(default_factory=dict)

    def counts_from_zero(self, entity: Entity, name: str) -> bool:
        """Tell whether the numbered columns that this one belongs to start with 0."""
        return entity.table.has_columns((name.rstrip("0123456789") + "0",))

    def spans(self, stem: Words) -> tuple[tuple[int, int, str], ...]:
        """Return (start, end, squashed) of all parts of a stem that can be read; columns repeat, so each stem is taken apart once."""
        found = self._spans.get(stem)
        if found is None:
            pairs = ((start, end) for start in range(len(stem)) for end in range(start + 1, len(stem) + 1))
            read = ((start, end, squash(stem[start:end])) for start, end in pairs)
            found = self._spans[stem] = tuple(each for each in read if each[2] in self.readings)
        return found


def learn(catalog: Catalog) -> Naming:
    """Learn the naming of a catalog's tables; bookkeeping and backup tables are left out."""
    entities = make_entities(table for table in catalog.tables.values() if not is_bookkeeping(table.name))
    listed = list(entities.values())
    return Naming(
        entities=entities,
        readings=_readings(listed),
        key_names=Lexicon(_key_names(listed), of_pair),
        qualified=Lexicon(_qualified(listed), of_pair),
        abbreviated=Lexicon(_abbreviated(listed), of_itself),
        initials=Lexicon(_initials(listed), of_itself),
        made_of=_made_of(entities),
    )


def is_bookkeeping(name: TableName) -> bool:
    """Tell whether a table is a migration tool's own, or a backup of another."""
    lower = name.name.lower()
    return lower in BOOKKEEPING or lower.startswith(BOOKKEEPING_PREFIXES) or lower.endswith(BOOKKEEPING_SUFFIXES)


def of_itself(entity: Entity) -> Entity:
    """An entity stands for itself."""
    return entity


def of_pair(pair: tuple[Entity, Key]) -> Entity:
    """A key stands with its entity."""
    return pair[0]


def _readings(entities: Iterable[Entity]) -> Lexicon[Reading]:
    """Every beginning and every end of a table's name, squashed."""
    found: list[tuple[str, Reading]] = []
    for entity in entities:
        name = entity.words
        spans = {(start, len(name)) for start in range(len(name))} | {(entity.module, end) for end in range(entity.module + 1, len(name))}
        for start, end in sorted(spans):
            is_plain = end == len(name) and start <= entity.module
            found.append((squash(name[start:end]), Reading(entity=entity, before=name[:start], after=name[end:], is_plain=is_plain)))
    return Lexicon(found, lambda reading: reading.entity, lambda reading: reading.is_plain)


def _key_names(entities: Iterable[Entity]) -> Iterator[tuple[str, tuple[Entity, Key]]]:
    for entity in entities:
        for key in entity.keys:
            for name in sorted({squash(key.words), squash(key.full)}):
                yield name, (entity, key)


def _qualified(entities: Iterable[Entity]) -> Iterator[tuple[str, tuple[Entity, Key]]]:
    for entity in entities:
        for key in entity.keys:
            if key.words != ("id",):
                for name in sorted({squash((*entity.words, *key.words)), squash((*entity.own, *key.words))}):
                    yield name, (entity, key)


def _abbreviated(entities: Iterable[Entity]) -> Iterator[tuple[str, Entity]]:
    for entity in entities:
        if entity.keys and len(entity.words[-1]) > _SHORTEST_PART:
            yield entity.words[-1][:_SHORTEST_PART], entity


def _initials(entities: Iterable[Entity]) -> Iterator[tuple[str, Entity]]:
    for entity in entities:
        for name in sorted({entity.words, entity.own}) if entity.keys else ():
            if len(name) > 1:
                yield "".join(word[0] for word in name), entity


def _made_of(entities: Mapping[TableName, Entity]) -> dict[TableName, tuple[Entity, ...]]:
    """Read a table's name as a list of two or more other tables' names, after at most one word of prefix."""
    by_name: dict[Words, Entity] = {}
    usable = [entity for entity in entities.values() if entity.is_referenceable]
    by_name.update({entity.own: entity for entity in usable})
    by_name.update({entity.words: entity for entity in usable})
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
