"""The report against what people wrote by hand about the two samples: every fact of their documents is in it, where a reader looks for it.

Where Holdfast says something else, the difference stands here with its grounds.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from markdown_it import MarkdownIt

from holdfast import Holdfast
from holdfast.v1.report_service_pb2 import REPORT_FORMAT_HTML
from samples.load import load_sample, read_expected
from support.console import TOLERANCE, Visit, difference, running_browser
from support.postgres import Server
from support.service import apply_default_plan, final, register

#: How wide "1. Summary" is in the letters of the pictures; measured by the line below.
LETTERS = 140.6
_WIDTH = """() => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector("h2"));
  return range.getBoundingClientRect().width;
}"""

#: §1: table, primary key, its type, and a word for its purpose.
TABLES = (
    ("users", "id", "character varying (UUID)", "accounts"),
    ("sessions", "sid", "character varying", "session storage"),
    ("stations", "id", "integer (serial)", "stations"),
    ("reports", "id", "integer (serial)", "reports"),
    ("ev_vehicles", "id", "integer (serial)", "reference data: catalogue"),
    ("user_vehicles", "id", "integer (serial)", "vehicles of users"),
    ("charging_sessions", "id", "integer (serial)", "records of charging sessions"),
    ("station_verifications", "id", "integer (serial)", "votes"),
    ("trust_events", "id", "integer (serial)", "log of trust changes"),
)
#: §2: what references what, and whether the column accepts NULL.
TREE = {
    "users (id": (
        *("stations.added_by_user_id (nullable", "reports.user_id (nullable", "reports.reviewed_by (nullable"),
        *("user_vehicles.user_id (required", "charging_sessions.user_id (nullable", "station_verifications.user_id (required"),
        "trust_events.user_id (required",
    ),
    "stations (id": (
        *("reports.station_id (required", "charging_sessions.station_id (required", "station_verifications.station_id (required"),
        "trust_events.station_id (nullable",
    ),
    "ev_vehicles (id": ("user_vehicles.ev_vehicle_id (required",),
    "user_vehicles (id": ("charging_sessions.user_vehicle_id (nullable",),
}
#: §3: relationship, orphan rows, risk as the document has it, risk as Holdfast has it.
#: A nullable column without orphan rows is LOW: SET NULL keeps the row, so there is little to lose; the document says MEDIUM for the
#: user of a report or a session. HIGH needs orphan rows, or an obstacle: the document fears for vehicles of deleted users, of which
#: there is none.
EXPOSED = (
    ("reports.station_id → stations.id", 8, "HIGH", "HIGH"),
    ("charging_sessions.station_id → stations.id", 3, "HIGH", "HIGH"),
    ("station_verifications.station_id → stations.id", 0, "MEDIUM", "MEDIUM"),
    ("trust_events.station_id → stations.id", 0, "LOW", "LOW"),
    ("reports.user_id → users.id", 0, "MEDIUM", "LOW"),
    ("reports.reviewed_by → users.id", 0, "MEDIUM", "LOW"),
    ("user_vehicles.user_id → users.id", 0, "HIGH", "MEDIUM"),
    ("charging_sessions.user_id → users.id", 0, "MEDIUM", "LOW"),
    ("station_verifications.user_id → users.id", 0, "MEDIUM", "MEDIUM"),
    ("trust_events.user_id → users.id", 0, "MEDIUM", "MEDIUM"),
    ("stations.added_by_user_id → users.id", 0, "LOW", "LOW"),
    ("user_vehicles.ev_vehicle_id → ev_vehicles.id", 0, "MEDIUM", "MEDIUM"),
    ("charging_sessions.user_vehicle_id → user_vehicles.id", 0, "LOW", "LOW"),
)
#: §4: key, ON DELETE, and what the reason must speak of.
REASONS = (
    ("reports.station_id → stations.id", "CASCADE", "belongs to one station"),
    ("reports.user_id → users.id", "SET NULL", "survives"),
    ("reports.reviewed_by → users.id", "SET NULL", "stay valuable"),
    ("user_vehicles.user_id → users.id", "CASCADE", "parts of their user"),
    ("user_vehicles.ev_vehicle_id → ev_vehicles.id", "RESTRICT", "reference data"),
    ("charging_sessions.station_id → stations.id", "CASCADE", "belongs to one station"),
    ("charging_sessions.user_id → users.id", "SET NULL", "stays true without the user"),
    ("charging_sessions.user_vehicle_id → user_vehicles.id", "SET NULL", "stays true without the user vehicle"),
    ("station_verifications.station_id → stations.id", "CASCADE", "mean nothing without it"),
    ("station_verifications.user_id → users.id", "CASCADE", "belongs to one user"),
    ("trust_events.user_id → users.id", "CASCADE", "belongs to one user"),
    ("trust_events.station_id → stations.id", "SET NULL", "stays true without the station"),
    ("stations.added_by_user_id → users.id", "SET NULL", "stay valuable"),
)
#: §7: table, number of keys, columns, impact.
AFFECTED = (
    ("reports", 3, ("station_id", "user_id", "reviewed_by"), ("deleted along with its row of stations", "set NULL when the row of users")),
    ("user_vehicles", 2, ("user_id", "ev_vehicle_id"), ("deleted along with its row of users", "protects the row of ev_vehicles")),
    (
        "charging_sessions",
        3,
        ("station_id", "user_id", "user_vehicle_id"),
        ("deleted along with its row of stations", "set NULL when the row of users or user_vehicles"),
    ),
    ("station_verifications", 2, ("station_id", "user_id"), ("deleted along with its row of stations or users",)),
    ("trust_events", 2, ("user_id", "station_id"), ("deleted along with its row of users", "set NULL when the row of stations")),
    ("stations", 1, ("added_by_user_id",), ("set NULL when the row of users",)),
)
#: §8: risks and what is done about them.
RISKS = (
    *(
        "Data loss during cleanup",
        "deletes 8 rows of reports.station_id",
        "deletes 3 rows of charging_sessions.station_id",
        "holdfast.backup",
    ),
    *("Deletions cascade", "eleting a row of stations now deletes its rows of charging_sessions, reports and station_verifications"),
    *("stations.is_hidden", "Deletions are refused", "row of ev_vehicles cannot be deleted while rows of user_vehicles reference it"),
    *("protects what is still in use", "Others write during the migration", "Every step asks whether it is done"),
)
#: §10, in this order; the document cleans up first and adds the keys then, between which new orphan rows can appear.
ORDER = ("Index the referencing columns", "Add the keys NOT VALID", "Back up and clean up", "Validate the keys", "Count again")
#: §11: what applications will notice.
NOTICED = (
    "| `stations` | charging_sessions",
    "| `ev_vehicles` | – | – | user_vehicles.ev_vehicle_id |",
    "| `user_vehicles` | – | charging_sessions.user_vehicle_id | – |",
    "Setting stations.is_hidden hides a row instead of deleting it",
    "23503",
)
#: The gas document: key, ON DELETE, a word of its reason.
GAS_KEYS = (
    ("orders.customer_id → customers.id", "SET NULL", "stays true without the customer"),
    ("orders.driver_id → drivers.id", "SET NULL", "stays true without the driver"),
    ("orders.pod_id → pods.id", "SET NULL", "stays true without the pod"),
    ("customers.referred_by → customers.id", "SET NULL", "can stand without the one that referred_by names"),
    ("drivers.user_id → users.id", "CASCADE", "belongs to one user"),
    ("drivers.vehicle_id → vehicles.id", "SET NULL", "may exist without a vehicle"),
    ("wallets.customer_id → customers.id", "CASCADE", "belongs to one customer"),
    ("wallet_transactions.wallet_id → wallets.id", "CASCADE", "parts of their wallet"),
    ("subscriptions.customer_id → customers.id", "CASCADE", "belongs to one customer"),
    ("subscriptions.product_id → products.id", "RESTRICT", "deleting one in use should fail"),
    ("pods.operator_id → users.id", "SET NULL", "stay valuable"),
)
#: Index, column. Two more of the document serve queries, not keys, and nothing in the database tells of those: none is claimed.
GAS_INDEXES = (
    ("drivers_user_idx", "drivers.user_id"),
    ("customers_referred_by_idx", "customers.referred_by"),
    ("pods_operator_idx", "pods.operator_id"),
    ("subscriptions_product_idx", "subscriptions.product_id"),
    ("orders_pod_idx", "orders.pod_id"),
)
GAS_NOT_CLAIMED = ("subscriptions_next_delivery_idx", "wallet_transactions_type_idx")


@dataclass(frozen=True, kw_only=True)
class Reports:
    """One sample, reported on after audit and plan, and again after the application."""

    dsn: str
    planned: str
    planned_page: str
    applied: str = ""
    applied_page: str = ""
    plan_id: str = ""


Reported = Callable[[str], Awaitable[Reports]]


@pytest.fixture(scope="module")
async def reported(service, postgres: Server) -> AsyncIterator[Reported]:
    """Reports of a sample, made when first asked for."""
    made: dict[str, Reports] = {}
    async with service.client() as client:

        async def of(sample: str) -> Reports:
            if sample not in made:
                made[sample] = await _reported(client, await postgres.create_database(), sample)
            return made[sample]

        yield of
        for sample in made:
            await client.remove_database(_name(sample))


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    """One browser for all pictures of pages; each test has a window of its own."""
    async with running_browser() as running:
        yield running


def _name(sample: str) -> str:
    return f"{sample.replace('_', '-')}-facts"


async def _reported(client: Holdfast, dsn: str, sample: str) -> Reports:
    name = _name(sample)
    await load_sample(dsn, sample)
    await register(client, name, dsn)
    await final(client.audit(name))
    proposed = await client.plan(name)
    planned, planned_page = await client.render_report(name), await client.render_report(name, format_=REPORT_FORMAT_HTML)
    if sample == "gaztime":
        return Reports(dsn=dsn, planned=planned, planned_page=planned_page, plan_id=proposed.id)
    plan, _ = await apply_default_plan(client, name)
    applied, page = await client.render_report(name), await client.render_report(name, format_=REPORT_FORMAT_HTML)
    return Reports(dsn=dsn, planned=planned, planned_page=planned_page, applied=applied, applied_page=page, plan_id=plan.id)


def chapter(text: str, title: str) -> str:
    """The text of one chapter."""
    start = text.index(f". {title}\n")
    end = text.find("\n## ", start)
    return text[start : None if end < 0 else end]


def section(text: str, title: str) -> str:
    """The text under one heading of the third level."""
    found = re.search(rf"\n### (?:\d+\. )?{re.escape(title)}\n(.*?)(?=\n###? |\Z)", text, re.DOTALL)
    assert found, title
    return found[1]


def statements(text: str) -> list[str]:
    """The SQL of a section."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == "sql"]


