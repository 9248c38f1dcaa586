"""How the console copes with the map of 500 tables and 1,500 relationships, in Chromium; prints a table, and --write puts it into docs/performance.md.

python tests/benchmarks/console_map.py [--tables 500] [--write]
"""

import argparse
import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "service"), str(ROOT / "clients/python"), str(ROOT / "tests")]
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import asyncpg  # noqa: E402

from support.console import Visit, running_browser, visiting  # noqa: E402
from support.postgres import Server  # noqa: E402
from support.service import final, register, running_service  # noqa: E402

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- console: begin -->", "<!-- console: end -->"

#: Collects the time between frames, as the browser draws them.
_RECORD = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = (now) => { window.frames_.push(now - last); last = now; window.running_ && requestAnimationFrame(tick); };
  window.running_ = true;
  requestAnimationFrame(tick);
}"""
_STOP = "() => { window.running_ = false; return window.frames_.slice(2); }"
_DRAWN = """() => new Promise((done) => {
  const look = () => document.querySelector('.map-stage [data-table]')
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))) : requestAnimationFrame(look);
  look();
})"""
_PANEL = """async (key) => {
  const target = key === 'table' ? document.querySelector('[data-table]') : document.querySelector('[data-relationship]');
  const started = performance.now();
  target.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  while (!document.querySelector('.panel h2')) await new Promise(requestAnimationFrame);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - started;
}"""


async def main() -> None:
    """Load, audit, look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sql = subprocess.run(
        [sys.executable, str(ROOT / "tests/benchmarks/relationship_map.py"), "--sql", str(options.tables)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    server = await Server(18).start()
    try:
        dsn = await server.create_database()
        await _load(dsn, sql)
        async with running_service() as service, service.client() as client:
            await register(client, "large", dsn)
            await final(client.audit("large"))
            async with running_browser() as browser, visiting(browser, service.http) as visit:
                table = _table(options.tables, await _measure(visit, service.http))
    finally:
        await server.stop()
    print(table)
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(re.sub(f"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", text), encoding="utf-8")


async def _load(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    for statement in sql.splitlines():
        # A made name may serve two relationships, one of which has orphan rows: then it stays undeclared.
        with contextlib.suppress(asyncpg.ForeignKeyViolationError):
            await connection.execute(statement)
    await connection.close()


async def _measure(visit: Visit, address: str) -> dict[str, Any]:
    page = visit.page
    await page.goto(f"http://{address}/databases/large/map")
    first = await page.evaluate(_DRAWN)
    await page.wait_for_load_state("networkidle")
    box = await page.locator(".map-frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    found: dict[str, Any] = {"first draw": first}
    found["elements"] = await page.evaluate("document.querySelectorAll('.map-stage *').length")
    found["relationships"] = await page.evaluate("document.querySelectorAll('.map-stage [data-relationship]').length")
    await page.mouse.move(x, y)
    found["drag, all in sight"] = await _drag(page, x, y)
    await page.evaluate(_RECORD)
    for _ in range(20):
        await page.mouse.wheel(0, -120)
        await page.wait_for_timeout(16)
    found["zoom in by wheel"] = await page.evaluate(_STOP)
    found["drag, near"] = await _drag(page, x, y)
    found["click on a table to its panel"] = await page.evaluate(_PANEL, "table")
    await page.keyboard.press("Escape")
    await page.locator(".panel").wait_for(state="detached")
    found["click on a relationship to its panel"] = await page.evaluate(_PANEL, "relationship")
    return found


async def _drag(page: Any, x: float, y: float) -> list[float]:
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.evaluate(_RECORD)
    for step in range(40):
        await page.mouse.move(x + (step % 20) * 8, y + (step % 10) * 6)
        await page.wait_for_timeout(8)
    frames: list[float] = await page.evaluate(_STOP)
    await page.mouse.up()
    # What ends a drag is not taken for a click for a moment.
    await page.wait_for_timeout(300)
    return frames


def _table(tables: int, found: dict[str, Any]) -> str:
    lines = [
        f"{tables:,} tables, {found['relationships']:,} relationships, {found['elements']:,} SVG elements; {os.cpu_count()} cores, no GPU.",
        "",
        "| what | ms, median | 95 % | worst |",
        "|---|---:|---:|---:|",
        f"| address to first draw, answer of the service included | {found['first draw']:.0f} | | |",
    ]
    for name in ("drag, all in sight", "zoom in by wheel", "drag, near"):
        frames = sorted(found[name])
        lines.append(f"| frame: {name} | {statistics.median(frames):.0f} | {frames[int(len(frames) * 0.95)]:.0f} | {frames[-1]:.0f} |")
    lines += [f"| {name} | {found[name]:.0f} | | |" for name in ("click on a table to its panel", "click on a relationship to its panel")]
    return "\n".join(lines)


if __name__ == "__main__":
    asyncio.run(main())
