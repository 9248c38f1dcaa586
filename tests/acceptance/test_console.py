"""The console as people meet it: Chromium, the real service, the sample databases."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from holdfast import Holdfast
from holdfastd.identity.new_token import new_token
from samples.load import load_sample
from support.console import Visit, running_browser, visiting
from support.postgres import Server
from support.service import Service, apply_default_plan, final, register, running_service

RELATIONSHIP = "public.reports(station_id)->public.stations(id)"
BEFORE = f"/databases/before/map?relationship={quote(RELATIONSHIP)}"
#: Less than one line of the map, more than edges smoothed in another way.
TOLERANCE = 0.0008
EVIL = '<img src=x onerror="window.evil=1"><script>window.evil=1</script>'


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A service with something to show."""

    service: Service
    address: str
    plan: str
    application: str
    #: Views by path, and a text of each.
    views: dict[str, str]


async def _prepare(client: Holdfast, postgres: Server, name: str, sample: str) -> None:
    dsn = await postgres.create_database()
    if sample:
        await load_sample(dsn, sample)
    await register(client, name, dsn)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    async with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
async def shown(browser: Any, postgres: Server) -> AsyncIterator[Shown]:
    """Both samples audited, one of them migrated, and one database that nobody audited yet."""
    async with running_service() as service, service.client() as client:
        await _prepare(client, postgres, "untouched", "")
        for name, sample in (("before", "ev_charging"), ("charging", "ev_charging"), ("gas", "gaztime")):
            await _prepare(client, postgres, name, sample)
            await final(client.audit(name))
        plan, job = await apply_default_plan(client, "charging")
        await final(client.audit("charging"))
        views = {
            "/": "no history",
            "/databases/before": "11 rows reference nothing",
            "/databases/charging": "Every relationship is declared",
            "/databases/untouched": "No audit has succeeded yet",
            BEFORE: "the referenced row was deleted",
            "/databases/gas/map?table=public.users": "drivers.user_id → users.id",
            "/databases/before/findings": "What to do",
            "/plans": plan.id[-6:],
            f"/plans/{plan.id}": "NOT VALID: enforcement starts",
            "/jobs": "Application",
            f"/jobs/{job.id}": "fk_reports_station",
            "/log": "plan.approve",
        }
        yield Shown(service=service, address=service.http, plan=plan.id, application=job.id, views=views)


async def test_every_view_shows_its_facts_and_complains_of_nothing(browser: Any, shown: Shown) -> None:
    """No error in the browser's console, no request to another host, nothing that axe-core finds, no page wider than a phone."""
    async with visiting(browser, shown.address) as visit:
        # The look takes half a second; the slow test below takes it at all of them.
        looked_at = ("/", "/databases/before", BEFORE, f"/plans/{shown.plan}", f"/jobs/{shown.application}")
        found = {}
        for path, text in shown.views.items():
            await visit.page.set_viewport_size({"width": 1280, "height": 860})
            await visit.open(path, shows=text)
            found[path] = await visit.unreadable() if path in looked_at else []
            await visit.page.set_viewport_size({"width": 360, "height": 740})
            assert not await visit.is_too_wide(), path

        assert {path: each for path, each in found.items() if each} == {}
        assert visit.complaints == []


@pytest.mark.slow
async def test_dark_colours_can_be_read_as_well(browser: Any, shown: Shown) -> None:
    """The same of every view in the dark, and on a phone."""
    async with visiting(browser, shown.address, dark=True, width=360) as visit:
        for path, text in shown.views.items():
            await visit.open(path, shows=text)
            assert await visit.unreadable() == [], path


async def test_the_panel_tells_all_about_a_relationship(browser: Any, shown: Shown) -> None:
    """Count, cause, age, ON DELETE and why, findings, and sample rows masked, on demand."""
    async with visiting(browser, shown.address) as visit:
        await visit.open(BEFORE, shows="the referenced row was deleted")
        panel = visit.page.locator(".panel")
        await panel.get_by_role("button", name="Show sample rows, masked").click()
        await panel.locator("td").first.wait_for()

        told = await panel.inner_text()
        cells = await panel.locator("td").all_inner_texts()
        for fact in (
            "Undeclared",
            "High risk",
            "required",
            "Distinct values",
            "Made between",
            "CASCADE",
            "Suggested ON DELETE",
            "What to do",
        ):
            assert fact in told
        assert cells
        assert all(re.fullmatch(r"[9aA\W]*|NULL", cell) for cell in cells)


