"""Relationships of two or more columns, found from the keys: which tables hold a column for every member of a composite key?

In come a catalog and its naming; out come candidates. Equal names alone prove little (siblings share columns without referencing each
other), so one member must name the referenced table, or the table must be the root of all that share the key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Catalog, Index
from holdfastd.catalog.operators import is_referenceable, resolve_operators
from holdfastd.inference.model import Candidate, Evidence
from holdfastd.inference.naming.entities import Entity, Words, squash
from holdfastd.inference.naming.learn import Naming
from holdfastd.inference.naming.vocabulary import ASIDE_WORDS, PLACE_WORDS, SELF_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, Stem, stem_of
from holdfastd.names import ColumnSet, TableName, readable

_LONGEST = 5  # members of a key; longer ones are natural keys nobody references
_PAIR = 2
_CROWD = 60  # tables with a column of one name beyond which only those near the key are looked at
_FEW = 12  # tables with a column named after the end of a name, beyond which that end names others
_SHARED_FROM = 3  # equally named members that are no accident any more
_CONFIDENCE = {"named": 0.9, "own": 0.85, "self": 0.85, "root": 0.8, "prefixed": 0.75}
#: The key only widens a primary key of one column, which others reference alone, as a rule.
_WIDENED = 0.55
_ASIDE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """A composite key and the names of its members."""

    entity: Entity
    columns: tuple[str, ...]
    words: tuple[Words, ...]
    full: tuple[Words, ...]


_Holders = dict[Words, dict[TableName, Entity]]
_Kin = dict[tuple[str, str], dict[TableName, Entity]]


def find_composites(catalog: Catalog, naming: Naming) -> tuple[Candidate, ...]:
    """Return the composite relationships that are not declared, the likeliest one per referencing columns."""
    keys = [key for entity in naming.entities.values() for key in _composite_keys(entity)]
    roots = _roots(keys)
    holders, kin = _holders(naming), _kin(naming)
    found: dict[frozenset[tuple[TableName, str]], tuple[tuple[float, int, int], Candidate]] = {}
    for key in keys:
        for other in _holding(key, holders, kin):
            candidate = _candidate(catalog, naming, other, key, roots)
            if candidate is None:
                continue
            place = frozenset((candidate.referencing.table, column) for column in candidate.referencing.columns)
            rank = (candidate.confidence, len(set(key.entity.words) & set(other.words)), -len(key.entity.words))
            if place not in found or found[place][0] < rank:
                found[place] = (rank, candidate)
    return tuple(candidate for _, candidate in found.values())


def _composite_keys(entity: Entity) -> Iterator[_Key]:
    """Unique indexes of two to five NOT NULL columns, the primary key first."""
    places = {column.name: place for place, column in enumerate(entity.table.columns)}
    for index in sorted(entity.table.indexes, key=lambda index: (not index.is_primary, index.oid)):
        names = _members(entity, index)
        if names:
            yield _Key(
                entity=entity,
                columns=names,
                words=tuple(entity.column_names[places[name]] for name in names),
                full=tuple(entity.full_names[places[name]] for name in names),
            )


def _members(entity: Entity, index: Index) -> tuple[str, ...]:
    names = tuple(name for name in index.columns if name is not None)
    usable = is_referenceable(index) and 1 < len(names) <= _LONGEST and all(entity.table.column(name).not_null for name in names)
    return names if usable else ()


def _roots(keys: Sequence[_Key]) -> frozenset[TableName]:
    """Of the tables whose keys have the same names, the one that two or more others are named after."""
    alike: dict[frozenset[Words], dict[Entity, None]] = defaultdict(dict)
    for key in keys:
        alike[frozenset(key.words)][key.entity] = None
    found = set()
    for entities in alike.values():
        named = Counter(part for entity in entities for part in _parts(entity.own))
        best = max(entities, key=lambda entity: (named[entity.own], str(entity.name)))
        if named[best.own] - 1 > 1:
            found.add(best.name)
    return frozenset(found)


def _parts(name: Words) -> set[Words]:
    """Return what is within a name: words side by side."""
    return {name[start:end] for start in range(len(name)) for end in range(start + 1, len(name) + 1)}


def _holders(naming: Naming) -> _Holders:
    """Words of a column -> tables with such a column: what keeps the search small."""
    found: _Holders = defaultdict(dict)
    for entity in naming.entities.values():
        for parts in entity.column_names:
            found[parts][entity.name] = entity
    return dict(found)


def _kin(naming: Naming) -> _Kin:
    """Schema and word -> tables of that schema with that word in their name."""
    found: _Kin = defaultdict(dict)
    for entity in naming.entities.values():
        for word in entity.words:
            found[entity.name.schema, word][entity.name] = entity
    return dict(found)


def _holding(key: _Key, holders: _Holders, kin: _Kin) -> Iterator[Entity]:
    """Tables with a column for every member but the bare `id`; the key's own table is looked at for references to itself.

    Where very many tables hold even the rarest member, as they do a tenant's, only those near the key are looked at.
    """
    needed = [(words, full) for words, full in zip(key.words, key.full, strict=True) if words != ("id",)]
    rarest = min((_with_either(holders, words, full) for words, full in needed), key=len, default={})
    if len(rarest) > _CROWD:
        rarest = _near(key.entity, key.words, holders, kin)
    names = {
        each.name: each
        for each in (key.entity, *rarest.values())
        if each is key.entity or all(words in each.by_words or full in each.by_words for words, full in needed)
    }
    yield from (names[name] for name in sorted(names))


def _with_either(holders: _Holders, words: Words, full: Words) -> dict[TableName, Entity]:
    return holders.get(words, {}) if full == words else holders.get(words, {}) | holders.get(full, {})


def _near(entity: Entity, members: Sequence[Words], holders: _Holders, kin: _Kin) -> dict[TableName, Entity]:
    """Return the tables of a key's schema with a column named after the key's table, or named after it themselves."""
    # A module's second word is the first of many names in a schema where every name has one.
    schema, module, found = entity.name.schema, min(entity.module, 1), {}
    for start in range(len(entity.words)):
        for words in members:
            held = holders.get((*entity.words[start:], *words), {})
            if start <= module or len(held) <= _FEW:
                found.update({name: each for name, each in held.items() if name.schema == schema})
    own = set(entity.words[module:])
    rarest = min((kin[schema, word] for word in own), key=len)
    return found | {name: each for name, each in rarest.items() if own.issubset(each.words)}


def _candidate(catalog: Catalog, naming: Naming, other: Entity, key: _Key, roots: frozenset[TableName]) -> Candidate | None:
    rule, columns = _to_itself(key) if other is key.entity else _mapped(naming, other, key, roots)
    referencing = ColumnSet(other.table.name, columns)
    referenced = ColumnSet(key.entity.table.name, key.columns)
    declared = any(set(foreign_key.referencing.columns) == set(columns) for foreign_key in other.table.foreign_keys)
    if not rule or declared or resolve_operators(catalog, referencing, referenced) is None:
        return None
    confidence = _CONFIDENCE[rule]
    if any(single.column.name in key.columns and single.is_primary for single in key.entity.keys):
        if rule != "self":
            return None
        confidence = _WIDENED
    if set(other.words) & ASIDE_WORDS:
        confidence *= _ASIDE
    return Candidate(
        referencing=referencing, referenced=referenced, confidence=round(confidence, 3), evidence=_evidence(rule, referencing, referenced)
    )


def _evidence(rule: str, referencing: ColumnSet, referenced: ColumnSet) -> tuple[Evidence, ...]:
    listed, table = ", ".join(readable(name) for name in referencing.columns), referenced.table
    text = {
        "named": f"one of {listed} is named after {table}, the others are called like the rest of its key",
        "own": f"{listed} are called like the key of {table}, which is named after one of them",
        "self": f"{listed} repeat the key of the same table with one word before each",
        "root": f"{listed} are the key of {table}, and other tables with these columns are named after it or have no such key",
        "prefixed": f"{listed} are the key of {table}, the tables' column prefixes aside",
    }[rule]
    return (
        Evidence(rule=f"composite_{rule}", text=text),
        Evidence(rule="fit_family", text=f"their types compare with those of {referenced}"),
    )


def _to_itself(key: _Key) -> tuple[str, tuple[str, ...]]:
    """`volumes(parent_id, parent_state)` → `volumes(id, state)`: the same word before every member."""
    names = dict(zip(key.entity.column_names, (column.name for column in key.entity.table.columns), strict=True))
    first = key.words[0]
    roles = [parts[: -len(first)] for parts in names if len(parts) > len(first) and parts[-len(first) :] == first]
    for role in (role for role in roles if set(role) & (SELF_WORDS | PLACE_WORDS)):
        columns = [names.get((*role, *words)) for words in key.words]
        if all(columns):
            return "self", tuple(column for column in columns if column is not None)
    return "", ()


def _mapped(naming: Naming, other: Entity, key: _Key, roots: frozenset[TableName]) -> tuple[str, tuple[str, ...]]:
    """Find the rule and the columns of another table that stand for the members of a key."""
    columns: list[str] = []
    named = False
    for words, whole in zip(key.words, key.full, strict=True):
        found = _column_for(other, key.entity, words, whole)
        if found is None or found[0] in columns:
            return "", ()
        columns.append(found[0])
        named = named or found[1] != "same"
    return _rule(naming, other, key, roots, named=named), tuple(columns)


def _column_for(other: Entity, entity: Entity, words: Words, whole: Words) -> tuple[str, str] | None:
    """Return the column that stands for one member, and how: `full` name, `same` name, or `named` after the table."""
    listed = other.by_words
    whole_name = listed.get((*entity.words, *words)) or listed.get((*entity.own, *words))
    if whole_name:
        return whole_name.name, "named"
    if words == ("id",):
        if whole != words and whole in listed:
            return listed[whole].name, "full"
        after = [column.name for parts, column in listed.items() if parts[-1] == "id" and _names(parts[:-1], entity)]
        return (after[-1], "named") if after else None
    same = listed.get(whole) or listed.get(words)
    return (same.name, "same") if same else None


def _names(stem: Words, entity: Entity) -> bool:
    """Tell whether a stem names a table: its name, the end of it, or its initials."""
    if not stem:
        return False
    letters = squash(stem)
    return squash(entity.words).endswith(letters) or letters in {"".join(word[0] for word in name) for name in (entity.words, entity.own)}


def _rule(naming: Naming, other: Entity, key: _Key, roots: frozenset[TableName], *, named: bool) -> str:
    """Name the rule by which columns reference a key; empty when equal names are all there is."""
    entity = key.entity
    if named:
        return "named"
    alike = any(set(index.columns) == set(key.columns) for index in other.table.indexes if index.is_unique)
    if alike and set(other.table.primary_key) != set(key.columns):
        return ""
    is_primary = set(entity.table.primary_key) == set(key.columns)
    if is_primary and len(key.columns) >= _SHARED_FROM and (entity.table.name in roots or set(entity.words) < set(other.words)):
        return "root"
    if alike:
        return ""
    if any(_is_own(naming, entity, stem_of(words)) for words in key.words):
        return "own"
    return "prefixed" if len(key.columns) == _PAIR and is_primary and other.column_prefix and entity.column_prefix else ""


def _is_own(naming: Naming, entity: Entity, stem: Stem) -> bool:
    """Tell whether a member is named after its own table, and after no other: `run_id` in `dag_run`."""
    if stem.suffix not in STRONG_SUFFIXES or not stem.words or entity.own[-len(stem.words) :] != stem.words:
        return False
    readings = naming.readings.near(squash(stem.words), entity)
    return all(reading.entity is entity for reading in readings if reading.is_plain)
