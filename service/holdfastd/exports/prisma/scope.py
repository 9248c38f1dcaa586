"""The names of one schema.prisma: what its models, fields, enums and labels are called. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfastd.catalog.outline import ColumnOutline, TableOutline
from holdfastd.exports.prisma.fields import FieldType, built_in
from holdfastd.exports.prisma.text import comment
from holdfastd.exports.spelling import Namespace, camel, pascal
from holdfastd.exports.sql_types import SqlType, parse_type
from holdfastd.inference.naming.words import one_of
from holdfastd.names import TableName

_RESERVED = """
    Prisma PrismaClient String Int BigInt Float Decimal Boolean DateTime Json Bytes Unsupported Object Promise Date Buffer Array Error
    Symbol Record Pick Omit Partial Enumerable Null
"""


@dataclass(slots=True)
class Scope:
    """Grows while a file is written."""

    models: dict[TableName, str] = field(default_factory=dict)
    fields: dict[TableName, dict[str, str]] = field(default_factory=dict)
    types: dict[TableName, dict[str, FieldType]] = field(default_factory=dict)
    #: (schema, name) -> name of the enum.
    enums: dict[tuple[str, str], str] = field(default_factory=dict)
    #: (schema, name) -> label -> as it is spelled in the schema.
    labels: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    schemas: list[str] = field(default_factory=list)
    #: What the file cannot express.
    notes: list[str] = field(default_factory=list)

    @property
    def is_multi_schema(self) -> bool:
        """Tell whether models must say their schema."""
        return self.schemas not in ([], ["public"])

    def note(self, place: object, message: str) -> str:
        """Return a comment for the spot, and list it at the top."""
        self.notes.append(f"{place}: {message}")
        return comment(f"Not expressed: {message}")


def open_scope(tables: Sequence[TableOutline]) -> Scope:
    """Return the names of models, fields and enums, and the types of fields."""
    scope = Scope()
    taken = Namespace(_RESERVED.split())
    for table in tables:
        scope.models[table.name] = taken.take(pascal(one_of(table.name.name), fallback="model", only_ascii=True))
        own = Namespace()
        scope.fields[table.name] = {
            column.name: own.take(camel(column.name, fallback="field", only_ascii=True)) for column in table.columns
        }
    for table in tables:
        scope.types[table.name] = {column.name: _type(column, scope, taken) for column in table.columns}
    scope.schemas = sorted({table.name.schema for table in tables} | {schema for schema, _ in scope.enums})
    return scope


def _type(column: ColumnOutline, scope: Scope, taken: Namespace) -> FieldType:
    type_ = parse_type(column)
    if not type_.enum_labels:
        return built_in(type_)
    key = (type_.schema, type_.name)
    if key not in scope.enums:
        scope.enums[key] = taken.take(pascal(type_.name, fallback="enum", only_ascii=True))
        scope.labels[key] = _labels(type_)
    return FieldType(name=scope.enums[key], labels=scope.labels[key])


def _labels(type_: SqlType) -> dict[str, str]:
    taken = Namespace()
    return {label: taken.take(label if _is_name(label) else camel(label, fallback="label", only_ascii=True)) for label in type_.enum_labels}


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and text[0] != "_"