async def test_the_map_can_be_walked_without_a_mouse(browser: Any, shown: Shown) -> None:
    """Skip link first; plus zooms; Tab enters the map, arrows go from table to table, Enter opens, Escape closes."""
    async with visiting(browser, shown.address) as visit:
        page = visit.page
        await visit.open("/databases/before/map", shows="station_verifications")
        await page.keyboard.press("Tab")
        first = await page.evaluate("document.activeElement.textContent")
        await page.locator(".map-frame").focus()
        scale = float(await page.locator(".map-frame").get_attribute("data-scale"))
        await page.keyboard.press("+")
        assert float(await page.locator(".map-frame").get_attribute("data-scale")) > scale
        await page.keyboard.press("0")
        await page.keyboard.press("Tab")
        start = await page.evaluate("document.activeElement.dataset.table")
        await page.keyboard.press("ArrowDown")
        reached = await page.evaluate("document.activeElement.dataset.table")
        await page.keyboard.press("Enter")
        await page.locator(".panel h2").wait_for()
        opened = await page.locator(".panel h2").inner_text()
        await page.keyboard.press("Escape")
        await page.locator(".panel").wait_for(state="detached")

        assert first == "Skip to the content"
        assert start.startswith("public.")
        assert reached not in {"", start}
        assert f"public.{opened}" == reached


@pytest.mark.parametrize("name", ["before", "gas"])
async def test_the_map_looks_as_it_did(browser: Any, shown: Shown, name: str) -> None:
    """The picture of each sample's map keeps its shapes and colours; one relationship less would be noticed."""
    async with visiting(browser, shown.address) as visit:
        await visit.open(f"/databases/{name}/map", shows="users")
        await visit.page.locator(".map-legend button").first.wait_for()

        same = await visit.compare(".map-frame", f"map_{name}")
        await visit.page.evaluate("[...document.querySelectorAll('[data-relationship]')].at(-1).remove()")
        lacking = await visit.compare(".map-frame", f"map_{name}", write=False)

        assert same < TOLERANCE < lacking


async def test_without_an_access_file_the_console_only_reads(browser: Any, shown: Shown) -> None:
    """Buttons that change something are off and say why; there is nothing to sign in to."""
    async with visiting(browser, shown.address) as visit:
        page = visit.page
        await visit.open("/databases/before", shows="11 rows reference nothing")
        button = page.get_by_role("button", name="Audit now")
        assert await button.is_disabled()
        assert "Sign in first" in (await button.get_attribute("title") or "")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("the console only reads").wait_for()


async def test_scripts_and_reports_can_be_kept(browser: Any, shown: Shown) -> None:
    """Both come as files."""
    async with visiting(browser, shown.address) as visit:
        await visit.open(f"/plans/{shown.plan}", shows="rollback.sql")
        async with visit.page.expect_download() as script:
            await visit.page.get_by_role("button", name="rollback.sql").click()
        await visit.open("/databases/before", shows="11 rows reference nothing")
        async with visit.page.expect_download() as report:
            await visit.page.get_by_role("button", name="Report", exact=True).click()

        assert "DROP CONSTRAINT" in await _text(script)
        assert "<!doctype html>" in (await _text(report)).lower()


async def _text(download: Any) -> str:
    kept = await download.value
    return Path(await kept.path()).read_text(encoding="utf-8")


