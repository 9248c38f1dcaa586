"""Idempotency: what a request_id was answered with.

Use both functions in the transaction that does the work: `recall` first, and when it returns None do the work and `remember` the
answer. A second identical request waits in `recall` until the first transaction ends, so the work is done once.
"""

from typing import Any

from holdfastd.errors import AlreadyExists, Reason


async def recall(connection: Any, *, principal: str, method: str, request_id: str, digest: str) -> str | None:
    """Return the id that this request was answered with; None when it is new and now ours to answer."""
    key = (principal, method, request_id)
    # The insert waits for a concurrent one with the same key; the select after it sees what that one committed.
    claim = """
        INSERT INTO requests (principal, method, request_id, digest) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        RETURNING true
    """
    query = "SELECT digest, answer_id FROM requests WHERE (principal, method, request_id) = ($1, $2, $3)"
    known = None
    while known is None:
        if await connection.fetchval(claim, *key, digest):
            return None
        # None when the answer grew too old, and went, since the insert.
        known = await connection.fetchrow(query, *key)
    if known["digest"] != digest:
        message = f"request_id {request_id} was used for another request; choose a new UUID for every new request."
        raise AlreadyExists(message, reason=Reason.REQUEST_ID_REUSED, facts={"request_id": request_id})
    return str(known["answer_id"])


async def remember(connection: Any, *, principal: str, method: str, request_id: str, answer_id: str) -> None:
    """Note the id that a request was answered with; only after `recall` returned None in the same transaction."""
    note = "UPDATE requests SET answer_id = $4 WHERE (principal, method, request_id) = ($1, $2, $3)"
    await connection.execute(note, principal, method, request_id, answer_id)
