"""Build the cases of a catalog: every column that may hold ids, what is seen of it, and the keys it may point at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from holdfastd.catalog.model import Catalog, Column, TypeFacts
from holdfastd.inference.columns.cases import Case, Option, Traits
from holdfastd.inference.columns.clues import clues
from holdfastd.inference.columns.confidence import Judged
from holdfastd.inference.naming.entities import Entity, Key, squash
from holdfastd.inference.naming.learn import Naming
from holdfastd.inference.naming.pairs import type_columns
from holdfastd.inference.naming.people import People
from holdfastd.inference.naming.types import Fit, fit, may_hold_ids
from holdfastd.inference.naming.vocabulary import ASIDE_WORDS, BY, EXTERNAL_WORDS, OPAQUE_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, WEAK_SUFFIXES, Stem, is_plural, stem_of, words

_SERVED = ("indexed_alone", "indexed_first", "indexed_within")
#: Keys looked at per column, and the rules whose proposals come first.
_MOST_OPTIONS = 10
_BEST_RULES = (
    ("exact", "context_whole", "module", "key_name", "qualified", "numbered", "self", "kinship", "people_sure", "people_0", "extends_1"),
    ("near", "unique_name", "owner_by_place", "owner_by_own_end", "people_1", "self_to", "self_weak", "key_name_role", "extends_2"),
    ("context_part", "tail_1", "abbreviation", "initials", "people_2", "unique_name_role", "owner_by_unread", "extends_3"),
)
_RULES = {rule: 2 * place for place, rules in enumerate(_BEST_RULES) for rule in rules}
#: Words in the name of an index that say nothing, and those that say what it is for.
_INDEX_WORDS = frozenset({"idx", "index", "ix", "ind", "key", "on", "by", "uniq", "unique", "uq", "uk", "btree"})
_KEY_MARKS = frozenset({"fk", "fkey", "fki", "fkidx", "foreign", "ref", "reference"})
_NO_TRAITS: Traits = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all columns of a catalog are looked at with."""

    types: TypeFacts
    naming: Naming
    people: People
    #: Sets of traits repeat thousands of times: each is kept once, so that what is worked out for one is found again.
    _known: dict[Traits, Traits] = field(default_factory=dict)

    def once(self, traits: set[str]) -> Traits:
        """Return the one copy of a set of traits."""
        frozen = frozenset(traits)
        return self._known.setdefault(frozen, frozen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What the keys and indexes of one table say about its columns."""

    primary: tuple[str, ...]
    unique: frozenset[str | None]
    #: How well indexes serve each column: the best of `indexed_alone`, `indexed_first`, `indexed_within`.
    places: dict[str, str]
    #: Words of the names of indexes that start with a column, without those of the table and of the column itself.
    index_words: dict[str, set[str]]


def gather(catalog: Catalog, naming: Naming, people: People) -> tuple[Case, ...]:
    """Return the cases of all columns without a declared key that may hold ids, with the keys that name rules propose."""
    around = Surroundings(types=catalog.types, naming=naming, people=people)
    return tuple(case for entity in naming.entities.values() for case in _cases(entity, around))


def _cases(entity: Entity, around: Surroundings) -> Iterator[Case]:
    known = {key.referencing.columns for key in entity.table.foreign_keys}
    keys, polymorphic = _keys_of(entity), _polymorphic(entity)
    aside = not ASIDE_WORDS.isdisjoint(entity.words)
    for column, parts in zip(entity.table.columns, entity.column_names, strict=True):
        if (column.name,) in known or not may_hold_ids(column) or column.name in polymorphic or is_filled_here(column):
            continue
        stem = stem_of(parts)
        if is_counter(column, stem):
            continue
        traits = {*_name_traits(column, stem), _type_trait(column), *_key_traits(column, keys)}
        if aside:
            traits.add("kept_aside")
        case = Case(entity=entity, column=column, words=parts, stem=stem, traits=around.once(traits))
        yield case.having(case.traits, _options(case, around, keys.index_words.get(column.name, set())))


def is_counter(column: Column, stem: Stem) -> bool:
    """Tell whether a column counts: `comments integer` is the number of them."""
    return not stem.suffix and column.type.category == "N" and is_plural(column.name)


def is_filled_here(column: Column) -> bool:
    """Tell whether the table makes the column's values itself: an identity, a sequence, a random uuid."""
    if column.identity:
        return True
    default = (column.default or "").lower()
    return "nextval(" in default or "uuid" in default.partition("(")[0]


def declared(naming: Naming) -> Iterator[Judged]:
    """Yield the declared keys of one column as cases beyond doubt: columns of the same name learn from them."""
    for entity in naming.entities.values():
        for foreign_key in entity.table.foreign_keys:
            target = naming.entities.get(foreign_key.referenced.table)
            key = next((key for key in target.keys if (key.column.name,) == foreign_key.referenced.columns), None) if target else None
            if target is None or key is None:
                continue
            place = next(place for place, column in enumerate(entity.table.columns) if column.name == foreign_key.referencing.columns[0])
            column, parts = entity.table.columns[place], entity.column_names[place]
            case = Case(entity=entity, column=column, words=parts, stem=stem_of(parts), traits=_NO_TRAITS)
            seen = frozenset({"same_table"}) if target is entity else _NO_TRAITS
            option = Option(entity=target, key=key, fit=Fit.SAME, traits=seen)
            yield Judged(case=case, option=option, target=1.0, reference=1.0)


def _polymorphic(entity: Entity) -> frozenset[str]:
    """Columns that are the id half of an (id, type) pair: such ids point into several tables."""
    kinds = type_columns(entity.table)
    if not kinds:
        return frozenset()
    named = ((column.name, words(column.name)) for column in entity.table.columns)
    return frozenset(name for name, parts in named if len(parts) > 1 and parts[-1] in STRONG_SUFFIXES and parts[:-1] in kinds)


def _options(case: Case, around: Surroundings, index_words: set[str]) -> tuple[Option, ...]:
    """Return what the clues propose, one option per key; several clues to the same key add their traits up."""
    proposed: dict[tuple[Entity, Key | None], set[str]] = {}
    for entity, key, told in clues(case, around.naming, around.people):
        traits = proposed.get((entity, key))
        if traits is None:
            proposed[entity, key] = set(told)
        else:
            traits.update(told)
    found: dict[Key, tuple[Entity, Fit, set[str]]] = {}
    for (entity, named), traits in proposed.items():
        agreement, key = _key_for(case, entity, named, around.types)
        if key is None or agreement is Fit.NONE or (entity is case.entity and key.column is case.column):
            continue
        if key in found:
            found[key][2].update(traits)
        else:
            found[key] = (entity, agreement, traits)
    if len(found) > _MOST_OPTIONS:
        found = dict(sorted(found.items(), key=_unlikeliness)[:_MOST_OPTIONS])
    for key, (entity, agreement, traits) in found.items():
        traits.update(_seen(case, entity, key, agreement))
        if index_words and index_words.issuperset(entity.own):
            traits.add("index_names_table")
    _compare(case, [(entity, traits) for entity, _, traits in found.values()])
    return tuple(
        Option(entity=entity, key=key, fit=agreement, traits=around.once(traits)) for key, (entity, agreement, traits) in found.items()
    )


def _compare(case: Case, proposed: Sequence[tuple[Entity, set[str]]]) -> None:
    """Tell the options apart by the words they share with the referencing table: of two pools, `dhcp4_options` means the one of dhcp4."""
    if len(proposed) > 1:
        own = set(case.entity.words).difference(case.stem.words)
        shared = [len(own.intersection(entity.words)) - (entity.name.schema != case.entity.name.schema) for entity, _ in proposed]
        most = max(shared)
        if min(shared) < most:
            for (_, traits), count in zip(proposed, shared, strict=True):
                traits.add("shares_less" if count < most else "shares_most" if shared.count(most) == 1 else "shares_much")


def _unlikeliness(proposed: tuple[Key, tuple[Entity, Fit, set[str]]]) -> tuple[bool, int, int]:
    """A rough order for columns that could mean very many tables: what fits, what was found by the better rule, the shorter name."""
    entity, agreement, traits = proposed[1]
    best = min((_RULES[trait] for trait in traits if trait in _RULES), default=2 * len(_BEST_RULES))
    return agreement <= Fit.MISMATCH, best - ("role_0" in traits), len(entity.words)


def _key_for(case: Case, entity: Entity, named: Key | None, types: TypeFacts) -> tuple[Fit, Key | None]:
    """The key that the clue names, or else the one a column of this type and suffix would use."""
    keys = entity.keys if named is None else (named,)
    if len(keys) == 1:
        return fit(types, case.column, keys[0].column, keys[0].entry), keys[0]
    best: tuple[tuple[bool, bool, bool, Fit], Key] | None = None
    for key in keys:
        agreement = fit(types, case.column, key.column, key.entry)
        rank = (agreement > Fit.MISMATCH, _same_suffix(case.stem, key), key.is_primary, agreement)
        if best is None or rank > best[0]:
            best = (rank, key)
    return (Fit.NONE, None) if best is None else (best[0][3], best[1])


def _same_suffix(stem: Stem, key: Key) -> bool:
    return bool(stem.suffix) and stem.suffix != "id" and key.words[-1:] == (stem.suffix,)


def _seen(case: Case, entity: Entity, key: Key, agreement: Fit) -> Iterator[str]:
    """What is seen of a column and a key side by side, whatever rule brought them together."""
    yield f"fit_{agreement.name.lower()}"
    if entity is case.entity:
        yield "same_table"
    if not key.is_primary:
        yield "not_primary" if key.entry is not None else "not_unique"
        if _same_suffix(case.stem, key):
            yield "suffix_names_key"
    if entity.name.schema != case.entity.name.schema:
        yield "other_schema"
    if case.entity.module and case.entity.words[: case.entity.module] == entity.words[: case.entity.module]:
        yield "same_module"
    if entity.is_satellite and len(entity.primary_key) == 1:
        yield "satellite"
    if key.words != ("id",) and squash(case.words) == squash(key.words):
        yield "called_like_key"


def _name_traits(column: Column, stem: Stem) -> Iterator[str]:
    """What a column's name says by itself."""
    yield _suffix_trait(stem)
    if not EXTERNAL_WORDS.isdisjoint(stem.words):
        yield "external"
    if stem.words and stem.words[-1] in OPAQUE_WORDS:
        yield "opaque"
    if stem.number:
        yield "numbered_column"
    if not stem.suffix and is_plural(column.name):
        yield "plural"
    if not stem.words:
        yield "no_stem"


def _suffix_trait(stem: Stem) -> str:
    if stem.suffix in STRONG_SUFFIXES:
        return "suffix_strong"
    if stem.suffix in WEAK_SUFFIXES:
        return "suffix_weak"
    return "suffix_by" if stem.words[-1:] == (BY,) else "suffix_none"


def _type_trait(column: Column) -> str:
    kind = column.type
    if kind.category == "S":
        return "text_sized" if "(" in kind.formatted else "text"
    return {"int4": "int", "integer": "int", "int8": "int", "bigint": "int", "uuid": "uuid"}.get(kind.base_name, "odd_type")


def _keys_of(entity: Entity) -> _Keys:
    places: dict[str, str] = {}
    index_words: dict[str, set[str]] = {}
    unique = set()
    for index in entity.table.indexes:
        columns = index.columns
        if index.is_unique and len(columns) == 1:
            unique.add(columns[0])
        for place, name in enumerate(columns):
            alone = len(columns) == 1 and not index.is_unique
            served = "indexed_within" if place else "indexed_alone" if alone else "indexed_first"
            if name is not None and (name not in places or _SERVED.index(served) < _SERVED.index(places[name])):
                places[name] = served
        if columns and columns[0] is not None and not index.is_primary:
            own = {*entity.words, *words(columns[0]), *_INDEX_WORDS}
            index_words.setdefault(columns[0], set()).update(word for word in words(index.name) if word not in own)
    return _Keys(primary=entity.primary_key, unique=frozenset(unique), places=places, index_words=index_words)


def _key_traits(column: Column, keys: _Keys) -> Iterator[str]:
    if column.name in keys.primary:
        yield "primary_key" if len(keys.primary) == 1 else "in_primary_key"
    elif column.name in keys.unique:
        yield "unique"
    yield keys.places.get(column.name, "unindexed")
    if not _KEY_MARKS.isdisjoint(keys.index_words.get(column.name, ())):
        yield "index_says_key"
    yield "required" if column.not_null else "nullable"
