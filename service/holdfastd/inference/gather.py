"""Build the cases of a catalog: every column that may hold ids, what is seen of it, and the keys it may point at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfastd.catalog.model import Catalog, Column, TypeFacts
from holdfastd.inference.cases import Case, Option, Traits
from holdfastd.inference.clues import Clue, clues
from holdfastd.inference.names import STRONG_SUFFIXES, WEAK_SUFFIXES, Stem, is_plural, stem_of, words
from holdfastd.inference.naming import Entity, Key, Naming, squash
from holdfastd.inference.people import People
from holdfastd.inference.types import Fit, fit, may_hold_ids
from holdfastd.inference.vocabulary import ASIDE_WORDS, BY, EXTERNAL_WORDS, OPAQUE_WORDS, TYPE_WORDS

_NAMED = frozenset({"exact", "module", "context_whole", "key_name", "self", "near"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all columns of a catalog are looked at with."""

    types: TypeFacts
    naming: Naming
    people: People


def gather(catalog: Catalog, naming: Naming, people: People) -> tuple[Case, ...]:
    """Return the cases of all columns without a declared key for which some name rule proposes a table."""
    around = Surroundings(types=catalog.types, naming=naming, people=people)
    return tuple(case for entity in naming.entities.values() for case in _cases(entity, around))


def _cases(entity: Entity, around: Surroundings) -> Iterator[Case]:
    declared = {key.referencing.columns for key in entity.table.foreign_keys}
    for column, parts in zip(entity.table.columns, entity.column_names, strict=True):
        if (column.name,) in declared or column.identity or not may_hold_ids(column):
            continue
        stem = stem_of(parts)
        if is_polymorphic(entity, column.name):
            continue
        case = Case(entity=entity, column=column, words=parts, stem=stem, traits=_traits(entity, column, stem))
        options = _options(case, around)
        yield replace(case, options=options)


def is_polymorphic(entity: Entity, name: str) -> bool:
    """Tell whether a column is the id half of an (id, type) pair: such ids point into several tables."""
    raw = words(name)
    if len(raw) < 2 or raw[-1] not in STRONG_SUFFIXES:  # noqa: PLR2004: a stem and a suffix
        return False
    others = {words(column.name) for column in entity.table.columns if column.type.category in {"S", "E"}}
    return any((*raw[:-1], word) in others for word in TYPE_WORDS)


def _options(case: Case, around: Surroundings) -> tuple[Option, ...]:
    found: dict[tuple[object, str], Option] = {}
    for clue in clues(case, around.naming, around.people):
        option = _option(case, clue, around.types)
        if option is None:
            continue
        place = (option.entity.table.name, option.key.column.name)
        found[place] = found[place].having(*option.traits) if place in found else option
    return tuple(found.values())


def _option(case: Case, clue: Clue, types: TypeFacts) -> Option | None:
    entity, key, traits = clue
    chosen = _usual_key(case, entity, types) if key is None else (fit(types, case.column, key.column, key.entry), key)
    if chosen is None or chosen[0] is Fit.NONE:
        return None
    agreement, key = chosen
    if entity is case.entity and key.column.name == case.column.name:
        return None
    return Option(entity=entity, key=key, fit=agreement, traits=traits.union(_seen(case, entity, key, agreement)))


def _usual_key(case: Case, entity: Entity, types: TypeFacts) -> tuple[Fit, Key] | None:
    """The key that a column of this type and suffix would use: by type first, then by its name, then the primary key."""
    ranked = [
        ((agreement >= Fit.FAMILY, _same_suffix(case.stem, key), key.is_primary, agreement), agreement, key)
        for key in entity.keys
        if (agreement := fit(types, case.column, key.column, key.entry)) is not Fit.NONE
    ]
    if not ranked:
        return None
    _, agreement, key = max(ranked, key=lambda each: each[0])
    return agreement, key


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
    if entity.table.name.schema != case.entity.table.name.schema:
        yield "other_schema"
    if case.entity.module and case.entity.words[: case.entity.module] == entity.words[: case.entity.module]:
        yield "same_module"
    if len(entity.table.primary_key) == 1 and is_satellite(entity):
        yield "satellite"
    if squash(case.words) == squash(key.words) and len(squash(key.words)) > 2:  # noqa: PLR2004: `id` says nothing
        yield "called_like_key"


def is_satellite(entity: Entity) -> bool:
    """Tell whether a table's key is named after something else, so that it looks borrowed: `user_settings.user_id`."""
    key = next((key for key in entity.keys if key.is_primary), None)
    if key is None:
        return False
    stem = stem_of(key.words)
    return bool(stem.words) and squash(stem.words) not in {squash(entity.words), squash(entity.own), squash(entity.own[-1:])}


def _traits(entity: Entity, column: Column, stem: Stem) -> Traits:
    """What is seen of a column alone."""
    aside = {"kept_aside"} if set(entity.words) & ASIDE_WORDS else set()
    return frozenset((_suffix_trait(stem), _type_trait(column), *_key_traits(entity, column), *_word_traits(stem, column), *aside))


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


def _key_traits(entity: Entity, column: Column) -> Iterator[str]:
    table = entity.table
    primary = table.primary_key
    if primary == (column.name,):
        yield "primary_key"
    elif column.name in primary:
        yield "in_primary_key"
    leading = [index for index in table.indexes if index.columns[:1] == (column.name,)]
    if any(len(index.columns) == 1 and index.is_unique and not index.is_primary for index in leading):
        yield "unique"
    if any(len(index.columns) == 1 and not index.is_unique for index in leading):
        yield "indexed_alone"
    elif leading:
        yield "indexed_first"
    elif any(column.name in index.columns for index in table.indexes):
        yield "indexed_within"
    else:
        yield "unindexed"
    yield "required" if column.not_null else "nullable"


def _word_traits(stem: Stem, column: Column) -> Iterator[str]:
    if set(stem.words) & EXTERNAL_WORDS:
        yield "external"
    if stem.words[-1:] and stem.words[-1] in OPAQUE_WORDS:
        yield "opaque"
    if stem.number:
        yield "numbered_column"
    if not stem.suffix and is_plural(column.name):
        yield "plural"
    if not stem.words:
        yield "no_stem"
    if column.default and not column.default.lower().startswith(("null", "0")):
        yield "default"
