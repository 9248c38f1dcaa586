"""SQLAlchemy: in comes a MetaData, and the mappers of its classes if there are any, out comes what they declare.

SQLAlchemy is imported by whoever calls this: nothing here needs it.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holdfast.intent.model import Columns, Draft, Intent, action, place
from holdfast.v1.core_pb2 import ON_DELETE_CASCADE, ON_DELETE_UNSPECIFIED

_ACTION = re.compile(r"[A-Za-z ]+")


def from_metadata(metadata: Any, mappers: Iterable[Any] = (), *, name: str = "sqlalchemy") -> Intent:
    """Return the foreign keys of all tables, and the relationships of mapped classes that have none."""
    draft, listed = Draft(), sorted(mappers, key=lambda mapper: str(mapper.class_))
    classes = {mapper.local_table: mapper.class_ for mapper in reversed(listed)}
    for table in metadata.tables.values():
        for key in sorted(table.foreign_key_constraints, key=lambda key: [column.name for column in key.columns]):
            _read_key(table, key, classes.get(table), draft)
    for mapper in listed:
        for relation in _relations(mapper, draft):
            _read_relationship(mapper.class_, relation, draft)
    return draft.finish(name)


def _read_key(table: Any, key: Any, owner: type | None, draft: Draft) -> None:
    columns = [element.parent.name for element in key.elements]
    origin = _origin(owner, [_attribute(owner, element.parent) for element in key.elements], table)
    try:
        goals = [element.column for element in key.elements]
    except Exception as error:  # noqa: BLE001 (SQLAlchemy has several, none of them in common with ours)
        draft.skip(origin, f"{table.name}({', '.join(columns)}) points at what the metadata does not have ({type(error).__name__})")
        return
    referenced = Columns(goals[0].table.schema or "", goals[0].table.name, tuple(goal.name for goal in goals))
    draft.add(Columns(table.schema or "", table.name, tuple(columns)), referenced, origin, _on_delete(key.ondelete))


def _on_delete(stated: str | None) -> Any:
    """Return the action of `SET NULL (a, b)` or the like."""
    found = _ACTION.match(stated or "")
    return action(found[0]) if found else ON_DELETE_UNSPECIFIED


def _relations(mapper: Any, draft: Draft) -> list[Any]:
    try:
        return [relation for relation in mapper.relationships if relation.parent is mapper]
    except Exception as error:  # noqa: BLE001 (mappers are configured here, and any of the application's code may run)
        origin = _origin(mapper.class_, (), mapper.local_table)
        draft.skip(origin, f"the relationships of {mapper.class_.__name__} cannot be told ({type(error).__name__})")
        return []


def _read_relationship(owner: type, relation: Any, draft: Draft) -> None:
    """A relationship() with a primaryjoin of its own: its pairs of columns, unless a foreign key says them already."""
    origin = _origin(owner, (relation.key,), relation.parent.local_table)
    pairs = [*relation.synchronize_pairs, *(relation.secondary_synchronize_pairs or ())]
    grouped: dict[tuple[Any, Any], list[tuple[Any, Any]]] = defaultdict(list)
    for key, column in pairs:
        if not any(each.column is key for each in column.foreign_keys):
            grouped[column.table, key.table].append((column, key))
    if not grouped or relation.viewonly:
        return
    if _has_condition(relation.primaryjoin) or _has_condition(relation.secondaryjoin):
        draft.skip(origin, f"{owner.__name__}.{relation.key} holds for some rows only")
        return
    for (table, goal), found in grouped.items():
        if not all(hasattr(each, "foreign_key_constraints") for each in (table, goal)):
            draft.skip(origin, f"{owner.__name__}.{relation.key} joins what is no table")
            continue
        deletes = relation.direction.name == "ONETOMANY" and relation.cascade.delete
        draft.add(
            Columns(table.schema or "", table.name, tuple(column.name for column, _ in found)),
            Columns(goal.schema or "", goal.name, tuple(key.name for _, key in found)),
            origin,
            ON_DELETE_CASCADE if deletes else ON_DELETE_UNSPECIFIED,
        )


def _has_condition(join: Any) -> bool:
    """Tell whether a join compares a column with a value: then it means some rows only."""
    waiting = [join] if join is not None else []
    while waiting:
        element = waiting.pop()
        if getattr(element, "__visit_name__", "") in {"bindparam", "true", "false", "null", "textclause"}:
            return True
        waiting.extend(element.get_children())
    return False


def _attribute(owner: type | None, column: Any) -> str:
    """Return the attribute of a class that maps a column."""
    mapper = getattr(owner, "__mapper__", None)
    try:
        return str(mapper.get_property_by_column(column).key) if mapper is not None else ""
    except Exception:  # noqa: BLE001 (a column that the class does not map)
        return ""


def _origin(owner: type | None, attributes: Iterable[str], table: Any) -> str:
    """Return file and line of an attribute or its class; the table where there is no class."""
    return source_of(owner, attributes) if owner is not None else place(f"table {table.name}")


def source_of(owner: type, attributes: Iterable[str]) -> str:
    """Return file and line of an attribute of a class, below the current folder; else the names of module, class and attribute."""
    names = [each for each in attributes if each]
    try:
        file = Path(inspect.getsourcefile(owner) or "").resolve().relative_to(Path.cwd())
        lines, first = inspect.getsourcelines(owner)
    except (OSError, TypeError, ValueError):
        return place(".".join((owner.__module__, owner.__qualname__, *names[:1])))
    pattern = re.compile(rf"\s+{re.escape(names[0])}\s*[:=]") if names else None
    offset = next((number for number, text in enumerate(lines) if pattern is not None and pattern.match(text)), 0)
    return place(str(file), first + offset)
