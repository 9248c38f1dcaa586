"""How an audit is to be made, with what applications declare: requests to domain values."""

from collections.abc import Sequence

from holdfast.v1 import audit_service_pb2, core_pb2
from holdfastd.catalog.model import OnDelete
from holdfastd.errors import InvalidField
from holdfastd.inference.model import Intended
from holdfastd.names import ColumnSet, TableName
from holdfastd.rpc import decode, fields
from holdfastd.rpc.enums import from_proto
from holdfastd.store.model import AuditOptions

MAX_INTENT = 20_000
#: What PostgreSQL takes into one key.
MAX_COLUMNS = 32
#: Applications may use longer names than PostgreSQL keeps; longer than this is no name.
MAX_APPLICATION_NAME_BYTES = 255
MAX_ORIGIN_BYTES = 512


def audit_options(message: audit_service_pb2.AuditOptions) -> AuditOptions:
    """Return how an audit is to be made."""
    if len(message.intent) > MAX_INTENT:
        field = "options.intent"
        raise InvalidField(field, f"{field} has more than {MAX_INTENT} entries; send those of one application.")
    intent = tuple(_intended(each, f"options.intent[{position}]") for position, each in enumerate(message.intent))
    return AuditOptions(estimate_after=decode.estimate_after(message), intent=intent)


def _intended(message: audit_service_pb2.IntendedRelationship, path: str) -> Intended:
    referencing = _columns(message.referencing, f"{path}.referencing")
    if not referencing.columns:
        raise InvalidField(f"{path}.referencing.columns", "A relationship needs at least one referencing column.")
    referenced = _columns(message.referenced, f"{path}.referenced")
    if referenced.columns and len(referenced.columns) != len(referencing.columns):
        field = f"{path}.referenced.columns"
        raise InvalidField(field, f"{field} names another number of columns than referencing; leave it empty for the primary key.")
    return Intended(
        referencing=referencing,
        referenced=referenced,
        on_delete=from_proto(OnDelete, message.on_delete, f"{path}.on_delete"),
        origin=_origin(message.origin, f"{path}.origin"),
    )


def _columns(message: core_pb2.ColumnSet, path: str) -> ColumnSet:
    schema = _name(message.schema, f"{path}.schema") if message.schema else ""
    table = TableName(schema, _name(message.table, f"{path}.table"))
    return ColumnSet(table, _column_names(message.columns, f"{path}.columns"))


def _column_names(names: Sequence[str], path: str) -> tuple[str, ...]:
    if len(names) > MAX_COLUMNS:
        raise InvalidField(path, f"{path} names more than {MAX_COLUMNS} columns, which no key of PostgreSQL has.")
    found = tuple(_name(name, f"{path}[{position}]") for position, name in enumerate(names))
    if len(set(found)) != len(found):
        raise InvalidField(path, f"{path} names a column twice.")
    return found


def _name(name: str, path: str) -> str:
    return fields.required(name, path, max_bytes=MAX_APPLICATION_NAME_BYTES)


def _origin(text: str, path: str) -> str:
    """Return where a relationship is declared: it becomes part of sentences, so it is one line of what can be printed."""
    if not fields.text(text, path, max_bytes=MAX_ORIGIN_BYTES).isprintable():
        raise InvalidField(path, f"{path} holds characters that cannot be printed; send a place such as schema.prisma:41.")
    return text
