"""A real Prometheus on loopback with the rules of deploy/prometheus, scraping once a second, its data thrown away."""

import asyncio
import json
import math
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from support.service import free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
Sample = tuple[dict[str, str], float]


class Prometheus:
    """One running server."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def query(self, expression: str) -> list[Sample]:
        """Return labels and number of every sample; an error of the query raises."""
        data = await self._get("query", query=expression)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    async def numbers(self, expression: str, *, seconds: float = 15.0) -> list[Sample]:
        """Ask until the answer holds a number; return what came last."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            samples = await self.query(expression)
            if any(not math.isnan(value) for _, value in samples) or asyncio.get_running_loop().time() > end:
                return samples
            await asyncio.sleep(0.3)

    async def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health and, for alerts, what is active."""
        return [rule for group in (await self._get("rules"))["groups"] for rule in group["rules"]]

    async def is_ready(self) -> bool:
        """Tell whether it answers."""
        try:
            await self._get("query", query="1")
        except OSError:
            return False
        return True

    async def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        return json.loads(await asyncio.to_thread(_read, url))["data"]


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (loopback)
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


@asynccontextmanager
async def running_prometheus(targets: Sequence[str]) -> AsyncIterator[Prometheus]:
    """Run one that scrapes these addresses under the names and rules of deploy/prometheus."""
    home = Path(tempfile.mkdtemp(prefix="holdfast-prometheus-"))
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus/rules.yaml")]
    [scrape] = config["scrape_configs"]
    scrape["static_configs"] = [{"targets": list(targets)}]
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    flags = (f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address={address}")
    with (home / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec("prometheus", *flags, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(address)
        for _ in range(300):
            if await prometheus.is_ready():
                break
            assert process.returncode is None, (home / "log").read_text()
            await asyncio.sleep(0.1)
        yield prometheus
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(home, ignore_errors=True)
