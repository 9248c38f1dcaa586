"""/metrics, /healthz and /readyz: what dashboards and orchestrators ask. No call reaches a database but the readiness probe."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

#: Orchestrators wait a second or two for a probe; a late answer is none.
READY_SECONDS = 2.0

#: Returns why calls should go elsewhere; empty when they are welcome.
Readiness = Callable[[], Coroutine[Any, Any, str]]


def make_app(registry: CollectorRegistry, unready: Readiness) -> Starlette:
    """Return the application."""
    looks: set[asyncio.Future[str]] = set()

    async def metrics(request: Request) -> Response:
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

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)])
