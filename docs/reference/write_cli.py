"""Write docs/reference/cli.md from the commands themselves; `--check` fails when the page is stale."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from holdfast.cli.main import app

PAGE = Path(__file__).resolve().parent / "cli.md"
HEAD = """# Command line

<!-- Written by `make docs` from clients/python/holdfast/cli. -->

`holdfast [OPTIONS] COMMAND …`; the options of this page's first table may stand anywhere on the line.
`holdfast COMMAND --help` says the same as this page. [A recording](../terminal.md) shows the main job.

| exit code | |
|---|---|
| 0 | fine |
| 1 | findings at or above the severity asked for with `--fail-on` or `--severity`; `log --verify`: the audit log was changed |
| 2 | error: one sentence on stderr that ends with what to do, and its reason in brackets |
| 3 | the database changed since the plan was made |
| 130 | Ctrl-C: `holdfast` lets go of a job, which goes on |

Without `--detach`, `audit`, `apply`, `rollback` and `restore` wait for the end, with bars on a terminal and lines elsewhere.
`-o json` and `-o yaml` print the response message of the last call and nothing else, with the field names of the
[contract](api.md); `-o json watch` prints one line per message.

| variable | |
|---|---|
| `HOLDFAST_TOKEN` | bearer token; a file is better: `--token-file` |
| `NO_COLOR` | no colours, whatever its value |
| `CLICOLOR_FORCE` | `1`: colours also in a pipe |
| `COLUMNS` | how wide tables are where there is no terminal; 80 without |
| `GRPC_VERBOSITY` | `debug`: what the transport has to say |

Completion: `eval "$(holdfast completion bash)"` in `~/.bashrc`; [zsh and fish](#holdfast-completion).
"""


def render() -> str:
    """Return the page."""
    root = typer.main.get_command(app)
    parts = [HEAD, "\n## Options of every command\n\n", *_table(root)]
    parts += [part for path, command in _commands(root, ()) for part in _section(path, command)]
    return "".join(parts)


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in sorted(group.commands.items()):
        here = (*path, name)
        if getattr(command, "commands", None):
            yield from _commands(command, here)
        else:
            yield here, command


def _section(path: tuple[str, ...], command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(["holdfast", *path, "[OPTIONS]", *(_metavar(each) for each in arguments)])
    yield f"\n## holdfast {' '.join(path)}\n\n```text\n{usage}\n```\n\n"
    yield f"{_words(command.help)}\n"
    if len(command.params) > 0 and any(each.name != "help" for each in command.params):
        yield "\n"
        yield from _table(command)
    yield f"\n```sh\n{command.epilog.removeprefix('Example: ')}\n```\n"


def _words(text: str) -> str:
    """Return help as Markdown; a paragraph that begins with a backspace is kept as it is."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        f"```text\n{each.removeprefix(chr(8)).strip(chr(10))}\n```" if each.startswith("\b") else _escaped(" ".join(each.split()))
        for each in paragraphs
    )


def _table(command: Any) -> Iterator[str]:
    rows = [_row(each) for each in command.params if each.name not in {"help", "install_completion", "show_completion"}]
    yield "| | | |\n|---|---|---|\n"
    yield from rows


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{_metavar(parameter)}` | | {_escaped(parameter.help or '')} |\n"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = "" if parameter.is_flag else f"`{_metavar(parameter)}`"
    said = [_escaped(parameter.help or "")]
    if parameter.envvar:
        said.append(f"Or `{parameter.envvar}`.")
    if parameter.required:
        said.append("Required.")
    elif isinstance(parameter.show_default, str):
        said.append(f"Without: {parameter.show_default}.")
    elif not parameter.is_flag and isinstance(parameter.default, str | int) and str(parameter.default):
        said.append(f"Without: `{parameter.default}`.")
    return f"| {names} | {value} | {' '.join(said)} |\n"


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    choices = parameter.type_descriptor.choices or ()
    return "\\|".join(str(getattr(choice, "value", choice)) for choice in choices) or str(parameter.name).upper()


def _escaped(text: str) -> str:
    parts = text.split("`")
    return "`".join(part if place % 2 else part.replace("|", "\\|").replace("<", "\\<") for place, part in enumerate(parts))


def main() -> int:
    """Write, or compare with what is committed. Exit code 1: stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    check: bool = parser.parse_args().check
    page = render()
    if check:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page
        print("stale: docs/reference/cli.md; run `make docs`" if stale else "docs/reference/cli.md is up to date")
        return int(stale)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
