"""Two replicas on one store, behind TLS and tokens: the audit log proves what happened, to people who trust neither store nor service."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import pytest

from holdfast import DsnSource, Event, Holdfast, HoldfastError, Job, Tls, token_in
from holdfast.log_export import export
from holdfast.v1.core_pb2 import JOB_STATE_QUEUED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from holdfast.watching import Patience
from holdfastd.identity.new_token import new_token
from support.authority import Authority
from support.postgres import Server, database_name
from support.service import Service

UNGUARDED = "SET session_replication_role = replica;"


@dataclass(kw_only=True)
class House:
    """Two replicas, and what a client needs to be let in."""

    replicas: tuple[Service, Service]
    store: str
    target: str
    ca: Path
    #: By principal.
    tokens: dict[str, Path]

    @property
    def server(self) -> str:
        return ",".join(replica.listen for replica in self.replicas)

    def client(self, who: str = "ada", server: str = "") -> Holdfast:
        patience = Patience(total=20, longest_pause=0.5)
        return Holdfast(server or self.server, token=token_in(self.tokens[who]), tls=Tls(ca=self.ca), patience=patience)

    async def holdfast(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run the command; return exit code, stdout and stderr."""
        command = (sys.executable, "-m", "holdfast.cli", *arguments)
        known = {
            "HOLDFAST_SERVER": self.server,
            "HOLDFAST_CA": str(self.ca),
            "HOLDFAST_TOKEN_FILE": str(self.tokens["ada"]),
            "COLUMNS": "200",
        }
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | known | environment
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture(scope="module")
async def house(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("house")
    authority = Authority()
    (directory / "ca.pem").write_bytes(authority.pem)
    authority.issue(dns=["localhost"]).write(directory / "tls.crt", directory / "tls.key")
    tokens: dict[str, Path] = {}
    access = "principals:\n"
    for name, role in (("ada", "admin"), ("vic", "viewer")):
        token, digest = new_token()
        tokens[name] = directory / name
        tokens[name].write_text(f"{token}\n")
        access += f"  {name}:\n    roles: [{role}]\n    tokens: ['{digest}']\n"
    (directory / "access.yaml").write_text(access)
    store, target, careful = [await postgres.create_database() for _ in range(3)]
    environment = {
        "HOLDFAST_STORE_URL": store,
        "HOLDFAST_ACCESS": str(directory / "access.yaml"),
        "HOLDFAST_TLS_CERT": str(directory / "tls.crt"),
        "HOLDFAST_TLS_KEY": str(directory / "tls.key"),
        "TARGET": target,
        "TARGET_2": careful,
    }
    async with AsyncExitStack() as stack:
        replicas = (Service(environment), Service(environment))
        for replica in replicas:
            replica.credentials = grpc.ssl_channel_credentials(authority.pem)
            await replica.start()
            stack.push_async_callback(replica.discard)
        yield House(replicas=replicas, store=store, target=target, ca=directory / "ca.pem", tokens=tokens)
    for dsn in (store, target, careful):
        await postgres.drop_database(database_name(dsn))


async def registered(house: House) -> None:
    async with house.client() as client:
        await client.add_database("shop", DsnSource(env="TARGET"))


async def test_whoever_is_not_known_is_told_what_to_set(house: House) -> None:
    """And who is known but may not, what it takes; the token is in no output."""
    anonymous, wrong, viewer, plain = await asyncio.gather(
        house.holdfast("databases", "list", HOLDFAST_TOKEN_FILE=""),
        house.holdfast("databases", "list", HOLDFAST_TOKEN_FILE="", HOLDFAST_TOKEN="hft_wrong"),
        house.holdfast("audit", "shop", "--detach", HOLDFAST_TOKEN_FILE=str(house.tokens["vic"])),
        house.holdfast("databases", "list", HOLDFAST_CA=""),
    )

    assert [code for code, _, _ in (anonymous, wrong, viewer, plain)] == [2, 2, 2, 2]
    assert "[UNAUTHENTICATED]" in anonymous[2]
    assert "HOLDFAST_TOKEN" in anonymous[2]
    assert "[UNAUTHENTICATED]" in wrong[2]
    assert "AUDIT" in viewer[2]
    assert "[PERMISSION_DENIED]" in viewer[2]
    assert "if it serves TLS, give --tls or --ca FILE" in plain[2]
    assert all("hft_wrong" not in text for _, *texts in (anonymous, wrong, viewer, plain) for text in texts)


async def test_either_replica_tells_the_head_and_its_log_tells_every_entry(house: House, tmp_path: Path) -> None:
    """So the log of the service, kept elsewhere, is a list of anchors; exported, it verifies without the service."""
    await registered(house)
    async with house.client() as client:
        await client.remove_database("shop")
        head, verified = client.audit_head, await client.verify_entries()
    for replica in house.replicas:
        async with house.client(server=replica.listen) as client, asyncio.timeout(10):
            while client.audit_head != head:
                await client.list_databases()
    (tmp_path / "holdfastd.log").write_text("".join(replica.log for replica in house.replicas))
    exported = await house.holdfast("log", "--export", str(tmp_path / "audit.log"))
    anchors = ("--anchor", str(head), "--anchors-file", str(tmp_path / "holdfastd.log"))
    online = await house.holdfast("log", "--verify", *anchors)
    offline = await house.holdfast("log", "--verify", str(tmp_path / "audit.log"), *anchors, HOLDFAST_SERVER="127.0.0.1:1")

    assert head is not None
    assert (verified.intact, verified.head_hash) == (True, head.hash)
    assert [code for code, _, _ in (exported, online, offline)] == [0, 0, 0], (exported, online, offline)
    assert "ada" in (tmp_path / "audit.log").read_text()


async def test_the_owner_of_the_store_cannot_hide_a_change(house: House, tmp_path: Path) -> None:
    """Not by switching triggers off, and not by leaving a log that is right in itself."""
    await registered(house)
    owner = await asyncpg.connect(house.store)
    file = tmp_path / "audit.jsonl"
    found = []
    async with house.client() as client:
        await client.remove_database("shop")
        head = client.audit_head
        assert head is not None
        assert (await export(client.export_entries, file)).head == head
        await owner.execute("CREATE TABLE kept AS SELECT * FROM holdfastd.audit_log")
        for tampering in (
            "UPDATE holdfastd.audit_log SET principal = 'nobody' WHERE sequence = 1",
            f"DELETE FROM holdfastd.audit_log WHERE sequence = {head.sequence - 1}",
            f"DELETE FROM holdfastd.audit_log WHERE sequence = {head.sequence}",
            "TRUNCATE holdfastd.audit_log",
        ):
            await owner.execute(UNGUARDED + tampering)
            verdicts = (await client.verify_entries(), await client.verify_entries([head]), await export(client.export_entries, file))
            found.append([verdict.intact for verdict in verdicts])
            await owner.execute(f"{UNGUARDED} TRUNCATE holdfastd.audit_log; INSERT INTO holdfastd.audit_log SELECT * FROM kept")
        restored = await client.verify_entries([head])
    await owner.execute("DROP TABLE kept")
    await owner.close()

    # Nothing but an anchor tells of a missing end. An export looks at nothing before the end of the file, which holds it already.
    assert found == [[False, False, True], [False, False, True], [True, False, False], [True, False, False]]
    assert restored.intact


async def test_a_watch_goes_on_at_another_replica(house: House) -> None:
    """A client that was given both addresses notices nothing when first one, then the other is replaced; every event comes once."""
    await registered(house)
    owner = await asyncpg.connect(house.target)
    await owner.execute("CREATE TABLE station (id int PRIMARY KEY); CREATE TABLE charger (id int PRIMARY KEY, station_id int)")
    hold = owner.transaction()
    await hold.start()
    await owner.execute("LOCK TABLE charger")
    seen: list[Job | Event] = []

    async def watch(client: Holdfast, job_id: str) -> None:
        async for item in client.watch(job_id):
            seen.append(item)  # noqa: PERF401 (as they come)

    async with house.client() as client:
        job_id = (await client.start_audit("shop")).job.id
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            group.create_task(watch(client, job_id))
            for replica in house.replicas:
                while not seen:
                    await asyncio.sleep(0.02)
                await replica.stop()
                # What is asked meanwhile is answered by the other.
                assert (await client.get_job(job_id)).job.state in {JOB_STATE_QUEUED, JOB_STATE_RUNNING}
                await replica.start()
            await hold.rollback()
    await owner.close()

    assert [item.sequence for item in seen if isinstance(item, Event)] == list(range(1, len(seen) - 1))
    assert isinstance(seen[-1], Job)
    assert seen[-1].state == JOB_STATE_SUCCEEDED


async def test_settings_are_kept_and_changed_one_by_one(house: House) -> None:
    """And the audit log tells who changed them."""
    added = await house.holdfast("databases", "add", "careful", "--dsn-env", "TARGET_2", "--four-eyes", "--max-running-jobs", "3")
    updated = await house.holdfast("-o", "json", "databases", "update", "careful", "--no-four-eyes")
    async with house.client() as client:
        (newest, *_) = (await client.list_entries(database="careful")).entries

    assert [code for code, _, _ in (added, updated)] == [0, 0], (added, updated)
    assert json.loads(updated[1])["database"]["settings"] == {"four_eyes": False, "max_running_jobs": 3}
    assert (newest.principal, newest.outcome) == ("ada", "OK")
    assert "four_eyes" in str(newest.details)


async def test_a_renewed_token_replaces_the_old_one(house: House) -> None:
    """A client reads its file before every call; the old token is refused."""
    async with house.client("vic") as client:
        await client.list_databases()
        house.tokens["vic"].write_text("hft_nobody_has_this\n")
        with pytest.raises(HoldfastError) as refused:
            await client.list_databases()

    assert refused.value.reason == "UNAUTHENTICATED"
