"""Build the cases of a catalog: every column that may hold ids, what is seen of it, and the keys it may point at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfastd.catalog.model import Catalog, Column, TypeFacts
from holdfastd.inference.cases import Case, Option
from holdfastd.inference.clues import clues
from holdfastd.inference.confidence import Judged
from holdfastd.inference.names import STRONG_SUFFIXES, WEAK_SUFFIXES, Stem, is_plural, stem_of, words
from holdfastd.inference.naming import Entity, Key, Naming, squash
from holdfastd.inference.people import People
from holdfastd.inference.types import Fit, fit, may_hold_ids
from holdfastd.inference.vocabulary import ASIDE_WORDS, BY, EXTERNAL_WORDS, OPAQUE_WORDS, TYPE_WORDS
from holdfastd.names import TableName

_SERVED = ("indexed_alone", "indexed_first", "indexed_within")


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
    known = {key.referencing.columns for key in entity.table.foreign_keys}
    places = _indexed_places(entity)
    for column, parts in zip(entity.table.columns, entity.column_names, strict=True):
        stem = stem_of(parts)
        if (column.name,) in known or is_filled_here(column) or not may_hold_ids(column) or is_polymorphic(entity, column.name):
            continue
        if is_counter(column, stem):
            continue
        traits = frozenset((*_name_traits(entity, column, stem), _type_trait(column), *_key_traits(entity, column, places)))
        case = Case(entity=entity, column=column, words=parts, stem=stem, traits=traits)
        yield replace(case, options=_options(case, around))


def is_counter(column: Column, stem: Stem) -> bool:
    """Tell whether a column counts: `comments integer` is the number of them."""
    return not stem.suffix and column.type.category == "N" and is_plural(column.name)


def is_filled_here(column: Column) -> bool:
    """Tell whether the table makes the column's values itself: an identity, a sequence, a random uuid."""
    default = (column.default or "").lower()
    return bool(column.identity) or "nextval(" in default or "uuid" in default.partition("(")[0]


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
            case = Case(entity=entity, column=column, words=parts, stem=stem_of(parts), traits=frozenset())
            seen = frozenset({"same_table"}) if target is entity else frozenset()
            option = Option(entity=target, key=key, fit=Fit.SAME, traits=seen)
            yield Judged(case=case, option=option, target=1.0, reference=1.0)


def is_polymorphic(entity: Entity, name: str) -> bool:
    """Tell whether a column is the id half of an (id, type) pair: such ids point into several tables."""
    raw = words(name)
    if len(raw) == 1 or raw[-1] not in STRONG_SUFFIXES:
        return False
    others = {words(column.name) for column in entity.table.columns if column.type.category in {"S", "E"}}
    return any((*raw[:-1], word) in others for word in TYPE_WORDS)


def _options(case: Case, around: Surroundings) -> tuple[Option, ...]:
    """Return what the clues propose, one option per key; several clues to the same key add their traits up."""
    proposed: dict[tuple[TableName, str], tuple[Entity, Key | None, set[str]]] = {}
    for entity, key, told in clues(case, around.naming, around.people):
        place = (entity.table.name, key.column.name if key else "")
        proposed.setdefault(place, (entity, key, set()))[2].update(told)
    found: dict[tuple[TableName, str], tuple[Entity, Key, Fit, set[str]]] = {}
    for entity, named, traits in proposed.values():
        agreement, key = _key_for(case, entity, named, around.types)
        if key is None or agreement is Fit.NONE or (entity is case.entity and key.column.name == case.column.name):
            continue
        found.setdefault((entity.table.name, key.column.name), (entity, key, agreement, set()))[3].update(traits)
    return tuple(
        Option(entity=entity, key=key, fit=agreement, traits=frozenset(traits).union(_seen(case, entity, key, agreement)))
        for entity, key, agreement, traits in found.values()
    )


def _key_for(case: Case, entity: Entity, named: Key | None, types: TypeFacts) -> tuple[Fit, Key | None]:
    """The key that the clue names, or else the one a column of this type and suffix would use."""
    best: tuple[tuple[bool, bool, bool, Fit], Key] | None = None
    for key in entity.keys if named is None else (named,):
        agreement = fit(types, case.column, key.column, key.entry)
        rank = (agreement >= Fit.FAMILY, _same_suffix(case.stem, key), key.is_primary, agreement)
        if agreement is not Fit.NONE and (best is None or best[0] < rank):
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
    if entity.table.name.schema != case.entity.table.name.schema:
        yield "other_schema"
    if case.entity.module and case.entity.words[: case.entity.module] == entity.words[: case.entity.module]:
        yield "same_module"
    if len(entity.table.primary_key) == 1 and is_satellite(entity):
        yield "satellite"
    if squash(case.words) == squash(key.words) and key.words != ("id",):
        yield "called_like_key"


def is_satellite(entity: Entity) -> bool:
    """Tell whether a table's key is named after something else, so that it looks borrowed: `user_settings.user_id`."""
    key = next((key for key in entity.keys if key.is_primary), None)
    if key is None:
        return False
    stem = stem_of(key.words)
    return bool(stem.words) and squash(stem.words) not in {squash(entity.words), squash(entity.own), squash(entity.own[-1:])}


def _name_traits(entity: Entity, column: Column, stem: Stem) -> Iterator[str]:
    """What a column's name, and its table's, say by themselves."""
    yield _suffix_trait(stem)
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
    if set(entity.words) & ASIDE_WORDS:
        yield "kept_aside"


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


def _indexed_places(entity: Entity) -> dict[str, str]:
    """How well indexes serve each column: the best of `indexed_alone`, `indexed_first`, `indexed_within`."""
    found: dict[str, str] = {}
    for index in entity.table.indexes:
        for place, name in enumerate(index.columns):
            alone = len(index.key_columns) == 1 and not index.is_unique
            served = "indexed_within" if place else "indexed_alone" if alone else "indexed_first"
            if name is not None and (name not in found or _SERVED.index(served) < _SERVED.index(found[name])):
                found[name] = served
    return found


def _key_traits(entity: Entity, column: Column, places: dict[str, str]) -> Iterator[str]:
    primary = entity.table.primary_key
    if column.name in primary:
        yield "primary_key" if len(primary) == 1 else "in_primary_key"
    elif any(index.is_unique and index.columns == (column.name,) for index in entity.table.indexes):
        yield "unique"
    yield places.get(column.name, "unindexed")
    yield "required" if column.not_null else "nullable"
