"""One table as a Prisma model. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import ColumnOutline, TableOutline
from holdfastd.exports.prisma.fields import default_of
from holdfastd.exports.prisma.indexes import Expressed
from holdfastd.exports.prisma.relations import RelationFields
from holdfastd.exports.prisma.scope import Scope
from holdfastd.exports.prisma.text import Line, aligned, comment, string
from holdfastd.exports.sql_checks import condition_of
from holdfastd.names import TableName

#: As Prisma itself writes it.
_WITHOUT_KEY = (
    "The underlying table does not contain a valid unique identifier and can therefore currently not be handled by Prisma Client."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """What models are made of."""

    indexes: Mapping[TableName, Expressed]
    relations: Mapping[TableName, Sequence[RelationFields]]
    #: Tables whose rows no key tells apart.
    ignored: frozenset[TableName]


def render_model(table: TableOutline, models: Models, scope: Scope) -> Iterator[str]:
    """Yield the lines of a model."""
    yield from (comment(line, "///") for line in table.comment.splitlines()[:1] if line.strip())
    if table.name in models.ignored:
        yield comment(_WITHOUT_KEY, "///")
    yield f"model {scope.models[table.name]} {{"
    lines: list[Line] = [line for column in table.columns for line in _field(table, column, models, scope)]
    lines += [line for relation in models.relations[table.name] for line in relation.lines]
    attributes = [*_unexpressed(table, scope), *models.indexes[table.name].lines, *_attributes(table, models, scope)]
    yield from aligned([*lines, *(["", *attributes] if attributes else [])])
    yield "}"


def _field(table: TableOutline, column: ColumnOutline, models: Models, scope: Scope) -> Iterator[Line]:
    yield from (comment(line, "///") for line in column.comment.splitlines()[:1] if line.strip())
    type_ = scope.types[table.name][column.name]
    name = scope.fields[table.name][column.name]
    is_array = column.type.endswith("[]")
    place = f"{table.name}.{column.name}"
    if column.identity:
        yield scope.note(place, f"GENERATED {'ALWAYS' if column.identity == 'a' else 'BY DEFAULT'} AS IDENTITY")
    if column.generated:
        yield scope.note(place, f"GENERATED ALWAYS AS ({column.default}) {'STORED' if column.generated == 's' else 'VIRTUAL'}")
    if column.collation:
        yield scope.note(place, f"COLLATE {column.collation}")
    if is_array and column.not_null:
        yield scope.note(place, "NOT NULL")
    attributes = [
        *models.indexes[table.name].fields.get(column.name, ()),
        default_of(table, column, type_, is_array=is_array),
        f"@map({string(column.name)})" if name != column.name else "",
        type_.native,
    ]
    yield (name, type_.name + ("[]" if is_array else "" if column.not_null else "?"), " ".join(filter(None, attributes)))


def _unexpressed(table: TableOutline, scope: Scope) -> Iterator[str]:
    if table.kind is TableKind.PARTITIONED:
        yield scope.note(table.name, "it is partitioned; Prisma Migrate would make a plain table")
    if table.row_security:
        yield scope.note(table.name, "its row security")
    names = table.check_names or ("CHECK",) * len(table.checks)
    for name, definition in zip(names, table.checks, strict=True):
        yield scope.note(f"{table.name}, {name}", f"CHECK ({condition_of(definition)})")
    for name, definition in table.exclusions:
        yield scope.note(f"{table.name}, {name}", definition)


def _attributes(table: TableOutline, models: Models, scope: Scope) -> Iterator[str]:
    if scope.models[table.name] != table.name.name:
        yield f"@@map({string(table.name.name)})"
    if table.name in models.ignored:
        yield "@@ignore"
    if scope.is_multi_schema:
        yield f"@@schema({string(table.name.schema)})"
