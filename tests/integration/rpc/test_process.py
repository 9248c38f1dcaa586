"""The command as it is run: ready when it says so, stopped when asked to, one sentence when it cannot start, and nothing left."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import asyncpg
import grpc
import pytest

from holdfast.v1 import audit_service_pb2 as audits
from holdfast.v1 import database_service_pb2 as databases
from holdfast.v1 import job_service_pb2 as jobs
from holdfast.v1.audit_service_pb2_grpc import AuditServiceStub
from holdfast.v1.database_service_pb2_grpc import DatabaseServiceStub
from holdfast.v1.job_service_pb2_grpc import JobServiceStub

ROOT = Path(__file__).parents[3]
CANARY = "c4n4ry-s3cret"


@dataclass(kw_only=True)
class Command:
    """A running `holdfastd serve`."""

    process: asyncio.subprocess.Process
    data_dir: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def ready(self) -> dict[str, Any]:
        """Wait for the line that names the addresses."""
        async with asyncio.timeout(30):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == "server_ready":
                    return self.lines[-1]
        raise AssertionError((await self.process.stderr.read()).decode())

    async def end(self, number: int | None = None) -> tuple[int, str]:
        """Send a signal, if any, and return the exit code and what went to standard error."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        self.lines += [json.loads(line) for line in out.decode().splitlines()]
        return self.process.returncode, err.decode()

    def servers_left(self) -> list[str]:
        """Return the command lines of processes that still use the data directory."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.data_dir) in command:
                found.append(command)
        return found


@asynccontextmanager
async def command(*arguments: str, **environment: str) -> AsyncIterator[Command]:
    """Run `holdfastd serve` on free ports in a data directory of its own."""
    # pytest's tmp_path is closed to the account that runs PostgreSQL for root.
    data_dir = Path(tempfile.mkdtemp(prefix="holdfast-serve-"))
    os.chmod(data_dir, 0o711)  # noqa: PTH101, S103 (Path would count as blocking here)
    known = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("service", "clients/python"))
    options = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", str(data_dir), *arguments)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfastd", "serve", *options),
        env=known | {"PYTHONPATH": path} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Command(process=process, data_dir=data_dir)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


async def http_get(address: str, path: str) -> tuple[int, str]:
    """Return status and body."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def read_to_the_end(call: Any) -> None:
    """Read messages until there are no more."""
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_and_stops_and_leaves_nothing(number):
    """From one empty directory to a ready server and back."""
    async with command() as serving:
        line = await serving.ready()
        async with grpc.aio.insecure_channel(line["listen"]) as channel:
            listed = await DatabaseServiceStub(channel).ListDatabases(databases.ListDatabasesRequest())
        assert list(listed.databases) == []
        assert await http_get(line["http"], "/healthz") == (200, "ok\n")
        assert await http_get(line["http"], "/readyz") == (200, "ok\n")
        status, text = await http_get(line["http"], "/metrics")
        assert status == 200
        assert 'grpc_server_handled_total{grpc_code="OK",grpc_method="ListDatabases"' in text
        assert serving.servers_left()

        code, complaints = await serving.end(number)

        assert (code, complaints) == (0, "")
        assert serving.lines[-1]["event"] == "server_stopped"
        assert not serving.servers_left()


async def test_a_second_server_on_the_same_port_is_refused():
    """By default gRPC would share the port without a word."""
    async with command() as first:
        line = await first.ready()
        for option, address in (("--listen", line["listen"]), ("--http", line["http"])):
            async with command(option, address) as second:
                code, complaint = await second.end()

                assert code == 2
                assert complaint.startswith(f"holdfastd: Cannot listen on {address}")
                assert complaint.count("\n") == 1
                assert not second.servers_left()


async def test_a_directory_that_cannot_be_written_is_refused():
    """One sentence that names it."""
    async with command("--data-dir", "/proc/holdfast") as serving:
        code, complaint = await serving.end()

        assert code == 2
        assert complaint.startswith("holdfastd: Cannot write to the data directory /proc/holdfast")
        assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://ada:{CANARY}@127.0.0.1:1/store", "The store cannot be reached"),
        (f"nonsense {CANARY}", "The DSN of the store is malformed"),
        (f"postgresql://a:{CANARY}@[::1/x", "The DSN of the store is malformed"),
    ],
)
async def test_a_store_that_cannot_be_reached_is_refused(url, words):
    """Without its password."""
    async with command(HOLDFAST_STORE_URL=url) as serving:
        code, complaint = await serving.end()

        assert code == 2
        assert complaint.startswith(f"holdfastd: {words}")
        assert complaint.count("\n") == 1
        assert CANARY not in f"{complaint} {serving.lines}"


