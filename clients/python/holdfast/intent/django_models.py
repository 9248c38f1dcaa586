"""Django: in come the models of all applications, out comes what their ForeignKey, OneToOneField and ManyToManyField declare.

Django is imported and set up by whoever calls this. Generic relations are left out: no foreign key could carry them.
"""

from collections.abc import Iterable
from typing import Any

from holdfast.intent.model import Columns, Draft, Intent, split_name
from holdfast.intent.sqlalchemy_metadata import source_of
from holdfast.v1.core_pb2 import (
    ON_DELETE_CASCADE,
    ON_DELETE_RESTRICT,
    ON_DELETE_SET_DEFAULT,
    ON_DELETE_SET_NULL,
    ON_DELETE_UNSPECIFIED,
)

_ACTIONS = {
    "CASCADE": ON_DELETE_CASCADE,
    "PROTECT": ON_DELETE_RESTRICT,
    "RESTRICT": ON_DELETE_RESTRICT,
    "SET_NULL": ON_DELETE_SET_NULL,
    "SET_DEFAULT": ON_DELETE_SET_DEFAULT,
}


def from_models(models: Iterable[Any], *, name: str = "django") -> Intent:
    """Return what models declare, such as `apps.get_models(include_auto_created=True)`."""
    draft = Draft()
    for model in models:
        if model._meta.swapped:  # noqa: SLF001 (Django's own name for its public interface)
            continue
        for field in model._meta.local_fields:  # noqa: SLF001
            if (field.many_to_one or field.one_to_one) and getattr(field, "foreign_related_fields", None):
                _read(model, field, draft)
    return draft.finish(name)


def _read(model: Any, field: Any, draft: Draft) -> None:
    made_by = model._meta.auto_created  # noqa: SLF001
    # The table of a ManyToManyField is declared where the field is.
    owner, attribute = (made_by, _many_to_many(made_by, model)) if made_by else (model, field.name)
    draft.add(
        _columns(model, field.local_related_fields),
        _columns(field.related_model._meta.concrete_model, field.foreign_related_fields),  # noqa: SLF001
        source_of(owner, (attribute,)),
        _ACTIONS.get(getattr(field.remote_field.on_delete, "__name__", ""), ON_DELETE_UNSPECIFIED),
    )


def _columns(model: Any, fields: Iterable[Any]) -> Columns:
    """Return columns by their fields. Some write a schema into db_table: `"app"."orders"`."""
    table = model._meta.db_table  # noqa: SLF001
    schema, name = split_name(table) if '"' in table else ("", table)
    return Columns(schema, name, tuple(field.column for field in fields))


def _many_to_many(owner: Any, through: Any) -> str:
    fields = owner._meta.local_many_to_many  # noqa: SLF001
    return next((field.name for field in fields if field.remote_field.through is through), "")
