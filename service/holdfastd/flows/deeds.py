"""Doing something that the audit log must know of, once: one transaction for the deed, its entry, and the answer to its request_id."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from holdfastd.errors import HoldfastError
from holdfastd.flows.context import Caller, Services
from holdfastd.store import audit_log, requests


@dataclass(slots=True, kw_only=True)
class Deed:
    """What is being done: `connection` is the transaction to do it in; subject and details go to the audit log."""

    connection: Any
    subject: str = ""
    details: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def deed(services: Services, caller: Caller, action: str, *, database: str = "", subject: str = "") -> AsyncIterator[Deed]:
    """Open a transaction and append its outcome to the audit log; a failure is logged in a transaction of its own."""
    async with failure_logged(services, caller, action, database=database, subject=subject), services.store.transaction() as connection:
        doing = Deed(connection=connection, subject=subject)
        yield doing
        await audit_log.append(
            connection, principal=caller.principal, action=action, database=database, subject=doing.subject, details=doing.details
        )


@asynccontextmanager
async def failure_logged(services: Services, caller: Caller, action: str, *, database: str = "", subject: str = "") -> AsyncIterator[None]:
    """Append what did not work and why, by its reason only: messages may name what the log must not keep.

    By itself around what comes before a deed: no connection of the store is held meanwhile, and a target may be slow.
    """
    try:
        yield
    except HoldfastError as error:
        async with services.store.transaction() as connection:
            await audit_log.append(
                connection, principal=caller.principal, action=action, database=database, subject=subject, outcome=error.reason
            )
        raise


async def answered(services: Services, caller: Caller, method: str, content: Mapping[str, str]) -> str | None:
    """Return the id that this very request was answered with before; None when it is new or carries no request_id."""
    if not caller.request_id:
        return None
    async with services.store.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            return await requests.recall(
                connection, principal=caller.principal, method=method, request_id=caller.request_id, digest=_digest(content)
            )
        finally:
            # Only asked: whether the request is ours to answer is decided in the transaction that answers it.
            await transaction.rollback()


async def once(doing: Deed, caller: Caller, method: str, content: Mapping[str, str], work: Callable[[], Awaitable[str]]) -> str:
    """Return the id of what `work` made, or of what the same request made before. Runs in the deed's transaction."""
    if not caller.request_id:
        return await work()
    asked = {"principal": caller.principal, "method": method, "request_id": caller.request_id}
    earlier = await requests.recall(doing.connection, digest=_digest(content), **asked)
    if earlier is not None:
        return earlier
    answer = await work()
    await requests.remember(doing.connection, answer_id=answer, **asked)
    return answer


def _digest(content: Mapping[str, str]) -> str:
    text = "\0".join(f"{name}={content[name]}" for name in sorted(content))
    return hashlib.sha256(text.encode()).hexdigest()
