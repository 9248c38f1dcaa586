"""Tables as an audit saw them, as messages."""

from holdfast.v1 import core_pb2
from holdfastd.catalog.outline import ColumnOutline, IndexOutline, TableOutline
from holdfastd.rpc.enums import to_proto


def table(value: TableOutline) -> core_pb2.Table:
    """Return a table."""
    return core_pb2.Table(
        schema=value.name.schema,
        name=value.name.name,
        kind=to_proto(value.kind),
        columns=[_column(column) for column in value.columns],
        primary_key=value.primary_key,
        indexes=[_index(index) for index in value.indexes],
        row_estimate=round(value.row_estimate) if value.row_estimate >= 0 else None,
        size_bytes=value.size_bytes,
        comment=value.comment,
        purpose=value.purpose,
    )


def _column(value: ColumnOutline) -> core_pb2.Column:
    return core_pb2.Column(
        name=value.name, type=value.type, nullable=not value.not_null, default_sql=value.default or "", comment=value.comment
    )


def _index(value: IndexOutline) -> core_pb2.Index:
    return core_pb2.Index(
        name=value.name,
        columns=[name or "" for name in value.columns],
        unique=value.is_unique,
        primary=value.is_primary,
        definition=value.definition,
    )
