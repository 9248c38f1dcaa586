"""The documentation says what is true: files exist, commands parse, settings, metrics and dependencies are all there."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import generate_latest

from holdfast.cli.main import app, hoist
from holdfastd.config.parse import parse
from holdfastd.inference.model import Tier
from holdfastd.jobs.model import JobKind, JobState
from holdfastd.metrics.registry import Metrics
from holdfastd.metrics.snapshot import AuditNumbers, DatabaseNumbers, Snapshot
from holdfastd.store.model import Anchor
from holdfastd.store.overview import EndedJobs, OpenJobs

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

#: A path in the docs is relative to one of these.
BASES = [ROOT, ROOT / "service/holdfastd", ROOT / "service", ROOT / "clients/python/holdfast", ROOT / "clients/python"]
SUFFIXES = r"py|sql|md|toml|txt|in|yaml|yml|proto|binpb|css|js|html"
PATH = re.compile(rf"(?:[\w.*-]+/)+[\w.*-]*|[\w*-]+\.(?:{SUFFIXES})")
#: What the words mean is said in CONTRIBUTING.md, where these stand in the column "not".
BANNED = re.compile(r"\b(child|children|dangling|tenants?|reverts?|journal)\b", re.IGNORECASE)

#: What stands before a block: which test types it (`run`), where it comes from, or why it is by hand.
MARK = re.compile(r"<!-- (?:run(?:: [a-z ]+)?|(?:from|as in|example:) [\w./]+|(?:policy|demo output|by hand): .+) -->")
#: Pages whose blocks are run by tests of their own; `run: shop` is for all others.
RUN_APART = {"getting_started.md", "operations.md", "intent.md"}
#: Pages that are written or run as a whole.
WHOLE = {
    "docs/findings/": "tests/integration/findings/test_pages.py",
    "docs/steps/": "tests/integration/test_step_pages.py",
    "docs/reference/": "docs/reference/write_cli.py",
    "docs/terminal.md": "tests/acceptance/test_terminal.py",
}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[str]:
    """Fenced blocks, the first line being the language."""
    return re.findall(r"^```(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def spans(page: Path) -> list[str]:
    """Code spans outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL))


def lines(page: Path) -> Iterator[str]:
    """Lines of fenced shell blocks without their comments, and code spans: where commands are."""
    for block in blocks(page):
        language, _, body = block.partition("\n")
        if not language.strip():
            yield from (line.partition(" #")[0].strip() for line in body.splitlines())
    yield from spans(page)


def exists(path: str) -> bool:
    if "/" not in path:
        return any(True for _ in ROOT.glob(path)) or any(
            any(base.rglob(path)) for base in (ROOT / "service", ROOT / "proto", ROOT / "tests")
        )
    return any(True for base in BASES for _ in base.glob(path.rstrip("/")))


@PAGE
def test_links_lead_somewhere(page):
    """Relative links name files that exist."""
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)) if "://" not in link]

    assert [link for link in links if link and not (page.parent / link).exists()] == []


@PAGE
def test_paths_exist(page):
    """Every file or folder that the text or a diagram names is there."""
    drawings = [re.sub(r"<[^>]*>", " ", block) for block in blocks(page) if block.startswith("mermaid")]
    drawn = [path for drawing in drawings for path in PATH.findall(drawing) if path.endswith("/") or "." in path]
    named = [span for span in spans(page) if PATH.fullmatch(span)] + drawn

    assert [path for path in named if not exists(path)] == []