async def test_a_secret_key_that_is_none_is_refused():
    """Before anything is started, and without showing it."""
    async with command(HOLDFAST_SECRET_KEY=CANARY) as serving:
        code, complaint = await serving.end()

        assert code == 2
        assert complaint.startswith("holdfastd: HOLDFAST_SECRET_KEY must hold Fernet keys")
        assert CANARY not in f"{complaint} {serving.lines}"


async def test_other_addresses_than_loopback_are_refused():
    """Until there is TLS."""
    async with command("--listen", "0.0.0.0:0") as serving:
        code, complaint = await serving.end()

        assert code == 2
        assert "HOLDFAST_ALLOW_PLAINTEXT=1" in complaint


async def test_a_signal_during_the_start_stops_it():
    """Also while the embedded store is being made."""
    async with command() as serving:
        async with asyncio.timeout(20):
            while not (serving.data_dir / "store" / "pg.new").exists():
                await asyncio.sleep(0.005)

        code, _ = await serving.end(signal.SIGTERM)

        assert code == 0
        assert "server_ready" not in {line["event"] for line in serving.lines}
        assert not serving.servers_left()


async def test_stopping_ends_open_watches_and_gives_jobs_back(postgres, database):
    """A client that watches is told to go on elsewhere, and a job that waits for a lock does not hold the exit up."""
    target = await postgres.create_database()
    locking = await asyncpg.connect(target)
    await locking.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a)")
    async with command(HOLDFAST_STORE_URL=database, TARGET=target) as serving:
        line = await serving.ready()
        async with grpc.aio.insecure_channel(line["listen"]) as channel:
            dsn = databases.DsnSource(env="TARGET")
            await DatabaseServiceStub(channel).AddDatabase(databases.AddDatabaseRequest(name="shop", dsn=dsn))
            async with locking.transaction():
                await locking.execute("LOCK a, b")
                job = (await AuditServiceStub(channel).StartAudit(audits.StartAuditRequest(database="shop"))).job
                call = JobServiceStub(channel).WatchJob(jobs.WatchJobRequest(id=job.id))
                while (await call.read()).WhichOneof("payload") != "event":
                    pass
                started = asyncio.get_running_loop().time()
                ended = asyncio.create_task(serving.end(signal.SIGTERM))
                with pytest.raises(grpc.aio.AioRpcError) as cut:
                    await read_to_the_end(call)
                assert asyncio.get_running_loop().time() - started < 2
                assert "reconnect with the resume token" in cut.value.details()
                code, complaints = await ended

    assert (code, complaints) == (0, "")
    assert "stop_step_failed" not in {line["event"] for line in serving.lines}
    store = await asyncpg.connect(database)
    assert await store.fetchval("SELECT lease_owner IS NULL AND lease_end <= clock_timestamp() FROM holdfastd.jobs")
    await store.close()
    await locking.close()
    await postgres.drop_database(target.rpartition("/")[2])


async def test_readiness_follows_the_store(postgres):
    """A replica whose store is away says so, stays alive, and comes back by itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    dsn = await postgres.create_database()
    async with Cable(port, postgres.port) as cable, command(HOLDFAST_STORE_URL=dsn.replace(str(postgres.port), str(port))) as serving:
        line = await serving.ready()
        numbers = (await http_get(line["http"], "/metrics"))[1]
        assert "\nholdfast_ready 1.0\n" in numbers
        assert "\nholdfast_snapshot_timestamp_seconds " in numbers
        assert (await http_get(line["http"], "/readyz"))[0] == 200

        await cable.cut()
        status, reason = await http_get(line["http"], "/readyz")
        assert status == 503
        assert "store" in reason
        assert (await http_get(line["http"], "/healthz"))[0] == 200
        async with asyncio.timeout(20):
            while "\nholdfast_ready 0.0\n" not in (numbers := (await http_get(line["http"], "/metrics"))[1]):
                await asyncio.sleep(0.1)
        # What was known stays, and its age is told.
        assert "\nholdfast_audit_log_entries 0.0\n" in numbers
        assert "\nholdfast_snapshot_timestamp_seconds " in numbers

        await cable.mend()
        async with asyncio.timeout(20):
            while (await http_get(line["http"], "/readyz"))[0] != 200:
                await asyncio.sleep(0.1)
        assert (await serving.end(signal.SIGTERM))[0] == 0
    await postgres.drop_database(dsn.rpartition("/")[2])


class Cable:
    """A TCP connection that can be cut: from a port here to a port of PostgreSQL."""

    def __init__(self, near: int, far: int) -> None:
        self._near, self._far = near, far
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._near)

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
