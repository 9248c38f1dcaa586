"""A database as a Drizzle schema, as it is once the plan is applied. Pure.

In come the facts of an audit and its plan; out goes schema.ts for drizzle-orm 0.45: schemas, enums, sequences, types, tables with every
key, index and check, and relations. What Drizzle cannot say stands in a comment at its place, and in a list at the top.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import TableOutline
from holdfastd.exports.corrected import Corrected, correct
from holdfastd.exports.drizzle.columns import own_sequence, sequence_options
from holdfastd.exports.drizzle.relations import render_relations
from holdfastd.exports.drizzle.scope import Scope, open_scope
from holdfastd.exports.drizzle.tables import render_table
from holdfastd.exports.drizzle.text import comment, string
from holdfastd.exports.joins import build_joins
from holdfastd.exports.provenance import provenance
from holdfastd.names import TableName
from holdfastd.report.facts import Facts

#: Longer lines of imports are broken.
_LINE = 100


def render_drizzle(facts: Facts) -> Mapping[str, str]:
    """Return schema.ts. Refused when the audit kept no tables."""
    whole = correct(facts)
    corrected = replace(whole, tables=tuple(table for table in whole.tables if table.kind is not TableKind.FOREIGN))
    scope = open_scope(corrected)
    for table in whole.tables:
        if table.kind is TableKind.FOREIGN:
            scope.note(table.name, "it is a foreign table, and left out")
    body = [*_tables(corrected, scope), *render_relations(build_joins(corrected.tables, scope.columns, only_ascii=False), scope)]
    # Rendering finds out what is to be imported and noted.
    types = list(_types(corrected, scope))
    lines = [*_head(facts, whole, scope), "", *_imports(scope), *types, *body]
    return {"schema.ts": "\n".join(lines) + "\n"}


def _tables(corrected: Corrected, scope: Scope) -> Iterator[str]:
    declared: set[TableName] = set()
    for table in corrected.tables:
        declared.add(table.name)
        yield ""
        yield from render_table(table, corrected, scope, declared)


def _types(corrected: Corrected, scope: Scope) -> Iterator[str]:
    yield from ("" for _ in list(scope.schemas)[:1])
    for schema, constant in scope.schemas.items():
        yield f"export const {constant} = {scope.builder('pgSchema')}({string(schema)});"
    for key, constant in scope.enums.items():
        builder = f"{scope.schemas[key[0]]}.enum" if key[0] in scope.schemas else scope.builder("pgEnum")
        yield ""
        yield f"export const {constant} = {builder}({string(key[1])}, [{', '.join(map(string, scope.enum_labels[key]))}]);"
    for table in corrected.tables:
        yield from _sequences(table, scope)
    if scope.custom:
        yield ""
    for type_, constant in scope.custom.items():
        data = "Uint8Array" if type_ == "bytea" else "string"
        yield f"const {constant} = customType<{{ data: {data} }}>({{ dataType: () => {string(type_)} }});"


def _sequences(table: TableOutline, scope: Scope) -> Iterator[str]:
    for column in table.columns:
        owned = column.sequence
        if owned is not None and own_sequence(table, column):
            yield ""
            yield scope.note(f"{table.name}.{column.name}", f"it owns the sequence {owned.name}")
            builder = f"{scope.schemas[owned.schema]}.sequence" if owned.schema in scope.schemas else scope.builder("pgSequence")
            given = sequence_options(owned, "bigint")
            constant = scope.constants.take(f"{scope.tables[table.name]}Sequence")
            yield f"export const {constant} = {builder}({string(owned.name)}{', ' + given if given else ''});"


def _imports(scope: Scope) -> Iterator[str]:
    if scope.uses_relations or scope.uses_sql:
        names = [name for name, used in (("relations", scope.uses_relations), ("sql", scope.uses_sql)) if used]
        yield f'import {{ {", ".join(names)} }} from "drizzle-orm";'
    names = sorted(scope.used, key=lambda name: name.removeprefix("type ").lower())
    one_line = f'import {{ {", ".join(names)} }} from "drizzle-orm/pg-core";'
    if len(one_line) <= _LINE:
        yield from [one_line] if names else []
        return
    yield from ("import {", *(f"  {name}," for name in names), '} from "drizzle-orm/pg-core";')


def _head(facts: Facts, corrected: Corrected, scope: Scope) -> Iterator[str]:
    yield from map(comment, provenance(facts, corrected))
    if scope.notes:
        yield comment("Drizzle cannot express, so take care that a push does not undo it:")
        yield from (comment(f"- {note}") for note in scope.notes)