def test_paths_are_looked_for():
    """The patterns above find something; otherwise the tests above say nothing."""
    assert any(PATH.fullmatch(span) for span in spans(ROOT / "CONTRIBUTING.md"))
    assert not exists("service/holdfastd/no_such_file.py")
    assert not exists("no_such_file.py")


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that the words name, and the words after it."""
    command: Any = typer.main.get_command(app)
    while words and words[0].startswith("-"):
        taken = next(each for each in command.params if words[0] in each.opts)
        words = words[1 if getattr(taken, "is_flag", False) else 2 :]
    while getattr(command, "commands", None):
        assert words, "a group without a command"
        assert words[0] in command.commands, f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def check_command(line: str) -> None:
    """Raise AssertionError when the CLI has no such command or option, or takes fewer arguments."""
    command, rest = command_of(hoist(shlex.split(line.partition(" > ")[0])[1:]))
    options = {name: each for each in command.params for name in each.opts if name.startswith("-")}
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    given = []
    while rest:
        word, *rest = rest
        if not word.startswith("-"):
            given.append(word)
            continue
        name, _, value = word.partition("=")
        assert name in options or name in {"--help", "-h"}, f"no option {name}"
        if not value and name in options and not getattr(options[name], "is_flag", False):
            rest = rest[1:]
    assert len(given) <= len(arguments), f"too many arguments: {given}"


@PAGE
def test_commands_parse(page):
    """Every `holdfast …` line is a command of the CLI with options that it has."""
    wrong = []
    for line in lines(page):
        if re.match(r"holdfast [a-z-]", line):
            try:
                check_command(line)
            except AssertionError as error:
                wrong.append(f"{line}: {error}")

    assert wrong == []


@pytest.mark.parametrize("line", ["holdfast frobnicate", "holdfast databases", "holdfast audit shop --colour", "holdfast plan a b"])
def test_wrong_commands_do_not_parse(line):
    with pytest.raises(AssertionError):
        check_command(line)


def test_the_readme_lists_every_command():
    """Each is in its table: by its whole name, or by its last word after one of its group."""
    table = text_of(ROOT / "README.md").partition("| commands | |")[2].partition("\n\n")[0]
    listed, group = set(), ""
    for span in re.findall(r"`([^`]+)`", table):
        words = span.removeprefix("holdfast ").split()
        if span.startswith("holdfast "):
            group = words[0] if len(words) > 1 else ""
        elif group:
            words = [group, *words]
        listed.add(" ".join(words))

    assert set(command_names(typer.main.get_command(app), ())) - listed == set()


def command_names(group: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from command_names(command, (*path, name))
        else:
            yield " ".join((*path, name))


@PAGE
def test_the_service_is_started_as_shown(page):
    """Every `holdfastd …` line is one that the service takes."""
    for line in lines(page):
        if line.startswith("holdfastd serve"):
            parse(shlex.split(line)[1:], {"HOME": "/home/me"})


@PAGE
def test_every_block_is_run_or_comes_from_a_run(page):
    """A block says what runs it, what wrote it, or why nothing does; the tests that are named read or run what is on the page."""
    inside = str(page.relative_to(ROOT))
    if page.name == "CONTRIBUTING.md" or any(inside.startswith(pages) and exists(test) for pages, test in WHOLE.items()):
        return
    fences = re.findall(r"^(.*)\n```\w*$\n(?:.*\n)*?^```$", text_of(page), re.MULTILINE)
    named = [path for before in fences for path in re.findall(r"^<!-- (?:from|as in|example:) (\S+) -->$", before)]

    apart = [before for before in fences if before.startswith("<!-- run") and before != "<!-- run: shop -->"]

    assert [before for before in fences if not MARK.fullmatch(before)] == []
    assert page.name in RUN_APART or apart == []
    assert [path for path in named if not (ROOT / path).is_file()] == []


@PAGE
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {target for line in lines(page) for target in re.findall(r"(?:^|[;&] )make ([a-z-]+)", line)}

    assert named <= targets


def test_every_setting_is_explained():
    """docs/operations.md names the variables and options that the service reads, and no others."""
    variable, option = r"\bHOLDFAST_[A-Z_]+\b", r"(?<![\w-])--[a-z-]+(?=`)"
    # Failpoints are for tests; CONTRIBUTING.md has them.
    parsing = text_of(ROOT / "service/holdfastd/config/parse.py")
    read = {name for name in re.findall(variable, parsing) if "FAILPOINT" not in name}
    settings = text_of(ROOT / "docs/operations.md").partition("## Running the service")[2]

    assert set(re.findall(variable, settings)) == read
    for name in re.findall(option, settings.partition("\n\n")[0]):
        assert f'"{name}"' in parsing


def test_every_metric_is_explained():
    """docs/metrics.md lists what a scrape shows, with type and labels, and nothing else."""
    metrics = Metrics("0")
    metrics.rpc.expect("unary", "s", "m")
    moment = datetime.now(UTC)
    audit = AuditNumbers(
        orphan_rows={"r": 1},
        candidates={Tier.PLAN: 1},
        not_validated_keys=1,
        undeclared_relationships=1,
        missing_indexes=1,
        time=1.0,
        seconds=1.0,
    )
    queued = {"jobs": 1, "paused": 1, "held_back": 1, "oldest": moment}
    metrics.snapshot = Snapshot(
        time=1.0,
        databases=(DatabaseNumbers(database="d", audit=audit, missed_runs=1),),
        open_jobs=(OpenJobs(database="d", kind=JobKind.AUDIT, state=JobState.QUEUED, **queued),),
        ended_jobs=(EndedJobs(database="d", kind=JobKind.AUDIT, state=JobState.FAILED, jobs=1, last=moment),),
        log_head=Anchor(sequence=1, hash="h"),
    )
    scrape = generate_latest(metrics.registry).decode()
    shown = {
        (name, kind)
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.MULTILINE)
        if not name.startswith("process_") and not name.endswith("_created")
    }
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| (.*?) \|", text_of(ROOT / "docs/metrics.md"), re.MULTILINE)

    assert {(name, kind) for name, kind, _ in rows} == shown
    for name, _, labels in rows:
        sample = next(line for line in scrape.splitlines() if re.match(rf"{name}(_bucket|_count)?[{{ ]", line))
        assert set(re.findall(r"`([a-z_]+)`", labels)) <= set(re.findall(r'([a-z_]+)="', sample)), name


def test_every_dependency_has_a_reason():
    """docs/decisions.md says why each package is there."""
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    development = [line for line in text_of(ROOT / "requirements/dev.in").splitlines() if line and not line.startswith(("#", "-"))]
    names = {re.split(r"[<>=!~ ;\[]", line)[0] for line in (*project["dependencies"], *development)}
    reasons = text_of(ROOT / "docs/decisions.md").partition("## Dependencies")[2]
    explained = {name for row in re.findall(r"^\| ([^|]+) \|", reasons, re.MULTILINE) for name in re.split(r", (?:and )?", row)}
    explained |= {name.split()[0] for name in explained}

    assert {name for name in names if name not in explained and not name.startswith("types-")} == set()


def test_every_trap_has_its_test():
    """Each line of docs/traps.md names a test that exists."""
    rows = [line for line in text_of(ROOT / "docs/traps.md").splitlines() if line.startswith("| ") and not line.startswith("| trap |")]
    named = [re.findall(r"`([\w/]+\.py)::(test_\w+)`", row) for row in rows]
    missing = [
        f"{file}::{test}"
        for tests in named
        for file, test in tests
        if not (ROOT / "tests" / file).is_file() or f"def {test}(" not in text_of(ROOT / "tests" / file)
    ]

    assert missing == []
    assert len(rows) > 30
    assert [row for row, tests in zip(rows, named, strict=True) if not tests] == []


@PAGE
def test_one_word_for_one_thing(page):
    """The words that CONTRIBUTING.md rejects do not come back; its table names them."""
    text = text_of(page)
    if page.name == "CONTRIBUTING.md":
        text = text.partition("## Words")[0] + text.partition("## Style")[2]

    assert [match.group() for match in BANNED.finditer(text)] == []
