"""The dashboard and the rules against a real Prometheus that scrapes two real replicas on one store.

Skipped, saying so, where prometheus is absent. `make dashboard-table` runs it to write the table of docs/dashboard.md.
"""

import asyncio
import base64
import json
import math
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from holdfast import Holdfast, HoldfastError
from holdfast.v1 import core_pb2 as core
from holdfast.v1 import schedule_service_pb2 as schedules
from holdfast.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from samples.load import load_sample
from support.postgres import Server, database_name
from support.prometheus import DEPLOY, Prometheus, Sample, running_prometheus
from support.service import Service, every_relationship, final, register

PAGE = DEPLOY.parent / "docs/dashboard.md"
WRITE = "HOLDFAST_WRITE_DASHBOARD"
PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")

#: As long as a fresh Prometheus has something to say, and long enough for two scrapes.
WINDOW = "1m"


@dataclass(frozen=True)
class Query:
    """One query of one panel."""

    panel: str
    expression: str

    @property
    def asked(self) -> str:
        """The query as Grafana would send it for all databases."""
        return self.expression.replace("$__rate_interval", WINDOW).replace('"$database"', '".*"')


def queries() -> Iterator[Query]:
    """Every query of the dashboard, in the order of the panels."""
    dashboard = json.loads((DEPLOY / "grafana/holdfast.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["expr"])


@dataclass(frozen=True)
class Scene:
    """What has been made to happen, and who watched."""

    prometheus: Prometheus
    replicas: tuple[Service, Service]
    #: Relationships with a known number of orphan rows when the watching began.
    counted: int


@pytest.fixture(scope="module")
async def scene(postgres: Server) -> AsyncIterator[Scene]:
    """Two replicas and a Prometheus, after audits, an application that waited for a lock, a rollback and failures; another one waits."""
    store = await postgres.create_database()
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    environment = {"HOLDFAST_STORE_URL": store, "HOLDFAST_SECRET_KEY": key}
    replicas = (Service(environment), Service(environment))
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        async with (
            running_prometheus([replica.http for replica in replicas]) as prometheus,
            replicas[0].client() as client,
            _busy(postgres, client, replicas, prometheus) as counted,
        ):
            yield Scene(prometheus, replicas, counted)
    finally:
        await asyncio.gather(*(replica.discard() for replica in replicas))
        await postgres.drop_database(database_name(store))


@asynccontextmanager
async def _busy(postgres: Server, client: Holdfast, replicas: tuple[Service, Service], prometheus: Prometheus) -> AsyncIterator[int]:
    ev, gone, held = [await postgres.create_database() for _ in range(3)]
    await asyncio.gather(load_sample(ev, "ev_charging"), load_sample(held, "ev_charging"))
    for name, dsn in (("ev", ev), ("gone", gone), ("held", held)):
        await register(client, name, dsn)
    # Counters that begin while nobody looks would seem never to have moved.
    await prometheus.numbers("count(holdfast_ready == 1) == 2")
    await final(client.audit("ev"))
    counted = len(await every_relationship(client, "ev"))
    await final(client.audit("held"))
    await _schedule(replicas[1], "ev")
    await postgres.drop_database(database_name(gone))
    async for _ in client.audit("gone"):
        pass
    await _fail(client)
    async with _held_up(client, "ev", ev) as applied:
        pass
    assert (await applied).state == core.JOB_STATE_SUCCEEDED
    await final(client.roll_back((await applied).id))
    await final(client.audit("ev"))
    async with _held_up(client, "held", held) as waiting:
        await _fail(client)
        await prometheus.numbers("count(holdfast_held_back_jobs == 1) == 2")
        yield counted
        await client.cancel_job((await client.list_jobs(database="held", page_size=1)).jobs[0].id)
        await waiting
    for dsn in (ev, held):
        await postgres.drop_database(database_name(dsn))


async def _fail(client: Holdfast) -> None:
    with pytest.raises(HoldfastError):
        await client.get_job("job-none")


async def _schedule(replica: Service, database: str) -> None:
    schedule = schedules.Schedule(interval=Duration(seconds=86_400))
    async with grpc.aio.insecure_channel(replica.listen) as channel:
        await ScheduleServiceStub(channel).SetSchedule(schedules.SetScheduleRequest(database=database, schedule=schedule))


@asynccontextmanager
async def _held_up(client: Holdfast, name: str, dsn: str) -> AsyncIterator[asyncio.Task[core.Job]]:
    """Apply a plan while somebody holds a lock on every table; inside, the job waits for it and is watched. Give the watch."""
    plan = await client.plan(name)
    await client.approve_plan(plan.id)
    blocker = await asyncpg.connect(dsn)
    try:
        tables = await blocker.fetch("SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public'")
        await blocker.execute("BEGIN")
        await blocker.execute(f"LOCK TABLE {', '.join(row['name'] for row in tables)} IN SHARE ROW EXCLUSIVE MODE")
        job = (await client.start_application(plan.id)).job.id
        told = asyncio.Event()
        watch = asyncio.create_task(_watch(client, job, told))
        async with asyncio.timeout(30):
            await told.wait()
        yield watch
    finally:
        await blocker.close()


async def _watch(client: Holdfast, job: str, told: asyncio.Event) -> core.Job:
    last: core.Job | None = None
    async for item in client.watch(job):
        if isinstance(item, core.Job):
            last = item
        elif item.kind == core.EVENT_KIND_LOCK_WAIT:
            told.set()
    assert last is not None
    return last


async def test_every_panel_shows_numbers(scene: Scene) -> None:
    """No query of the dashboard is wrong, and none is empty once there is something to tell."""
    answers = [(query, await scene.prometheus.numbers(query.asked)) for query in queries()]
    empty = [query for query, samples in answers if not any(not math.isnan(value) for _, value in samples)]
    if os.environ.get(WRITE):
        _write(answers)

    assert empty == []
    assert len(answers) > 30


async def test_two_replicas_are_one(scene: Scene) -> None:
    """What comes from the shared store is counted once, what replicas count themselves is added up."""
    ask = scene.prometheus.numbers
    series = await ask('count by (instance) (holdfast_orphan_rows{database="ev"})')
    [(_, recorded)] = await ask('count(holdfast:orphan_rows:max{database="ev"})')
    [(_, rows)] = await ask('holdfast:database_orphan_rows:sum{database="held"}')
    [(_, databases)] = await ask(next(queries()).asked)
    held_back = await ask("max by (database) (holdfast_held_back_jobs) == 1")
    unreachable = await ask("max by (database) (holdfast_database_reachable) == 0")
    taken = await ask('sum by (instance) (holdfast_jobs_ended_total{kind="AUDIT", state="SUCCEEDED"})')
    ended = await ask('max(holdfast_jobs{kind="AUDIT", state="SUCCEEDED"}) == 3')

    assert [number for _, number in series] == [recorded, recorded]
    assert recorded <= scene.counted
    assert rows == 11
    assert databases == 3
    assert [labels["database"] for labels, _ in held_back] == ["held"]
    assert [labels["database"] for labels, _ in unreachable] == ["gone"]
    assert sum(number for _, number in taken) == 3
    assert [number for _, number in ended] == [3]


async def test_rules_work_on_what_is_scraped(scene: Scene) -> None:
    """Every rule is evaluated without an error, over metrics that exist; alerts come once, not once for each replica."""
    await scene.prometheus.numbers('ALERTS{alertname="HoldfastJobFailed"}')
    rules = await scene.prometheus.rules()
    unhealthy = [rule["name"] for rule in rules if rule["health"] != "ok"]
    named = {name for rule in rules for name in re.findall(r"\b(?:holdfast[_:][\w:]+|grpc_server_\w+|up)\b(?!=)", rule["query"])}
    absent = [name for name in sorted(named) if not await _exists(scene, name)]
    firing = {rule["name"]: rule["alerts"] for rule in rules if rule["type"] == "alerting" and rule["state"] == "firing"}

    assert unhealthy == []
    assert absent == []
    assert [alert["labels"]["database"] for alert in firing["HoldfastJobFailed"]] == ["gone"]
    assert len(
        {alert["labels"]["relationship"] for alert in firing["HoldfastOrphanRowsAppeared"] if alert["labels"]["database"] == "held"}
    ) == (len([alert for alert in firing["HoldfastOrphanRowsAppeared"] if alert["labels"]["database"] == "held"]))
    assert set(firing) == {"HoldfastJobFailed", "HoldfastOrphanRowsAppeared"}


async def _exists(scene: Scene, name: str) -> bool:
    # Nothing is queued for good here; the unit tests of the rules have a queue.
    return name == "holdfast_oldest_queued_job_timestamp_seconds" or bool(await scene.prometheus.numbers(f"count({name})", seconds=3))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
async def test_a_busy_replica_says_what_prometheus_expects(scene: Scene) -> None:
    """Promtool finds nothing to say about /metrics of either replica."""
    for replica in scene.replicas:
        text = await asyncio.to_thread(lambda address: urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read(), replica.http)
        checked = await asyncio.to_thread(subprocess.run, [str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, check=False)

        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


async def test_a_replica_that_stops_takes_no_number_along(scene: Scene) -> None:
    """The other one shows the same; the rules count what they counted. Runs last: it stops a replica."""
    expression = 'sum by (database) (holdfast:orphan_rows:max{database="held"})'
    before = await scene.prometheus.numbers(expression)
    await scene.replicas[1].stop()
    await scene.prometheus.numbers('count(up{job="holdfast"} == 0)')
    after = await scene.prometheus.numbers(expression)
    [(_, replicas)] = await scene.prometheus.numbers("sum(holdfast_ready)")

    assert after == before
    assert replicas == 1


def _write(answers: list[tuple[Query, list[Sample]]]) -> None:
    rows = "\n".join(
        f"| {query.panel} | `{query.expression.replace('|', chr(92) + '|')}` | {_shown(samples)} |" for query, samples in answers
    )
    block = f"| panel | query | value |\n|---|---|---|\n{rows}\n"
    begin, end = "<!-- table: make dashboard-table -->\n", "<!-- end of table -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}{block}{end}{rest.partition(end)[2]}", encoding="utf-8")


def _shown(samples: list[Sample]) -> str:
    """Return up to three samples, the largest first, by their labels."""
    known = sorted(((labels, value) for labels, value in samples if not math.isnan(value)), key=lambda sample: -sample[1])
    texts = [f"{_name(labels)}{value:.4g}" for labels, value in known[:3]]
    return "; ".join(texts) + (f"; … {len(known)} in all" if len(known) > len(texts) else "")


def _name(labels: dict[str, str]) -> str:
    values = [
        "replica" if key == "instance" else value[:60] for key, value in sorted(labels.items()) if value and key not in {"job", "__name__"}
    ]
    return f"{' '.join(values)}: ".replace("|", "\\|") if values else ""


def test_the_page_has_every_panel() -> None:
    """docs/dashboard.md shows each panel with its query and a value, and nothing else."""
    rows = re.findall(r"^\| ([^|]+) \| `(.+?)` \| (.+) \|$", Path(PAGE).read_text(encoding="utf-8"), re.MULTILINE)

    assert [(panel, expression.replace("\\|", "|")) for panel, expression, _ in rows] == [
        (query.panel, query.expression) for query in queries()
    ]
