"""What orchestrators and Prometheus get, asked over ASGI without a socket."""

import asyncio

import pytest

from holdfastd.http import app as http_app
from holdfastd.http.app import make_app
from holdfastd.metrics.registry import Metrics


async def get(path, unready, accept="*/*"):
    """Return status, content type and body."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"accept", accept.encode())]}
    await make_app(Metrics("1").registry, unready)(scope, receive, send)
    headers = dict(sent[0]["headers"])
    return sent[0]["status"], headers.get(b"content-type", b"").decode(), sent[1]["body"].decode()


async def ready():
    return ""


async def stopping():
    return "stopping"


async def hanging():
    await asyncio.sleep(60)


async def test_ready_when_nothing_speaks_against_it():
    """200 and no more."""
    assert (await get("/readyz", ready))[::2] == (200, "ok\n")


async def test_unready_with_the_reason():
    """A person reads it, too."""
    assert (await get("/readyz", stopping))[::2] == (503, "stopping\n")


async def test_a_store_that_hangs_is_not_ready(monkeypatch):
    """A probe that hangs with it would be answered after the orchestrator lost patience."""
    monkeypatch.setattr(http_app, "READY_SECONDS", 0.05)

    status, _, reason = await get("/readyz", hanging)

    assert status == 503
    assert "0.05 s" in reason


async def test_a_look_that_cannot_be_given_up_holds_no_probe_up(monkeypatch):
    """Cancelling what was sent to a silent server takes as long as the driver's patience; the probe is answered in time."""
    monkeypatch.setattr(http_app, "READY_SECONDS", 0.05)
    given_up = asyncio.Event()

    async def stubborn():
        try:
            return await asyncio.sleep(60, "")
        finally:
            await given_up.wait()

    async with asyncio.timeout(5):
        status, _, _ = await get("/readyz", stubborn)
    given_up.set()

    assert status == 503


@pytest.mark.parametrize("unready", [stopping, hanging])
async def test_alive_whatever_the_store_does(unready):
    """Restarting a replica does not heal its store."""
    assert (await get("/healthz", unready))[0] == 200


async def test_metrics_speak_the_asked_format():
    """Prometheus asks for OpenMetrics, curl for nothing in particular."""
    assert (await get("/metrics", hanging))[1].startswith("text/plain; version=")
    assert (await get("/metrics", hanging, "application/openmetrics-text; version=1.0.0"))[1].startswith("application/openmetrics-text")
