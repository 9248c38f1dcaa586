"""Relationships that names alone do not carry, so that rows can have their say. Few are right: without rows none of them is told.

In come a catalog and hypotheses; out come the same and further ones, a bounded number. Probabilities are data, in rows.json.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from holdfastd.catalog.model import Catalog, Column, Table, TableKind
from holdfastd.catalog.operators import is_referenceable, resolve_operators
from holdfastd.inference.model import Evidence, Hypothesis, Target
from holdfastd.inference.naming.types import may_hold_ids
from holdfastd.inference.naming.vocabulary import EXTERNAL_WORDS
from holdfastd.inference.naming.words import stem_of, words
from holdfastd.inference.rows.weights import PROPOSED
from holdfastd.names import ColumnSet, TableName, readable

#: Further hypotheses of one audit, and targets of each, at most.
MOST = 3_000
_TARGETS = 24
#: Tables that hold a column of one name, at most, for that name to be telling.
_HOLDERS = 100
_STEM = 4  # letters that two words share before they may be of one family: ship, shipper
#: Words that end a column's name and lead to something: ship_via, reports_to.
_LEADING = frozenset({"at", "by", "for", "from", "in", "into", "of", "on", "to", "under", "via", "with"})

#: Keys by schema and by what they are called or made of; those of all schemas together under the schema "".
_Shelf = Mapping[tuple[str, str], tuple[ColumnSet, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """The keys of a catalog, by what may lead to them."""

    #: Primary keys of one column by schema, words of the table's name, and name of the column.
    by_name: Mapping[tuple[str, tuple[str, ...], str], ColumnSet]
    #: The same by the beginning of the last word of the table's name.
    by_stem: _Shelf
    #: Primary keys of texts and uuids by type as printed: values of these are found nowhere by accident.
    telling: _Shelf
    #: Primary keys of several columns.
    composite: tuple[ColumnSet, ...]


def propose(catalog: Catalog, hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses, and further ones for columns and composite keys of which names say too little."""
    taken = {each.referencing for each in hypotheses}
    for key in catalog.foreign_keys:
        taken |= {ColumnSet(key.referencing.table, (name,)) for name in key.referencing.columns} | {key.referencing}
    keys = _keys_of(catalog)
    return (*hypotheses, *islice(chain(_composites(catalog, keys, hypotheses, taken), _singles(catalog, keys, taken)), MOST))


def _keys_of(catalog: Catalog) -> _Keys:
    single: list[ColumnSet] = []
    composite: list[ColumnSet] = []
    for table in catalog.tables.values():
        if table.kind is TableKind.FOREIGN:
            continue
        for index in table.indexes:
            if index.is_primary and is_referenceable(index):
                (single if len(index.columns) == 1 else composite).append(ColumnSet(table.name, table.primary_key))
    kinds = {key: catalog.tables[key.table].column(key.columns[0]).type for key in single}
    return _Keys(
        by_name={(key.table.schema, words(key.table.name), key.columns[0]): key for key in reversed(single)},
        by_stem=_shelf((word[:_STEM], key) for key in single for word in words(key.table.name)[-1:]),
        telling=_shelf((kind.formatted, key) for key, kind in kinds.items() if kind.category == "S" or kind.base_name == "uuid"),
        composite=tuple(composite),
    )


def _shelf(labelled: Iterable[tuple[str, ColumnSet]]) -> _Shelf:
    found: dict[tuple[str, str], list[ColumnSet]] = defaultdict(list)
    for label, key in labelled:
        found[key.table.schema, label].append(key)
        found["", label].append(key)
    return {place: tuple(keys) for place, keys in found.items()}


def _near(shelf: _Shelf, label: str, schema: str) -> Iterator[ColumnSet]:
    """Yield the keys with a label, those of a schema first."""
    yield from shelf.get((schema, label), ())
    yield from (key for key in shelf.get(("", label), ()) if key.table.schema != schema)


def _singles(catalog: Catalog, keys: _Keys, taken: Collection[ColumnSet]) -> Iterator[Hypothesis]:
    """Look at every column nothing is thought of; plain words first, types alone last."""
    free = [
        (table, column)
        for table in catalog.tables.values()
        for column in table.columns
        if ColumnSet(table.name, (column.name,)) not in taken and may_hold_ids(column) and (column.name,) != table.primary_key
    ]
    found: set[ColumnSet] = set()
    for rule in (_extends, _leads, _shares_stem, _of_type):
        for table, column in free:
            hypothesis = rule(catalog, keys, table, column) if ColumnSet(table.name, (column.name,)) not in found else None
            if hypothesis is not None:
                found.add(hypothesis.referencing)
                yield hypothesis


def _extends(catalog: Catalog, keys: _Keys, table: Table, column: Column) -> Hypothesis | None:
    """`cover_type(id, type)` under `cover(id)`: part of the key, called like the key of the table that this one's name begins with."""
    if column.name not in table.primary_key or column.identity or column.default:
        return None
    own = words(table.name.name)
    above = [keys.by_name.get((table.name.schema, own[:length], column.name)) for length in range(len(own) - 1, 0, -1)]
    return _hypothesis(
        catalog,
        ColumnSet(table.name, (column.name,)),
        [key for key in above if key is not None][:1],
        "extends",
        "the referencing table is named after {table} and shares its key",
    )


