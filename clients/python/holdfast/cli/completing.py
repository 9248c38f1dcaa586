"""What the shell offers for the word under the cursor: in come the words before it, out come names and ids that the service knows.

A key was pressed and somebody waits: the service is asked briefly, and nothing is ever said about why there is no offer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import typer

from holdfast.cli.render.words import clean, minute, word
from holdfast.cli.resolve import names
from holdfast.cli.session import Settings, connect
from holdfast.client import Holdfast
from holdfast.v1.audit_service_pb2 import AuditState
from holdfast.v1.core_pb2 import JobKind, JobState, PlanState, Relationship

_SECONDS = 1.5
#: The newest; nobody reads more.
_MOST = 50
#: Relationships, of which all are worth an offer.
_PAGE = 1000

Offer = tuple[str, str]
_T = TypeVar("_T")


def databases(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer names of databases."""

    async def ask(client: Holdfast) -> list[Offer]:
        found = (await client.list_databases(page_size=_PAGE)).databases
        return [(each.name, clean(each.database_name)) for each in found]

    return _offers(context, incomplete, ask)


def plans(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer ids of plans, the newest first."""

    async def ask(client: Holdfast) -> list[Offer]:
        found = (await client.list_plans(page_size=_MOST)).plans
        return [(each.id, f"{each.database} {word(PlanState, each.state)} {minute(each.create_time)}") for each in found]

    return _offers(context, incomplete, ask)


def jobs(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer ids of jobs, the newest first."""

    async def ask(client: Holdfast) -> list[Offer]:
        found = (await client.list_jobs(page_size=_MOST)).jobs
        return [(each.id, f"{each.database} {word(JobKind, each.kind)} {word(JobState, each.state)}") for each in found]

    return _offers(context, incomplete, ask)


def audits(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer ids of audits, the newest first."""

    async def ask(client: Holdfast) -> list[Offer]:
        found = (await client.list_audits(page_size=_MOST)).audits
        return [(each.id, f"{each.database} {word(AuditState, each.state)} {minute(each.create_time)}") for each in found]

    return _offers(context, incomplete, ask)


def relationships(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer relationships of the database that was named before, by the shortest name that no other has."""

    async def ask(client: Holdfast) -> list[Offer]:
        found = (await client.list_relationships(str(context.params["name"]), page_size=_PAGE)).relationships
        return [(name, "") for name in short_names(found)]

    return _offers(context, incomplete, ask)


def short_names(found: Iterable[Relationship]) -> list[str]:
    """Return the shortest name of each relationship that no other has; those of several columns are too long to type."""
    listed = {relationship.id: relationship for relationship in found if len(relationship.referencing.columns) == 1}
    bearers: dict[str, int] = {}
    for relationship in listed.values():
        for name in set(names(relationship)):
            bearers[name] = bearers.get(name, 0) + 1
    return [min((name for name in names(each) if bearers[name] == 1), key=len) for each in listed.values()]


def _offers(context: typer.Context, incomplete: str, ask: Callable[[Holdfast], Awaitable[list[Offer]]]) -> list[Offer]:
    try:
        offers = asyncio.run(_asked(_settings(context), ask))
    except Exception:  # noqa: BLE001 (words in the middle of what somebody types help nobody)
        return []
    return [offer for offer in offers if offer[0].startswith(incomplete)]


async def _asked(settings: Settings, ask: Callable[[Holdfast], Awaitable[_T]]) -> _T:
    async with asyncio.timeout(_SECONDS), connect(settings, timeout=_SECONDS) as client:
        return await ask(client)


def _settings(context: typer.Context) -> Settings:
    """Return the global options, of which the shell has typer read the words without running anything."""
    root = context.find_root()
    if root.command.callback is not None:
        with root:
            root.invoke(root.command.callback, **root.params)
    settings: Settings = root.obj
    return settings