async def test_results_stand_on_top(reported: Reported) -> None:
    """The document's first table: detected, backed up, deleted, added, verified."""
    top = chapter((await reported("ev_charging")).applied, "Summary")

    assert "| Status | **APPLIED**." in top
    assert "| Detected orphan rows | 11: 3 of charging_sessions.station_id, 8 of reports.station_id |" in top
    assert "| Backed up | 11 rows, in `holdfast.backup`" in top
    assert "| Cleaned up | 11 rows deleted |" in top
    assert "| Added constraints | 13 of 13, 13 of them validated |" in top
    assert "| Verified | all orphan counts are 0 |" in top
    assert "| reports.station_id → stations.id | 8 | 0 | 8 |" in top
    assert "| charging_sessions.station_id → stations.id | 3 | 0 | 3 |" in top


async def test_schema_analysis(reported: Reported) -> None:
    """§1: nine tables, their keys, types and purposes."""
    found = chapter((await reported("ev_charging")).planned, "Tables")

    for table, key, type_, purpose in TABLES:
        row = next(line for line in found.splitlines() if line.startswith(f"| `{table}` |"))
        assert f"| `{key}` | {type_} |" in row, table
        assert purpose in row, table


async def test_relationship_map(reported: Reported) -> None:
    """§2: the tree, and in the page the drawing, too."""
    reports = await reported("ev_charging")
    blocks = chapter(reports.planned, "Relationship map").split("\n\n")

    for referenced, lines in TREE.items():
        block = next(block for block in blocks if referenced in block.splitlines()[0] or f"\n{referenced}" in block)
        for line in lines:
            assert line in block, line
    assert reports.planned_page.count('class="holdfast-map"') == 1


