"""The console that is committed is the one that its source makes."""

import asyncio
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "clients" / "console"
BUILT = ROOT / "service" / "holdfastd" / "http" / "console"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


async def test_the_committed_console_is_up_to_date(tmp_path: Path) -> None:
    """Building the source again gives the same files; after a change, `make console`."""
    if shutil.which("node") is None or not (SOURCE / "node_modules" / ".bin" / "vite").exists():
        pytest.skip("needs the packages of clients/console: run `make console`")
    build = await asyncio.create_subprocess_exec(
        *("npx", "vite", "build", "--outDir", str(tmp_path / "console"), "--logLevel", "error"), cwd=SOURCE, stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(build.communicate(), timeout=60)

    assert build.returncode == 0, (out + err).decode()
    assert _files(tmp_path / "console") == _files(BUILT), "stale: run `make console`"


def test_nothing_in_it_names_another_host() -> None:
    """Page and style sheet load their own files only; lock files record no address."""
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf-8")

    assert "://" not in page
    assert all("url(http" not in sheet.read_text(encoding="utf-8") for sheet in BUILT.rglob("*.css"))
    assert '"resolved"' not in lock