def _leads(catalog: Catalog, _: _Keys, table: Table, column: Column) -> Hypothesis | None:
    """`reports_to`: a verb and where it leads, without a name: to a row of the same table."""
    verb, last = ("", "", *(part for part in column.name.lower().split("_") if part))[-2:]
    if last != "to" or not verb.endswith("s") or verb.endswith("ss") or len(table.primary_key) != 1:
        return None
    own = ColumnSet(table.name, table.primary_key)
    return _hypothesis(
        catalog,
        ColumnSet(table.name, (column.name,)),
        [own],
        "leads_to_self",
        "{column} leads somewhere and names no other table: to a row of its own",
    )


def _shares_stem(catalog: Catalog, keys: _Keys, table: Table, column: Column) -> Hypothesis | None:
    """`ship_via` and `shippers`: words of one family."""
    stem = stem_of(words(column.name))
    parts = [word for word in stem.words if word not in _LEADING]
    if not parts or set(stem.words) & EXTERNAL_WORDS or len(parts[-1]) < _STEM:
        return None
    word = parts[-1]
    leads = bool(stem.words) and stem.words[-1] in _LEADING
    rule = "stem_leads" if leads else "stem_keyed" if stem.suffix else "stem"
    if rule == "stem":
        return None
    alike = _near(keys.by_stem, word[:_STEM], table.name.schema)
    near = (key for key in alike if _is_family(word, words(key.table.name)) and key.table != table.name)
    return _hypothesis(catalog, ColumnSet(table.name, (column.name,)), near, rule, "{column} and {table} are words of one family")


def _is_family(word: str, others: tuple[str, ...]) -> bool:
    return any(other.startswith(word) or (len(other) >= _STEM and word.startswith(other)) for other in others[-1:])


def _of_type(catalog: Catalog, keys: _Keys, table: Table, column: Column) -> Hypothesis | None:
    """A text or uuid of just the type of some key, under a name that says nothing."""
    if column.default and "(" in column.default and column.name in table.primary_key:
        return None
    alike = _near(keys.telling, column.type.formatted, table.name.schema)
    if column.type.base_name == "uuid":
        return _hypothesis(catalog, ColumnSet(table.name, (column.name,)), alike, "same_uuid", "{column} is a uuid as {key} is")
    if column.type.category != "S" or not _may_be_code(table, column):
        return None
    return _hypothesis(catalog, ColumnSet(table.name, (column.name,)), alike, "same_text", "{column} has just the type of {key}")


def _may_be_code(table: Table, column: Column) -> bool:
    """A text of bounded length, or one that somebody looks up by."""
    stem = stem_of(words(column.name))
    served = any(index.columns[:1] == (column.name,) for index in table.indexes)
    return "(" in column.type.formatted or bool(stem.suffix and stem.suffix != "name") or served


def _composites(catalog: Catalog, keys: _Keys, hypotheses: Sequence[Hypothesis], taken: Collection[ColumnSet]) -> Iterator[Hypothesis]:
    """Tables that hold columns called like all those of a composite key."""
    holders: dict[str, set[TableName]] = defaultdict(set)
    for table in catalog.tables.values():
        for column in table.columns:
            holders[column.name].add(table.name)
    believed = {(each.referencing.table, each.targets[0].referenced.table) for each in hypotheses if len(each.referencing.columns) > 1}
    found: dict[ColumnSet, list[ColumnSet]] = defaultdict(list)
    for key in keys.composite:
        rarest, *others = sorted((holders[name] for name in key.columns), key=len)
        for name in sorted(rarest.intersection(*others)) if len(rarest) <= _HOLDERS else ():
            referencing, table = ColumnSet(name, key.columns), catalog.tables[name]
            is_own = set(key.columns) == set(table.primary_key) or table.kind is TableKind.FOREIGN
            if not is_own and referencing not in taken and (name, key.table) not in believed:
                found[referencing].append(key)
    for referencing, referenced in found.items():
        near = sorted(referenced, key=lambda key: key.table.schema != referencing.table.schema)
        hypothesis = _hypothesis(catalog, referencing, near, "same_key_names", "its columns are called like those of {key}")
        if hypothesis is not None:
            yield hypothesis


def _hypothesis(catalog: Catalog, referencing: ColumnSet, keys: Iterable[ColumnSet], rule: str, text: str) -> Hypothesis | None:
    """Put columns and the keys they may point at together, the first that PostgreSQL could compare."""
    fitting = (key for key in keys if key != referencing and resolve_operators(catalog, referencing, key) is not None)
    some = tuple(islice(fitting, _TARGETS))
    if not some:
        return None
    said = [Evidence(rule=rule, text=text.format(**_names(referencing, key))) for key in some]
    share = PROPOSED[rule]["target"] / len(some)
    targets = tuple(Target(referenced=key, probability=share, evidence=(each,)) for key, each in zip(some, said, strict=True))
    return Hypothesis(referencing=referencing, reference_probability=PROPOSED[rule]["reference"], targets=targets)


def _names(referencing: ColumnSet, key: ColumnSet) -> dict[str, str]:
    return {"column": readable(referencing.columns[0]), "table": str(key.table), "key": str(key)}