async def test_orphan_rows_and_risks(reported: Reported) -> None:
    """§3 and §5: what a deletion leaves behind, how many orphan rows there are now, and how risky that is."""
    reports = await reported("ev_charging")
    found = chapter(reports.planned, "Tables that can produce orphan rows")

    for relationship, orphans, _, risk in EXPOSED:
        row = next(line for line in found.splitlines() if line.startswith(f"| {relationship} |"))
        count = f"**{orphans}**" if orphans else str(orphans)
        table = relationship.partition(".")[0]
        assert f"| Leaves its rows of {table} as orphan rows | {count} | **{risk}** |" in row, relationship
    assert "**11 rows reference nothing**, in 2 relationships of 2 tables." in chapter(reports.planned, "Summary")
    assert len([row for row in EXPOSED if row[2] != row[3]]) == 4


async def test_constraints_and_reasons(reported: Reported) -> None:
    """§4: thirteen keys, each with ON DELETE, reason, and what else could be chosen."""
    found = chapter((await reported("ev_charging")).planned, "Proposed constraints")

    for relationship, on_delete, reason in REASONS:
        told = section(found, relationship)
        assert f"ON DELETE **{on_delete}**, constraint `fk_" in told, relationship
        assert reason in told, relationship
        assert "- Instead: Choose " in told, relationship
        assert f"ON DELETE {on_delete} NOT VALID`" in told, relationship


