"""What a person sees, on a terminal of 80×24: the recording in docs/terminal.md is what a terminal shows today.

`make recording` writes it again.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from holdfast.v1 import core_pb2 as core
from samples.load import load_sample
from support.service import Service, register
from support.tmux import Tmux

PAGE = Path(__file__).parents[2] / "docs" / "terminal.md"
DATABASE = "charging"
#: Who holds the lock that the application waits for.
APPLICATION = "nightly-report"

_HEAD = """\
# On a terminal

Audit, plan, approve, apply, roll back, on a terminal of 80×24 with the sample database of charging stations.
Recorded by `make recording`; ids, times and ages are made alike.
"""
_SECTIONS = {
    "audit": ("Audit", "What is there, and what matters."),
    "relationship": ("One relationship", "Why Holdfast believes in it, and why rows reference nothing."),
    "plan": ("Plan", "What would be done, under which locks, at which risk. Nothing is changed yet."),
    "check": ("Check", "Whether it could be applied now."),
    "approve": ("Approve", ""),
    "waiting": (
        "Apply",
        "While it lasts: how far it is and, here, who is in its way. Nobody queues behind a lock for longer than an instant.",
    ),
    "detached": ("Let go", "Ctrl-C stops watching, not the job."),
    "applied": ("Come back", "The report that was in the way has ended."),
    "rollback": ("Roll back", "Exactly, and as slowly as writers need."),
}
#: What differs from run to run -> what is written instead, as long as that.
_ALIKE = (
    (re.compile(r"\b(plan|job|audit)-[0-9a-f]{20}"), r"\1-0650a1b2c3d4e5f60718"),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?! to)(?= by|$| *$)", re.MULTILINE), "2026-01-31 12:00:00"),
    (re.compile(r"(?<=at )20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"), "2026-01-31 12:00:00"),
    (re.compile(r"^(fingerprint +)[0-9a-f]{16}", re.MULTILINE), r"\g<1>0123456789abcdef"),
    (re.compile(r"^(took +)[\d.]+ s", re.MULTILINE), r"\g<1>0.5 s"),
    (re.compile(r"\(pid \d+, for \d+ s\)"), "(pid 4711, for 3 s)"),
    (re.compile(r"steps, \d+ s"), "steps, 2 s"),
    # How often it was told, and after how long, is a matter of luck.
    (re.compile(r"^Attempt \d+ of \d+: (?s:.{0,160}?)next try in [\d.]+ s\.\n", re.MULTILINE), ""),
    (re.compile(r"^Waiting for a lock since (?s:.{0,160}?)\)\.\n", re.MULTILINE), ""),
)


def alike(text: str) -> str:
    """Return what a recording keeps: no blank lines at the end, nothing that is chance."""
    for pattern, instead in _ALIKE:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.rstrip().removesuffix("$").rstrip().splitlines())


@pytest.fixture
async def screen(service: Service, database: str) -> AsyncIterator[Tmux]:
    """A terminal, and the sample database registered with a service."""
    await load_sample(database, "ev_charging")
    async with service.client() as client:
        await register(client, DATABASE, database)
    commands = Path(sys.executable).parent
    environment = {"HOLDFAST_SERVER": service.listen, "PATH": f"{commands}:{os.environ['PATH']}"}
    with Tmux(environment) as tmux:
        tmux.type('holdfast() { command holdfast --principal ada@laptop "$@"; }')
        yield tmux
    async with service.client() as client:
        await client.remove_database(DATABASE)


@asynccontextmanager
async def held(dsn: str, table: str) -> AsyncIterator[None]:
    """Hold a table as one does who writes to it in a long transaction."""
    connection = await asyncpg.connect(dsn, server_settings={"application_name": APPLICATION})
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def record(screen: Tmux, service: Service, dsn: str) -> dict[str, str]:
    """Do the main job, and return what was on the screen."""
    run = asyncio.to_thread
    seen = {
        "audit": await run(screen.run, f"holdfast audit {DATABASE}"),
        "relationship": await run(screen.run, f"holdfast relationships {DATABASE} reports.station_id"),
        "plan": await run(screen.run, f"holdfast plan {DATABASE}"),
    }
    async with service.client() as client:
        plan = (await client.list_plans(database=DATABASE)).plans[0].id
        seen["check"] = await run(screen.run, f"holdfast plans check {plan}")
        seen["approve"] = await run(screen.run, f"holdfast plans approve {plan}")
        async with held(dsn, "ev_vehicles"):
            await run(screen.clear)
            await run(screen.type, f"holdfast apply {plan}")
            await run(screen.wait_for, f"Waits for {APPLICATION}")
            seen["waiting"] = await run(screen.wait_for, "of 53 steps")
            await run(screen.press, "C-c")
            await run(screen.wait_until_idle, f"holdfast apply {plan}")
            await run(screen.type, "echo $?")
            seen["detached"] = await run(screen.wait_for, "\n130\n")
            job = (await client.list_jobs(database=DATABASE, kind=core.JOB_KIND_APPLICATION)).jobs[0].id
            await run(screen.clear)
            await run(screen.type, f"holdfast watch {job}")
            await run(screen.wait_for, f"Waits for {APPLICATION}")
        await run(screen.wait_until_idle, f"holdfast watch {job}")
        seen["applied"] = screen.history()
    seen["rollback"] = await run(screen.run, f"holdfast rollback {job}")
    return {name: alike(text) for name, text in seen.items()}


def written(seen: dict[str, str]) -> str:
    """Return the page."""
    parts = [_HEAD]
    for name, (title, words) in _SECTIONS.items():
        parts.append(f"\n## {title}\n\n{f'{words}{chr(10)}{chr(10)}' if words else ''}```text\n{seen[name]}\n```\n")
    return "".join(parts)


def chapters(page: str) -> Iterator[tuple[str, str]]:
    yield from zip(_SECTIONS, re.findall(r"^```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL), strict=True)


async def test_the_recording_is_what_a_terminal_shows(screen: Tmux, service: Service, database: str):
    """From the audit to the rollback, every line; while it waits, Ctrl-C detaches and `watch` comes back."""
    seen = await record(screen, service, database)
    if os.environ.get("HOLDFAST_WRITE_DOCS"):
        PAGE.write_text(written(seen), encoding="utf-8")

    for name, block in chapters(PAGE.read_text(encoding="utf-8")):
        assert seen[name].splitlines() == block.splitlines(), f"{name}: read it, then run `make recording`"
    assert max(len(line) for text in seen.values() for line in text.splitlines()) <= 80


async def test_no_color_is_the_same_without_colours(screen: Tmux):
    """NO_COLOR takes the colours and nothing else; without it there are some."""
    command = f"holdfast databases show {DATABASE}"
    in_colours = (await asyncio.to_thread(screen.run, command), screen.screen(colours=True))
    await asyncio.to_thread(screen.type, "export NO_COLOR=1")
    plain = (await asyncio.to_thread(screen.run, command), screen.screen(colours=True))

    assert in_colours[0] == plain[0]
    assert re.search(r"\x1b\[[\d;]*3\dm", in_colours[1])
    assert not re.search(r"\x1b\[[\d;]*[349][0-8]m", plain[1])
