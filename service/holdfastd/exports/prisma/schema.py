"""A database as a Prisma schema, as it is once the plan is applied. Pure.

In come the facts of an audit and its plan; out goes schema.prisma for Prisma 7, whose connection is in prisma.config.ts: models with
every key, index and relation. What Prisma cannot say stands in a comment at its place, and in a list at the top.
"""

from collections.abc import Iterator, Mapping, Sequence

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import TableOutline
from holdfastd.exports.corrected import Corrected, correct
from holdfastd.exports.joins import build_joins
from holdfastd.exports.prisma.indexes import Expressed, express
from holdfastd.exports.prisma.models import Models, render_model
from holdfastd.exports.prisma.relations import relate
from holdfastd.exports.prisma.scope import Scope, open_scope
from holdfastd.exports.prisma.text import aligned, comment, listed, string
from holdfastd.exports.provenance import provenance
from holdfastd.report.facts import Facts

_VERSION = "For Prisma 7: the connection is in prisma.config.ts; before, add `url` to the datasource."


def render_prisma(facts: Facts) -> Mapping[str, str]:
    """Return schema.prisma. Refused when the audit kept no tables."""
    corrected = correct(facts)
    tables = [table for table in corrected.tables if table.kind is not TableKind.FOREIGN]
    scope = open_scope(tables)
    for table in corrected.tables:
        if table.kind is TableKind.FOREIGN:
            scope.note(table.name, "it is a foreign table, and left out")
    models = _models(tables, scope)
    body = [line for table in tables for line in ("", *render_model(table, models, scope))]
    lines = [*_head(facts, corrected, scope), "", *_settings(scope), *body, *_enums(scope)]
    return {"schema.prisma": "\n".join(lines) + "\n"}


def _models(tables: Sequence[TableOutline], scope: Scope) -> Models:
    indexes = {table.name: express(table, scope) for table in tables}
    ignored = frozenset(table.name for table in tables if not _has_key(table, indexes[table.name]))
    joins = build_joins(tables, scope.fields, only_ascii=True)
    relations = relate(tables, joins, indexes, ignored, scope)
    return Models(indexes=indexes, relations=relations, ignored=ignored)


def _has_key(table: TableOutline, expressed: Expressed) -> bool:
    required = {column.name for column in table.columns if column.not_null and not column.type.endswith("[]")}
    return any(required.issuperset(columns) for columns in expressed.unique)


def _head(facts: Facts, corrected: Corrected, scope: Scope) -> Iterator[str]:
    yield from map(comment, provenance(facts, corrected))
    yield comment(_VERSION)
    if scope.notes:
        yield comment("Prisma cannot express, so take care that a migration does not undo it:")
        yield from (comment(f"- {note}") for note in scope.notes)


def _settings(scope: Scope) -> Iterator[str]:
    yield from ("generator client {", '  provider = "prisma-client"', '  output   = "../generated/prisma"', "}", "", "datasource db {")
    if scope.is_multi_schema:
        yield from ('  provider = "postgresql"', f"  schemas  = {listed(map(string, scope.schemas))}")
    else:
        yield '  provider = "postgresql"'
    yield "}"


def _enums(scope: Scope) -> Iterator[str]:
    for key, name in sorted(scope.enums.items(), key=lambda item: item[1]):
        yield from ("", f"enum {name} {{")
        yield from aligned(
            [(spelled, "" if spelled == label else f"@map({string(label)})", "") for label, spelled in scope.labels[key].items()]
        )
        settings = [f"@@map({string(key[1])})"] if name != key[1] else []
        settings += [f"@@schema({string(key[0])})"] if scope.is_multi_schema else []
        yield from aligned(["", *settings] if settings else [])
        yield "}"
