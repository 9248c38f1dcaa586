"""Did you mean …?: in comes the error about a name that the service does not know, out comes the same with the nearest one it knows."""

import asyncio
import difflib

from holdfast.client import Holdfast
from holdfast.errors import HoldfastError

#: Nobody waits long to be told what they meant.
_SECONDS = 2.0
_MOST = 200
_CALLED = {"plan": "a plan", "job": "a job", "audit": "an audit"}


async def with_nearest(client: Holdfast, error: HoldfastError) -> HoldfastError:
    """Return the error with a suggestion, where there is one and the service tells it soon."""
    kind = error.reason.removesuffix("_NOT_FOUND").lower()
    typed = error.metadata.get(kind) or error.metadata.get(f"{kind}_id", "")
    if not typed or not error.reason.endswith("_NOT_FOUND") or kind not in {"database", *_CALLED}:
        return error
    other = typed.partition("-")[0]
    if other in _CALLED and other != kind and "-" in typed:
        error.message += f" {typed} is the id of {_CALLED[other]}: `holdfast {other}s show {typed}` leads on."
        return error
    try:
        async with asyncio.timeout(_SECONDS):
            known = await _known(client, kind)
    except (HoldfastError, TimeoutError):
        return error
    # Ids are alike by nature; a cut one is meant more often than a misspelled one.
    near = [name for name in known if name.startswith(typed)] or difflib.get_close_matches(typed, known, n=1, cutoff=0.75)
    if near:
        error.message += f" Did you mean {near[0]}?"
    return error


async def _known(client: Holdfast, kind: str) -> list[str]:
    match kind:
        case "database":
            return [each.name for each in (await client.list_databases(page_size=_MOST)).databases]
        case "plan":
            return [each.id for each in (await client.list_plans(page_size=_MOST)).plans]
        case "job":
            return [each.id for each in (await client.list_jobs(page_size=_MOST)).jobs]
        case _:
            return [each.id for each in (await client.list_audits(page_size=_MOST)).audits]