async def test_detection_finds_the_keys(reported: Reported, postgres: Server) -> None:
    """§6, script A: it only reads, names the eleven rows, and counts all relationships."""
    (script,) = statements(section(chapter((await reported("ev_charging")).planned, "Scripts"), "Detect orphan rows"))
    dsn = await postgres.create_database()
    await load_sample(dsn, "ev_charging")
    connection = await asyncpg.connect(dsn)
    try:
        wanted = {
            table: {
                row["id"] for row in await connection.fetch(f"SELECT id FROM {table} WHERE station_id NOT IN (SELECT id FROM stations)")
            }
            for table in ("reports", "charging_sessions")
        }
        settings, reports, sessions, summary = (part for part in script.split("\n\n") if part)
        await connection.execute(settings)
        found = {
            "reports": {row["id"] for row in await connection.fetch(reports)},
            "charging_sessions": {row["id"] for row in await connection.fetch(sessions)},
        }
        counts = {row["relationship"]: row["orphan_rows"] for row in await connection.fetch(summary)}
    finally:
        await connection.close()

    assert {table: len(keys) for table, keys in found.items()} == {"reports": 8, "charging_sessions": 3}
    assert found == wanted
    assert counts == {relationship: orphans for relationship, orphans, _, _ in EXPOSED}


async def test_scripts_are_those_of_the_service(reported: Reported, client: Holdfast) -> None:
    """§6, scripts B to D, and §9: forward, verify, rollback and restore, to the letter."""
    reports = await reported("ev_charging")
    full = chapter(reports.applied, "Scripts in full")
    schema = section(chapter(reports.applied, "Scripts"), "What changes in the schema")

    for title, kind in (("Forward: clean up and add the keys", 1), ("Verify", 2), ("Rollback", 3), ("Restore", 4)):
        assert statements(section(full, title)) == [(await client.render_plan(reports.plan_id, kind)).script]
    for relationship, on_delete, _ in REASONS:
        table, column, referenced = re.findall(r"^(\w+)\.(\w+) → (\w+)\.id$", relationship)[0]
        key = rf'"{table}" ADD CONSTRAINT "fk_\w+" FOREIGN KEY \("{column}"\) REFERENCES "public"."{referenced}" \("id"\) ON DELETE {on_delete}'
        assert re.search(key, schema), relationship
    assert section(full, "Rollback").count("DROP CONSTRAINT IF EXISTS") >= 13


async def test_affected_tables_and_risks(reported: Reported) -> None:
    """§7 and §8: keys and impact per table, thirteen in all; the risks with their mitigations."""
    reports = await reported("ev_charging")
    affected, risks = chapter(reports.planned, "Tables affected"), chapter(reports.planned, "Risks and mitigations")

    for table, keys, columns, impacts in AFFECTED:
        row = next(line for line in affected.splitlines() if line.startswith(f"| `{table}` | {keys} |"))
        assert [words for words in (*columns, *impacts) if words not in row] == []
    assert "**Total**: 13 foreign keys on 6 tables." in affected
    assert [words for words in RISKS if words not in risks] == []


async def test_rollback_order_and_applications(reported: Reported) -> None:
    """§9 to §11: how to undo it, in which order it is done and under which locks, and what applications will notice."""
    reports = await reported("ev_charging")
    order, undo = chapter(reports.planned, "Execution order"), chapter(reports.applied, "Rollback")
    noticed = chapter(reports.planned, "What applications will notice")
    deploy = chapter(reports.planned, "Deployment")

    assert [order.index(words) for words in ORDER] == sorted(order.index(words) for words in ORDER)
    assert "SHARE ROW EXCLUSIVE" in order
    assert "drops 13 keys, drops 13 indexes and puts back every row and value" in undo
    assert "`holdfast rollback job-" in undo
    assert "`holdfast restore job-" in undo
    assert [words for words in NOTICED if words not in noticed] == []
    for command in (
        "pg_dump -h ",
        "holdfast plans check plan-",
        "holdfast plans approve plan-",
        "holdfast apply plan-",
        "--kind verify | psql ",
    ):
        assert command in deploy, command


