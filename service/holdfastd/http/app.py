"""/metrics, /healthz and /readyz: what dashboards and orchestrators ask; the console, and the methods that it calls.

Of the first three, none reaches a database but the readiness probe.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Scope

from holdfastd.http.pages import FOLDER, Console, guarded

#: Orchestrators wait a second or two for a probe; a late answer is none.
READY_SECONDS = 2.0

#: Returns why calls should go elsewhere; empty when they are welcome.
Readiness = Callable[[], Coroutine[Any, Any, str]]
#: Tells whether a foreign page may be asking.
Suspicion = Callable[[Scope], bool]


def _trusting(_: Scope) -> bool:
    return False


def make_app(
    registry: CollectorRegistry,
    unready: Readiness,
    calls: ASGIApp | None = None,
    console: Path = FOLDER,
    *,
    is_suspect: Suspicion = _trusting,
) -> ASGIApp:
    """Return the application: probes, metrics for whoever is no suspect, the methods under /service/method, and the console.

    What answers the methods is an object: Starlette takes a function for something else.
    """
    looks: set[asyncio.Future[str]] = set()

    async def metrics(request: Request) -> Response:
        if is_suspect(request.scope):
            return PlainTextResponse("A foreign page could have made this host name up; ask as localhost or by an IP address.\n", 403)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Tens of thousands of series take a fifth of a second, in which the loop serves others.
        text = await asyncio.to_thread(encode, registry)
        return Response(text, headers={"content-type": content_type})

    async def healthz(_: Request) -> Response:
        """Answering at all says that the loop is alive."""
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        look = asyncio.ensure_future(unready())
        looks.add(look)
        look.add_done_callback(looks.discard)
        await asyncio.wait({look}, timeout=READY_SECONDS)
        if look.done():
            reason = look.result()
        else:
            # Not waited for: giving up on a server that is silent takes longer than the probe has.
            look.cancel()
            reason = f"the store did not answer within {READY_SECONDS:g} s"
        return PlainTextResponse(f"{reason or 'ok'}\n", status_code=503 if reason else 200)

    routes: list[BaseRoute] = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    if calls is not None:
        # A call of a service that is not ours is answered as a call, too.
        routes += (Route("/holdfast.v1.{method:path}", calls), Route("/{service}/{method}", calls, methods=["POST"]))
    return guarded(Starlette(routes=[*routes, Mount("/", GZipMiddleware(Console(console)))]))
