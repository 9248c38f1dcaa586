"""Tools of the Node world, run on what Holdfast exports: drizzle-kit, TypeScript and Prisma's engines. All offline."""

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NODE = Path(__file__).resolve().parents[1] / "node"
_BIN = NODE / "node_modules" / ".bin"
_LIMIT_SECONDS = 60
_COMPILER_OPTIONS = {
    "strict": True,
    "noEmit": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "skipLibCheck": True,
    "module": "nodenext",
    "target": "es2022",
    "types": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program printed, and how it ended."""

    code: int
    output: str
    errors: str


def require_node() -> None:
    """Skip the test where the tools are not installed."""
    if shutil.which("node") is None or not _BIN.is_dir():
        pytest.skip("needs the tools in tests/node: run `make node`")


async def run(*command: str | Path, folder: Path, **environment: str) -> Outcome:
    """Run a program in a folder to its end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"} | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_LIMIT_SECONDS):
        output, errors = await process.communicate()
    return Outcome(code=process.returncode or 0, output=output.decode(), errors=errors.decode())


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    """Write exported files into a folder that sees the installed packages; return it."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(NODE / "drizzle.config.mjs", folder)
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": _COMPILER_OPTIONS, "files": ["schema.ts"]}))
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(NODE / "node_modules")
    return folder


async def compile_typescript(folder: Path) -> Outcome:
    """Check the types of schema.ts, strictly."""
    return await run(_BIN / "tsc", "--project", "tsconfig.json", folder=folder)


async def drizzle_kit(folder: Path, command: str, *options: str, dsn: str = "", schemas: str = "public") -> Outcome:
    """Run a command of drizzle-kit on schema.ts."""
    return await run(_BIN / "drizzle-kit", command, "--config=drizzle.config.mjs", *options, folder=folder, DSN=dsn, SCHEMAS=schemas)


async def resolve_relations(folder: Path) -> Any:
    """Return the relations of schema.ts as drizzle's query API resolves them; an ambiguous one fails the test."""
    outcome = await run("node", NODE / "relations.mjs", folder, folder=NODE)
    assert outcome.code == 0, outcome.errors
    return json.loads(outcome.output)


async def judge_prisma(folder: Path, dsn: str) -> Any:
    """Return what Prisma's engines make of schema.prisma, with a database to compare it with; an error of theirs fails the test."""
    outcome = await run("node", NODE / "prisma.mjs", "schema.prisma", dsn, folder=folder)
    assert outcome.code == 0, outcome.errors
    return json.loads(outcome.output)
