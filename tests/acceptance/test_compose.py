"""Two replicas with the very settings of deploy/compose.yaml, hosts and paths aside, take the commands of its first lines."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from samples.load import load_sample
from support.postgres import Server
from support.service import running_service

COMPOSE = Path(__file__).resolve().parents[2] / "deploy/compose.yaml"
TEXT = COMPOSE.read_text(encoding="utf-8")
#: What is typed, without what leads into a container.
TYPED = [re.sub(r"^docker compose .* exec (\S+) ", r"\1 ", line) for line in re.findall(r"^#   (.*)$", TEXT, re.MULTILINE)]


async def run(words: list[str], **environment: str) -> str:
    """Run the command line client; return what it printed."""
    command = [sys.executable, "-m", "holdfast.cli", *words]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    done = await asyncio.to_thread(subprocess.run, command, env=bare | environment, capture_output=True, text=True, timeout=60, check=False)
    # 1: the sample has findings.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


async def test_the_first_lines_of_compose_work(postgres: Server, database: str) -> None:
    """Through the first replica a database is added, through the second it is audited, and a client of both lists it; strangers are refused."""
    first, second = (service["environment"] for service in yaml.safe_load(TEXT)["services"].values() if "build" in service)
    store, target = await postgres.create_database(), urlsplit(database)
    await load_sample(database, "ev_charging")
    here = {
        "HOLDFAST_STORE_URL": store,
        "HOLDFAST_ACCESS": str(COMPOSE.parent / "compose-access.yaml"),
        "HOLDFAST_ALLOWED_HOSTS": f"{target.hostname}:{target.port}",
        "HOLDFAST_DRAIN_SECONDS": "0",
        "EV_DSN": database,
    }
    _, adding, auditing, export, listing = TYPED
    token = export.removeprefix("export HOLDFAST_TOKEN=")
    async with running_service(first | here) as one, running_service(second | here) as two:
        places = {"holdfast-1": one.listen, "holdfast-2": two.listen}
        printed = []
        for line in (adding, auditing):
            where, _, *words = line.split()
            printed.append(await run(words, HOLDFAST_SERVER=places[where], HOLDFAST_TOKEN=first["HOLDFAST_TOKEN"]))
        words = listing.replace("127.0.0.1:7443", one.listen).replace("127.0.0.1:7444", two.listen).split()[1:]
        listed = await run(words, HOLDFAST_TOKEN=token)
        stranger = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "holdfast.cli", *words], capture_output=True, text=True, timeout=60, check=False
        )

    assert (adding.split()[:2], auditing.split()[:2]) == (["holdfast-1", "holdfast"], ["holdfast-2", "holdfast"])
    assert "reports.station_id" in printed[1]
    assert re.search(r"^ev\b", listed, re.MULTILINE)
    assert stranger.returncode == 2