async def test_hostile_names_are_only_text(browser: Any, shown: Shown, postgres: Server, database: str) -> None:
    """Names of tables and columns never become markup, on the map, in the panel, or in findings."""
    connection = await asyncpg.connect(database)
    name = EVIL[:63].replace('"', '""')
    await connection.execute(f'CREATE TABLE "{name}" (id int PRIMARY KEY); CREATE TABLE holder (id int PRIMARY KEY, "evil<b>_id" int)')
    await connection.execute(f'ALTER TABLE holder ADD FOREIGN KEY ("evil<b>_id") REFERENCES "{name}"')
    await connection.close()
    async with shown.service.client() as client:
        await register(client, "hostile", database)
        await final(client.audit("hostile"))
        async with visiting(browser, shown.address) as visit:
            for path in ("/databases/hostile/map?table=public.holder", "/databases/hostile/findings"):
                await visit.open(path, shows="evil<b>_id")
                assert not await visit.page.evaluate(
                    "Boolean(window.evil) || Boolean(document.querySelector('main b, main img[src=x], main script'))"
                )
            assert visit.complaints == []
        await client.remove_database("hostile")


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A service that knows its callers."""

    service: Service
    tokens: dict[str, str]
    dsn: str


@pytest.fixture(scope="module")
async def guarded(browser: Any, postgres: Server) -> AsyncIterator[Guarded]:
    """The sample, unaudited, behind an access file."""
    service, tokens, lines = Service(), {}, ["principals:"]
    for role in ("viewer", "operator", "admin"):
        tokens[role], digest = new_token()
        lines.append(f"  {role}: {{roles: [{role}], tokens: [{digest}]}}")
    (service.home / "access.yaml").write_text("\n".join(lines))
    service.arguments = ["--access", str(service.home / "access.yaml")]
    await service.start()
    try:
        dsn = await postgres.create_database()
        await load_sample(dsn, "ev_charging")
        async with Holdfast(service.listen, token=tokens["admin"]) as admin:
            await register(admin, "charging", dsn)
        yield Guarded(service=service, tokens=tokens, dsn=dsn)
    finally:
        await service.discard()


async def _sign_in(visit: Visit, token: str) -> None:
    await visit.open("/", shows="Sign in to see this")
    await visit.page.locator("main").get_by_role("button", name="Sign in").click()
    await visit.page.get_by_label("Token").fill(token)
    await visit.page.locator("dialog").get_by_role("button", name="Sign in").click()
    await visit.page.get_by_role("link", name="charging").wait_for()


@pytest.mark.slow
async def test_the_whole_way_with_all_rights(browser: Any, guarded: Guarded) -> None:
    """From the first audit to the rollback, each question naming what it costs."""
    async with visiting(browser, guarded.service.http) as visit:
        page = visit.page
        await _sign_in(visit, guarded.tokens["admin"])
        await page.get_by_role("link", name="charging").click()
        await page.get_by_role("button", name="Audit now").click()
        await page.get_by_text("Succeeded.").wait_for()
        await page.get_by_role("link", name="charging", exact=True).click()
        await page.get_by_role("navigation", name="Views of charging").get_by_role("link", name="Plans").click()
        await page.get_by_role("button", name="Make a plan").click()
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("button", name="Apply…").click()
        question = await page.locator("dialog[open]").inner_text()
        await page.get_by_role("button", name="Apply the plan").click()
        await page.get_by_text("Verified afterwards").wait_for()
        await page.get_by_role("button", name="Roll back…").click()
        doubt = await page.locator("dialog[open]").inner_text()
        await page.get_by_role("button", name="Roll back", exact=True).click()
        await page.get_by_role("heading", name="Rollback").wait_for()
        await page.get_by_text("Succeeded.").wait_for()

        assert "11 rows" in question
        assert "SHARE ROW EXCLUSIVE" in question
        assert "11 rows come back" in doubt
        assert "ACCESS EXCLUSIVE" in doubt


async def test_a_viewer_is_told_why_not(browser: Any, guarded: Guarded) -> None:
    """The service refuses, the console says so in its words, and the button stays off."""
    async with visiting(browser, guarded.service.http) as visit:
        await _sign_in(visit, guarded.tokens["viewer"])
        await visit.page.get_by_role("link", name="charging").click()
        button = visit.page.get_by_role("button", name="Audit now")
        await button.click()
        await visit.page.get_by_text("PERMISSION_DENIED").wait_for()

        assert await button.is_disabled()
        assert "AUDIT" in (await button.get_attribute("title") or "")


async def test_an_operator_starts_an_audit_and_the_token_leaves_with_the_tab(browser: Any, guarded: Guarded) -> None:
    """Role operator may audit; a new tab, and one that signed out, know nothing."""
    async with visiting(browser, guarded.service.http) as visit:
        await _sign_in(visit, guarded.tokens["operator"])
        await visit.page.get_by_role("link", name="charging").click()
        await visit.page.get_by_role("button", name="Audit now").click()
        await visit.page.get_by_text("Succeeded.").wait_for()
        other = await visit.page.context.new_page()
        await other.goto(f"http://{guarded.service.http}/")
        await other.get_by_text("Sign in to see this").wait_for()
        await visit.page.get_by_role("button", name="Signed in").click()
        await visit.page.get_by_role("button", name="Sign out").click()
        await visit.page.goto(f"http://{guarded.service.http}/")

        await visit.page.get_by_text("Sign in to see this").wait_for()


@pytest.mark.slow
async def test_a_job_is_followed_over_a_broken_line(browser: Any, guarded: Guarded) -> None:
    """The service dies and comes back: the page says so, goes on by itself, and shows every event once."""
    async with visiting(browser, guarded.service.http) as visit:
        page = visit.page
        await _sign_in(visit, guarded.tokens["admin"])
        await page.get_by_role("link", name="charging").click()
        blocker = await asyncpg.connect(guarded.dsn)
        await blocker.execute("BEGIN; LOCK TABLE stations IN ACCESS EXCLUSIVE MODE")
        await page.get_by_role("button", name="Audit now").click()
        await page.get_by_role("heading", name="Audit").wait_for()
        await page.get_by_text("step started").first.wait_for()
        await guarded.service.kill()
        await page.get_by_text("The connection is lost").wait_for(timeout=30_000)
        await blocker.execute("ROLLBACK")
        await blocker.close()
        await guarded.service.start()
        await page.get_by_text("Succeeded.").wait_for(timeout=60_000)

        async with Holdfast(guarded.service.listen, token=guarded.tokens["admin"]) as client:
            events = [item async for item in client.watch(page.url.rsplit("/", 1)[1]) if hasattr(item, "sequence")]
        assert await page.locator(".events li").count() == len(events)
