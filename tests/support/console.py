"""The console in a real browser: a page that notices what it should never do, and pictures compared by their shapes."""

import base64
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

_CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), "")
_ROOT = Path(__file__).resolve().parents[2]
_AXE = _ROOT / "clients" / "console" / "node_modules" / "axe-core" / "axe.min.js"
_BASELINES = _ROOT / "tests" / "acceptance" / "baselines"

#: Of the cells of a picture, text left out, so many may look different: edges are smoothed in many ways.
_TOLERANCE = 0.002

_SHAPES = """async ([before, after, words]) => {
  const CELL = 4;
  const read = async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width / CELL, height: image.height / CELL });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const [left, right] = [await read(before), await read(after)];
  if (left.width !== right.width || left.height !== right.height) return 1;
  let looked = 0, different = 0;
  for (let y = 0; y < left.height; y += 1) for (let x = 0; x < left.width; x += 1) {
    const [px, py] = [x * CELL, y * CELL];
    if (words.some((word) => px + CELL > word.x && px < word.x + word.width && py + CELL > word.y && py < word.y + word.height)) continue;
    looked += 1;
    const place = 4 * (y * left.width + x);
    if ([0, 1, 2].some((part) => Math.abs(left.data[place + part] - right.data[place + part]) > 24)) different += 1;
  }
  return different / looked;
}"""

_WORDS = """(frame) => {
  const outer = frame.getBoundingClientRect();
  return [...frame.querySelectorAll("text, button")].map((word) => {
    const box = word.getBoundingClientRect();
    return { x: box.x - outer.x - 8, y: box.y - outer.y - 3, width: box.width + 16, height: box.height + 6 };
  });
}"""


@asynccontextmanager
async def running_browser() -> AsyncIterator[Any]:
    """Chromium; the test is skipped where it, or what drives it, is not installed."""
    driver = pytest.importorskip("playwright.async_api", reason="playwright is not installed: make install, where chromium is")
    if not _CHROMIUM:
        pytest.skip("chromium is not installed")
    async with driver.async_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=sandbox)
        try:
            yield browser
        finally:
            await browser.close()


class Visit:
    """One tab on the console."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self._address = address
        #: What the browser complained about.
        self.complaints: list[str] = []
        #: Requests to anybody else.
        self.strangers: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._noticed)

    def _noticed(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.netloc != self._address:
            self.strangers.append(request.url)

    async def open(self, path: str, *, shows: str) -> None:
        """Go to a view and wait until it shows a text."""
        await self.page.goto(f"http://{self._address}{path}")
        await self.page.get_by_text(shows).filter(visible=True).first.wait_for(timeout=10_000)

    async def unreadable(self) -> list[str]:
        """What an automatic look finds against WCAG 2.1 A and AA; skipped without the tool."""
        if not _AXE.exists():
            pytest.skip("axe-core is not installed: make console")
        await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        options: dict[str, Any] = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
        # Cards of the map are named by a sentence that says what their signs show; it need not repeat them letter by letter.
        options["rules"] = {"label-content-name-mismatch": {"enabled": False}}
        found = await self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}" for each in found["violations"] for node in each["nodes"]
        ]

    async def is_too_wide(self) -> bool:
        """Tell whether the page scrolls sideways."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    async def compare(self, selector: str, baseline: str, *, write: bool = True) -> float:
        """Return which share of a picture's cells differs from the baseline, words aside; HOLDFAST_WRITE_BASELINES=1 makes it anew."""
        frame = self.page.locator(selector)
        picture = await frame.screenshot(animations="disabled")
        return await difference(self.page, picture, baseline, await frame.evaluate(_WORDS), write=write)


async def difference(page: Any, picture: bytes, baseline: str, words: Sequence[dict[str, float]] = (), *, write: bool = True) -> float:
    """Return which share of a picture's cells differs from the baseline, the boxes of words aside; the page does the comparing."""
    file = _BASELINES / f"{baseline}.png"
    if write and os.environ.get("HOLDFAST_WRITE_BASELINES") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(picture)
    pictures = [base64.b64encode(each).decode() for each in (file.read_bytes(), picture)]
    return float(await page.evaluate(_SHAPES, [*pictures, [*words]]))


TOLERANCE = _TOLERANCE


@asynccontextmanager
async def visiting(browser: Any, address: str, *, dark: bool = False, width: int = 1280) -> AsyncIterator[Visit]:
    """A new visitor; afterwards, nothing may have been asked of anybody else."""
    options: dict[str, Any] = {"color_scheme": "dark" if dark else "light", "viewport": {"width": width, "height": 860}}
    context = await browser.new_context(**options, reduced_motion="reduce", accept_downloads=True)
    visit = Visit(await context.new_page(), address)
    try:
        yield visit
        assert visit.strangers == []
    finally:
        await context.close()
