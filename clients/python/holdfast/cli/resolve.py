"""Naming a relationship in few letters: in come `table.column` and the relationships of an audit, out comes the id."""

import difflib
import functools
from collections.abc import Iterable

from holdfast.cli.failures import InputError
from holdfast.client import Holdfast
from holdfast.pages import every_page
from holdfast.v1.core_pb2 import Relationship

_ARROW = "->"


async def resolve_one(client: Holdfast, database: str, name: str) -> str:
    """Return the id that a name stands for; a full id is left to the service to know."""
    if _ARROW in name:
        return name
    return resolve(name, await list_relationships(client, database))


async def list_relationships(client: Holdfast, database: str) -> tuple[Relationship, ...]:
    """Return all relationships of the latest audit."""
    return tuple((await every_page(functools.partial(client.list_relationships, database))).relationships)


def resolve(name: str, relationships: Iterable[Relationship]) -> str:
    """Return the id of the one relationship that the name fits; InputError when none or several do."""
    known = tuple(relationships)
    # Two constraints may declare one relationship.
    found = list(dict.fromkeys(relationship.id for relationship in known if name in names(relationship)))
    match found:
        case [only]:
            return only
        case []:
            raise InputError(f"No relationship is called {name!r}{_near(name, known)}; `holdfast relationships` lists them.")
        case _:
            raise InputError(f"{name!r} could be any of {', '.join(found)}; give the full id.")


def names(relationship: Relationship) -> tuple[str, ...]:
    """Return what a relationship may be called: its id, its referencing half, and that as people write it."""
    columns = relationship.referencing
    half = relationship.id.partition(_ARROW)[0]
    listed = f"{columns.table}({', '.join(columns.columns)})"
    dotted = [f"{columns.table}.{columns.columns[0]}"] if len(columns.columns) == 1 else []
    written = (listed, *dotted)
    return (relationship.id, half, *written, *(f"{columns.schema}.{name}" for name in written))


def _near(name: str, known: Iterable[Relationship]) -> str:
    near = difflib.get_close_matches(name, [spelled for relationship in known for spelled in names(relationship)[2:]], n=1)
    return f" (perhaps {near[0]!r})" if near else ""