async def test_what_to_test_holds(reported: Reported) -> None:
    """Each statement to be tried does what is written above it, and changes nothing."""
    reports = await reported("ev_charging")
    blocks = "\n".join(statements(chapter(reports.applied, "What to test afterwards"))).split("BEGIN;\n")[1:]
    connection = await asyncpg.connect(reports.dsn)
    tried = {"fail": 0, "do": 0}
    try:
        for block in blocks:
            body = block.partition("ROLLBACK;")[0]
            transaction = connection.transaction()
            await transaction.start()
            try:
                if body.startswith("-- must fail"):
                    with pytest.raises((asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)):
                        await connection.execute(body)
                    tried["fail"] += 1
                else:
                    change, _, count = body.partition("-- must count 0:")
                    assert await connection.execute(change) == "DELETE 1"
                    assert (await connection.fetchrow(count))["orphan_rows"] == 0
                    tried["do"] += 1
            finally:
                await transaction.rollback()
    finally:
        await connection.close()

    assert tried == {"fail": 14, "do": 12}


async def test_gas_document(reported: Reported) -> None:
    """Every key with its action and reason, every index that a key needs, and none that only a workload could tell of."""
    reports = await reported("gaztime")
    constraints, indexes = chapter(reports.planned, "Proposed constraints"), chapter(reports.planned, "Missing indexes")
    expected = read_expected("gaztime")

    for relationship, on_delete, reason in GAS_KEYS:
        told = section(constraints, relationship)
        assert f"ON DELETE **{on_delete}**" in told, relationship
        assert reason in told, relationship
    for name, column in GAS_INDEXES:
        row = next(line for line in indexes.splitlines() if line.startswith(f"| `{column}` | `{name}` |"))
        assert "has to find the rows of" in row
    assert indexes.count("\n| `") == len(GAS_INDEXES) == len(expected.unindexed)
    assert len(GAS_NOT_CLAIMED) == len(expected.workload_unindexed)
    assert [name for name in GAS_NOT_CLAIMED if name in reports.planned] == []
    assert "No orphan row was counted" in chapter(reports.planned, "Summary")


def _steady(page: str, dsn: str) -> str:
    """The page without what differs from run to run: ids, times, sizes on disk, and where the database is."""
    host, _, database = dsn.rpartition("@")[2].partition("/")
    steady = page.replace(database, "sample").replace(host.rpartition(":")[2], "5432")
    steady = re.sub(r"(audit|plan|job)-[0-9a-f]{20}", lambda found: f"{found[1]}-{'0' * 20}", steady)
    steady = re.sub(r"\b20[23]\d-\d\d-\d\d \d\d:\d\d\b", "2026-01-01 00:00", steady)
    return re.sub(r"\b\d+\.\d s\b", "1.0 s", re.sub(r"\b\d+ kB\b", "16 kB", steady))


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["ev_charging", "gaztime"])
async def test_the_page_looks_as_it_did(reported: Reported, browser: Any, sample: str) -> None:
    """The whole page against a picture of it; skipped where letters have other shapes. HOLDFAST_WRITE_BASELINES=1 makes it anew."""
    reports = await reported(sample)
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=0.5, color_scheme="light")
    page, blank = await context.new_page(), await context.new_page()
    await page.set_content(_steady(reports.applied_page or reports.planned_page, reports.dsn))
    # The map has pictures of its own.
    await page.add_style_tag(content="figure { visibility: hidden; height: 20rem }")
    letters = await page.evaluate(_WIDTH)
    if abs(letters - LETTERS) > 1:
        pytest.skip(f"the letters of this machine are others: {letters} pixels instead of {LETTERS}")
    different = await difference(blank, await page.screenshot(full_page=True), f"report_{sample}")

    assert different <= TOLERANCE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_page_can_be_read_by_everybody(reported: Reported, browser: Any, *, dark: bool) -> None:
    """Contrast, names and structure as WCAG 2.1 AA has them, in the light and in the dark; nothing is asked of anybody."""
    page_text = (await reported("ev_charging")).applied_page
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark" if dark else "light")
    visit = Visit(await context.new_page(), "")
    await visit.page.set_content(page_text)
    await visit.page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
    problems = await visit.unreadable()

    assert problems == []
    assert (visit.complaints, visit.strangers) == ([], [])


async def test_the_page_fits_a_phone(reported: Reported, browser: Any) -> None:
    """At 360 pixels nothing but what scrolls in itself is wider than the screen."""
    reports = [(await reported(sample)).planned_page for sample in ("ev_charging", "gaztime")]
    context = await browser.new_context(viewport={"width": 360, "height": 740})
    visit = Visit(await context.new_page(), "")
    too_wide = []
    for page_text in reports:
        await visit.page.set_content(page_text)
        await visit.page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        too_wide.append(await visit.is_too_wide())

    assert too_wide == [False, False]
