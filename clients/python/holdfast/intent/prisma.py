"""Prisma: in come the files of a schema, out comes what its models declare. Relations of views are none: views have no keys.

Implicit many-to-many relations mean the join table that Prisma makes: `_AToB` with the columns A and B.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from holdfast.intent.files import Source
from holdfast.intent.model import Columns, Draft, Intent, action, place
from holdfast.intent.prisma_syntax import Block, Field, parse
from holdfast.v1.core_pb2 import ON_DELETE_CASCADE

_OURS = frozenset({"postgresql", "postgres", "cockroachdb"})


class Models(NamedTuple):
    """The models of a schema."""

    #: Name -> the file and the model.
    blocks: Mapping[str, tuple[str, Block]]
    #: How often a model lists another one under a title, without saying fields: one side of a many-to-many relation each.
    lists: Mapping[tuple[str, str, str], int]
    #: Of those, what has been read: its join table is one, however often it is listed.
    read: set[tuple[str, str, str]]


def from_prisma(sources: Sequence[Source], *, name: str = "prisma") -> Intent:
    """Return what a Prisma schema of one or more files declares."""
    draft = Draft()
    models: dict[str, tuple[str, Block]] = {}
    views: set[str] = set()
    for source in sources:
        for block in parse(source.text):
            if block.kind == "model":
                models[block.name] = (source.path, block)
            elif block.kind == "view":
                views.add(block.name)
            elif block.kind == "datasource":
                _check_provider(block, source.path, draft)
    known = Models(models, _lists(model for _, model in models.values()), set())
    for path, model in models.values():
        for field in model.fields.values():
            if field.type in models:
                _read(known, path, model, field, draft)
            elif field.type in views and _names(field, "fields"):
                draft.skip(place(path, field.line), f"{model.name}.{field.name} points at the view {field.type}, which has no key")
    return draft.finish(name)


def _lists(models: Iterable[Block]) -> Mapping[tuple[str, str, str], int]:
    return Counter(
        (model.name, field.type, _title(field))
        for model in models
        for field in model.fields.values()
        if field.is_list and not _names(field, "fields")
    )


def _check_provider(block: Block, path: str, draft: Draft) -> None:
    provider = block.attribute("provider")
    stated = provider.text("") if provider else ""
    if stated and stated not in _OURS and stated != "env":
        draft.skip(place(path, block.line), f"the schema is for {stated}, not for PostgreSQL")


def _read(models: Models, path: str, model: Block, field: Field, draft: Draft) -> None:
    origin, other = place(path, field.line), models.blocks[field.type][1]
    fields, references = _names(field, "fields"), _names(field, "references")
    if fields:
        unknown = [name for name in fields if name not in model.fields] + [name for name in references if name not in other.fields]
        if unknown:
            draft.skip(origin, f"{model.name}.{field.name} names {unknown[0]}, which is no field")
            return
        relation = field.attribute("relation")
        draft.add(_columns(model, fields), _columns(other, references), origin, action(relation.text("onDelete") if relation else ""))
    elif field.is_list:
        mine, back = (model.name, other.name, _title(field)), (other.name, model.name, _title(field))
        if mine not in models.read and models.lists.get(back, 0) > (other is model):
            models.read.add(mine)
            _read_implicit(model, other, _title(field), origin, draft)


def _read_implicit(model: Block, other: Block, title: str, origin: str, draft: Draft) -> None:
    """A list on both sides and fields on none: Prisma keeps a table of pairs, in the alphabetical order of the models."""
    first, second = sorted((model, other), key=lambda each: each.name)
    table = f"_{title or f'{first.name}To{second.name}'}"
    for column, goal in (("A", first), ("B", second)):
        draft.add(Columns("", table, (column,)), _columns(goal, _key(goal)), origin, ON_DELETE_CASCADE)


def _title(field: Field) -> str:
    relation = field.attribute("relation")
    return relation.text("name", "") if relation else ""


def _names(field: Field, argument: str) -> tuple[str, ...]:
    relation = field.attribute("relation")
    return relation.words(argument) if relation else ()


def _key(model: Block) -> tuple[str, ...]:
    return tuple(each.name for each in model.fields.values() if each.attribute("id"))[:1]


def _columns(model: Block, fields: Sequence[str]) -> Columns:
    table, schema = model.attribute("map"), model.attribute("schema")
    return Columns(
        schema.text("", "map") if schema else "",
        (table.text("name", "") if table else "") or model.name,
        tuple(_column(model.fields[name]) for name in fields),
    )


def _column(field: Field) -> str:
    mapped = field.attribute("map")
    return (mapped.text("name", "") if mapped else "") or field.name
