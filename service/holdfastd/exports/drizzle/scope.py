"""The names of one schema.ts: what its tables, columns, enums and types are called, and what it imports. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfastd.catalog.outline import TableOutline
from holdfastd.exports.corrected import Corrected
from holdfastd.exports.drizzle import text
from holdfastd.exports.spelling import Namespace, camel
from holdfastd.exports.sql_types import SqlType, parse_type
from holdfastd.names import TableName

#: What the file may import: no constant is named so.
_BUILDERS = """
    bigint bigserial bit boolean char check cidr customType date doublePrecision foreignKey index inet integer interval
    json jsonb line macaddr macaddr8 numeric pgEnum pgSchema pgSequence pgTable point primaryKey real relations serial
    smallint smallserial sql text time timestamp unique uniqueIndex uuid varchar vector
"""
_WORDS = """
    abstract any arguments as async await boolean break case catch class const constructor continue debugger declare
    default delete do else enum eval export extends false finally for from function get globalThis if implements import
    in infer Infinity instanceof interface is keyof let module namespace NaN never new null number object of package
    private protected public readonly require return set static string super switch symbol table this throw true try
    type typeof undefined unique unknown var void while with yield exports process Object Uint8Array
"""
#: What every object, and every table of drizzle, has already.
_MEMBERS = ("constructor", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "enableRLS")


@dataclass(slots=True)
class Scope:
    """Grows while a file is written."""

    tables: dict[TableName, str] = field(default_factory=dict)
    columns: dict[TableName, dict[str, str]] = field(default_factory=dict)
    #: Schema -> constant; schema public has none.
    schemas: dict[str, str] = field(default_factory=dict)
    #: (schema, name) -> constant.
    enums: dict[tuple[str, str], str] = field(default_factory=dict)
    enum_labels: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: Type as SQL -> constant.
    custom: dict[str, str] = field(default_factory=dict)
    #: Names imported from drizzle-orm/pg-core.
    used: set[str] = field(default_factory=set)
    uses_sql: bool = False
    uses_relations: bool = False
    constants: Namespace = field(default_factory=lambda: Namespace((*_BUILDERS.split(), *_WORDS.split())))
    #: What the file cannot express.
    notes: list[str] = field(default_factory=list)

    def builder(self, name: str) -> str:
        """Return a name of drizzle-orm/pg-core, and import it."""
        self.used.add(name)
        return name

    def sql(self, expression: str) -> str:
        """Return SQL as a template."""
        self.uses_sql = True
        return text.sql(expression)

    def builder_of_relations(self) -> str:
        """Return `relations`, and import it."""
        self.uses_relations = True
        return "relations"

    def note(self, place: object, message: str) -> str:
        """Return a comment for the spot, and list it at the top."""
        self.notes.append(f"{place}: {message}")
        return text.comment(f"Not expressed: {message}")

    def custom_type(self, type_: SqlType) -> str:
        """Return the constant of a type that drizzle has no builder for."""
        # A type of schema public is found by its bare name, which is all that drizzle-kit can write.
        written = type_.text.removeprefix("public.").strip('"') if type_.schema in {"", "public"} else type_.text
        if written not in self.custom:
            self.builder("customType")
            self.custom[written] = self.constants.take(camel(type_.name, fallback="custom"))
        return self.custom[written]


def open_scope(corrected: Corrected) -> Scope:
    """Return the names of tables, columns, schemas and enums."""
    scope = Scope()
    names = sorted({table.name.schema for table in corrected.tables} | set(_enum_schemas(corrected.tables)))
    scope.schemas = {name: scope.constants.take(camel(name, fallback="schema") + "Schema") for name in names if name != "public"}
    for table in corrected.tables:
        scope.tables[table.name] = scope.constants.take(camel(table.name.name, fallback="table"))
        taken = Namespace(_MEMBERS)
        scope.columns[table.name] = {column.name: taken.take(camel(column.name, fallback="column")) for column in table.columns}
    for key, labels in _enums(corrected.tables):
        scope.enum_labels.setdefault(key, labels)
    scope.enums = {key: scope.constants.take(camel(key[1], fallback="labels") + "Enum") for key in sorted(scope.enum_labels)}
    return scope


def _enums(tables: Iterable[TableOutline]) -> Iterable[tuple[tuple[str, str], tuple[str, ...]]]:
    for table in tables:
        for column in table.columns:
            if column.enum_labels and (type_ := parse_type(column)).enum_labels:
                yield (type_.schema, type_.name), type_.enum_labels


def _enum_schemas(tables: Iterable[TableOutline]) -> Iterable[str]:
    return (schema for (schema, _), _ in _enums(tables))
