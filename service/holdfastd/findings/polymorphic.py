"""Findings about (id, type) pairs that point into several tables, so that no foreign key can protect them."""

from collections.abc import Iterator, Sequence

from holdfastd.catalog.model import Catalog, Column, Table, TableKind
from holdfastd.findings.about import about_part
from holdfastd.findings.messages import tables as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.inference.naming.learn import is_bookkeeping
from holdfastd.inference.naming.pairs import type_columns
from holdfastd.inference.naming.vocabulary import EXTERNAL_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, words

Words = tuple[str, ...]


def derive_polymorphic_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per pair, unless something else speaks for what its id references."""
    known = {(each.referencing.table, name) for each in relationships for name in each.referencing.columns}
    nouns = frozenset(_nouns(catalog))
    key_types = {oid for table in catalog.tables.values() for oid in _key_type(table)}
    return [
        about_part(table.name, column.name, FindingKind.POLYMORPHIC_REFERENCE, Severity.INFO, messages.polymorphic_reference(table, *pair))
        for table in catalog.tables.values()
        if table.kind is not TableKind.FOREIGN and not table.only_referenced and not is_bookkeeping(table.name)
        for pair in _pairs(table, nouns)
        if (column := pair[0]).type.base_oid in key_types and (table.name, column.name) not in known
    ]


def _pairs(table: Table, nouns: frozenset[Words]) -> Iterator[tuple[Column, Column]]:
    """Yield the pairs of a table: `owner_id` and `owner_type`. Where there is a table of owners, the type is just a trait of the owner."""
    kinds = type_columns(table)
    if not kinds:
        return
    for column in table.columns:
        parts = words(column.name)
        stem = parts[:-1]
        if not stem or parts[-1] not in STRONG_SUFFIXES or stem in nouns or EXTERNAL_WORDS.intersection(stem) or _is_unique(table, column):
            continue
        if stem in kinds:
            yield column, kinds[stem]


def _nouns(catalog: Catalog) -> Iterator[Words]:
    """Yield what tables are called, with and without the words before: `vehicle` for `user_vehicles`."""
    for name in {words(table.name) for table in catalog.tables}:
        yield from (name[start:] for start in range(len(name)))


def _is_unique(table: Table, column: Column) -> bool:
    """Tell whether the column alone identifies a row: then it is the row's own id."""
    return any(index.is_unique and index.columns == (column.name,) for index in table.indexes)


def _key_type(table: Table) -> Iterator[int]:
    """Yield the type of a primary key of one column."""
    if len(table.primary_key) == 1:
        yield table.column(table.primary_key[0]).type.base_oid
