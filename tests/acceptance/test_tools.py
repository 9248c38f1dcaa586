"""Independent tools agree with us: buf (another gRPC implementation) and promtool. Skipped, saying so, where a tool is absent."""

import asyncio
import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from holdfast import Holdfast
from samples.load import load_sample
from support.service import Service, final, register

ROOT = Path(__file__).resolve().parents[2]
BUF = shutil.which("buf") or shutil.which("buf", path=str(ROOT / "node_modules/.bin"))
PROMTOOL = shutil.which("promtool")

needs_buf = pytest.mark.skipif(BUF is None, reason="buf is not installed (npm install --no-save @bufbuild/buf)")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


async def run(*command: str) -> str:
    """Run a command off the loop that serves the test's own clients; return what it printed."""
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT / "proto", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def curl(service: Service, method: str, **request: object) -> list[dict]:
    """Call a method with buf curl over reflection; return the messages of the answer."""
    flags = ("--protocol", "grpc", "--http2-prior-knowledge", "--data", json.dumps(request))
    text = await run(str(BUF), "curl", *flags, f"http://{service.listen}/holdfast.v1.{method}")
    decoder, messages = json.JSONDecoder(), []
    while text := text.lstrip():
        message, end = decoder.raw_decode(text)
        messages.append(message)
        text = text[end:]
    return messages


@needs_buf
async def test_contract_is_clean_and_compatible() -> None:
    """Lint STANDARD and COMMENTS, and no breaking change against the committed image."""
    await run(str(BUF), "lint")
    await run(str(BUF), "breaking", "--against", "image.binpb")


@needs_buf
async def test_an_independent_client_starts_and_streams_an_audit(service: Service, client: Holdfast, database: str) -> None:
    """Buf curl starts an audit and follows it: snapshot, events without a gap, final state."""
    await load_sample(database, "ev_charging")
    await register(client, "buf", database)
    [started] = await curl(service, "AuditService/StartAudit", database="buf")
    messages = await curl(service, "JobService/WatchJob", id=started["job"]["id"])
    sequences = [int(message["event"]["sequence"]) for message in messages if "event" in message]
    await client.remove_database("buf")

    assert "snapshot" in messages[0]
    assert messages[-1]["final"]["state"] == "JOB_STATE_SUCCEEDED"
    assert sequences == list(range(1, len(sequences) + 1))


@needs_promtool
async def test_metrics_are_what_prometheus_expects(service: Service, client: Holdfast, database: str) -> None:
    """Promtool finds nothing to say about /metrics, which tells the orphan rows of every relationship."""
    await load_sample(database, "ev_charging")
    await register(client, "metered", database)
    await final(client.audit("metered"))
    line = 'holdfast_orphan_rows{database="metered",relationship="public.reports(station_id)->public.stations(id)"} 8.0'
    text = ""
    for _ in range(50):
        text = await asyncio.to_thread(scrape, service)
        if line in text:
            break
        await asyncio.sleep(0.2)
    checked = await asyncio.to_thread(
        subprocess.run, [str(PROMTOOL), "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    await client.remove_database("metered")
    for _ in range(50):
        if 'database="metered"' not in (after := await asyncio.to_thread(scrape, service)):
            break
        await asyncio.sleep(0.2)

    assert line in text
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert 'database="metered"' not in after


def scrape(service: Service) -> str:
    with urllib.request.urlopen(f"http://{service.http}/metrics", timeout=10) as answer:
        return answer.read().decode()
