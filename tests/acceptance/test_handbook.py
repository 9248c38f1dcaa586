"""The commands of docs/operations.md do what the page says: its marked blocks are run, as they stand, against real replicas and a real store.

`PLAN` and `JOB` stand for ids, as everywhere in the docs; everything else is typed as it is printed.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import yaml
from asyncpg.transaction import Transaction

from holdfast import Holdfast, HoldfastError
from holdfast.v1 import core_pb2 as core
from holdfast.v1.database_service_pb2 import DsnSource
from samples.load import load_sample
from support.equality import state_of
from support.postgres import Server
from support.service import Service, apply_default_plan, final, running_service

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
MARKED = re.findall(r"^<!-- run: ([a-z ]+) -->\n```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
#: What audits and lists of findings end with when there are findings.
FINE = (0, 1)


def commands(name: str) -> list[str]:
    """All lines of the blocks of a name, in order, each once."""
    return list(dict.fromkeys(line for marker, body in MARKED if marker == name for line in body.splitlines()))


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Server]:
    """A PostgreSQL of its own: the page makes a role, which belongs to the whole server."""
    server = await Server(18).start()
    try:
        yield server
    finally:
        await server.stop()


class Terminal:
    """A folder with the programs and variables that the page takes for granted."""

    def __init__(self, folder: Path, cluster: Server) -> None:
        self.folder = folder
        programs = [Path(sys.executable).parent, cluster.binaries.program("psql").parent]
        self.environment = {
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "HOME": str(folder),
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "ADMIN_URL": cluster.dsn(),
            "HOLDFAST_STORE_URL": cluster.dsn("holdfast", role="holdfast"),
            "RESTORED_URL": cluster.dsn("holdfast_restored"),
        }
        self.printed: dict[str, str] = {}

    async def type(self, lines: Sequence[str], **ids: str) -> None:
        """Run line by line and keep what each printed; one that ends with an error fails the test."""
        for line in lines:
            words = line
            for name, value in ids.items():
                words = re.sub(rf"\b{name}\b", value, words)
            shell = ["bash", "-c", f"set -o pipefail; {words}"]
            done = await asyncio.to_thread(
                subprocess.run, shell, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
            )
            self.printed[line] = done.stdout
            assert done.returncode in (FINE if line.startswith("holdfast ") else (0,)), f"{line}\n{done.stdout}{done.stderr}"

    def at(self, service: Service) -> None:
        """Talk to this replica from now on."""
        self.environment |= {"HOLDFAST_SERVER": service.listen, "REPLICA_HTTP": service.http}


@pytest.fixture(scope="module")
def terminal(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("handbook"), cluster)


@pytest.fixture(scope="module")
async def store(cluster: Server, terminal: Terminal) -> dict[str, str]:
    """The settings of a replica on the store that the page has made."""
    await terminal.type(commands("store"))
    key = (terminal.folder / "holdfast.key").read_text().strip()
    shop = await cluster.create_database("shop")
    await load_sample(shop, "ev_charging")
    return {"HOLDFAST_STORE_URL": terminal.environment["HOLDFAST_STORE_URL"], "HOLDFAST_SECRET_KEY": key, "SHOP_DSN": shop}


async def test_the_commands_of_every_alert_work(store: dict[str, str], terminal: Terminal) -> None:
    """A database is registered as shown; with a plan applied and rolled back, every command that an alert asks for answers."""
    setting_up = commands("shop").index("holdfast jobs list --database shop")
    async with running_service(store) as service, service.client() as client:
        terminal.at(service)
        await terminal.type(commands("shop")[:setting_up])
        # Two audits to compare, an application to look at, and the log that the last alerts read.
        await final(client.audit("shop"))
        await final(client.audit("shop"))
        plan, job = await apply_default_plan(client, "shop")
        await final(client.roll_back(job.id))
        with pytest.raises(HoldfastError):
            await client.get_database("nowhere")
        (terminal.folder / "holdfastd.log").write_text(service.log)
        await terminal.type(commands("shop")[setting_up:], JOB=job.id, PLAN=plan.id)
        printed = terminal.printed
        written = list(service.home.glob("data/*"))
        # The same database has another name in the next test.
        await client.remove_database("shop")

    # With a store and a key of its own a replica keeps no files, so its root may be read-only.
    assert written == []
    assert "'30 2 * * *'" in commands("shop")[2]
    assert "SUCCEEDED" in printed["holdfast jobs show JOB"]
    assert "8" in printed["holdfast orphans shop reports.station_id"]
    assert printed["curl --silent http://$REPLICA_HTTP/readyz"] == "ok\n"
    assert "rpc_handled" in printed["""grep '"event": "rpc_handled"' holdfastd.log | tail -n 5"""]


async def test_the_store_is_backed_up_and_restored(cluster: Server, store: dict[str, str], terminal: Terminal) -> None:
    """A dump from a running service starts one that knows the same, with an intact audit log; what was rolled back since is not applied again."""
    before = await state_of(cluster, store["SHOP_DSN"])
    async with running_service(store) as service, service.client() as client, in_the_way(store["SHOP_DSN"]) as writer:
        terminal.at(service)
        await client.add_database("late", source_of(store))
        await final(client.audit("late"))
        plan = await client.plan("late")
        await client.approve_plan(plan.id)
        job_id = (await client.start_application(plan.id)).job.id
        await blocked(client, job_id)
        await terminal.type(commands("dump"))
        # All of this is unknown to the dump.
        await writer.rollback()
        await final(client.watch(job_id))
        await final(client.roll_back(job_id))
    await terminal.type(commands("restore"))
    restored = terminal.environment["RESTORED_URL"].replace("postgres@", "holdfast@")
    async with running_service(store | {"HOLDFAST_STORE_URL": restored}) as service, service.client() as client:
        terminal.at(service)
        await terminal.type(commands("restored"))
        await final(client.audit("late"))
        async for item in client.watch(job_id):
            ended = item

    assert "late" in terminal.printed["holdfast databases list"]
    assert (terminal.folder / "log.jsonl").stat().st_size
    assert (ended.state, ended.error_reason) == (core.JOB_STATE_FAILED, "JOB_STATE")
    assert await state_of(cluster, store["SHOP_DSN"]) == before


async def test_the_embedded_store_is_copied(store: dict[str, str], terminal: Terminal) -> None:
    """The folder of a service that is stopped, put back, is the service as it was, inline DSNs included."""
    async with running_service() as service:
        async with service.client() as client:
            await client.add_database("kept", source_of(store))
        await service.stop()
        terminal.environment["HOLDFAST_DATA_DIR"] = str(service.home / "data")
        await terminal.type(commands("copy"))
        (service.home / "data").rename(service.home / "lost")
        await terminal.type(commands("copy back"))
        await service.start()
        async with service.client() as client:
            await final(client.audit("kept"))
            found = await names(client)

    assert found == {"kept"}


@asynccontextmanager
async def in_the_way(dsn: str) -> AsyncIterator[Transaction]:
    """A writer of the application that has not ended: an application of ours waits for it."""
    connection = await asyncpg.connect(dsn)
    writer = connection.transaction()
    await writer.start()
    await connection.execute("UPDATE public.reports SET reason = reason")
    try:
        yield writer
    finally:
        await connection.close()


async def blocked(client: Holdfast, job_id: str) -> None:
    """Return as soon as the job waits for somebody's lock."""
    async for item in client.watch(job_id):
        if isinstance(item, core.Event) and item.kind == core.EVENT_KIND_LOCK_WAIT:
            return
    raise AssertionError("the job ended without waiting")


async def names(client: Holdfast) -> set[str]:
    return {database.name for database in (await client.list_databases()).databases}


def source_of(store: dict[str, str]) -> DsnSource:
    return DsnSource(inline=store["SHOP_DSN"])


def test_every_alert_has_its_section():
    """One heading per alert of the rules, in their order, each with what it means, where to look, what to do, whom to wake; links lead there."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    sections = PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0].split("\n### ")[1:]

    assert [section.partition("\n")[0] for section in sections] == [rule["alert"] for rule in rules]
    for section in sections:
        assert re.findall(r"^\*\*(\w+)", section, re.MULTILINE) == ["Means", "Look", "Do", "Wake"], section
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_every_block_is_run_or_comes_from_a_run():
    """A block of commands without a mark would be one that nobody has tried."""
    blocks = re.findall(r"^(.*)\n```([a-z]*)$\n(?:.*\n)*?^```$", PAGE, re.MULTILINE)

    assert len(blocks) > 20
    assert [(before, language) for before, language in blocks if not before.startswith(("<!-- run: ", "<!-- from tests/"))] == []
