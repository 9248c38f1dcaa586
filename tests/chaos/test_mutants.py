"""Does the suite bite? Every engine of mutants.py is built, and the tests that it names must fail over it."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from chaos.checker import counted
from chaos.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
#: What pytest ends with when tests failed; everything else means that they could not be run.
TESTS_FAILED = 1


def test_code_that_mutants_break_is_there() -> None:
    """Whoever moves such code moves its mutant along."""
    for mutant in MUTANTS:
        for name, old, _ in mutant.edits:
            assert (ROOT / "service" / "holdfastd" / name).read_text().count(old) == 1, f"{mutant.name}: {name} does not hold once: {old}"


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
async def test_mutant_is_caught(tmp_path: Path, mutant: Mutant) -> None:
    """An engine without one of its guards does not pass."""
    service = build(mutant, tmp_path)
    paths = f"{service} {ROOT / 'clients' / 'python'} {ROOT / 'tests'}"
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "-o", f"pythonpath={paths}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *options, *mutant.caught_by),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(service), "HOLDFAST_CHAOS_REPORT": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == TESTS_FAILED, f"{mutant.name} survived, though {mutant.breaks}:\n{output.decode()[-3000:]}"
    counted.names["mutants caught"] += 1


def build(mutant: Mutant, folder: Path) -> Path:
    """Copy the service and break it; return the folder to import it from."""
    service = folder / "service"
    shutil.copytree(ROOT / "service", service, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in mutant.edits:
        file = service / "holdfastd" / name
        text = file.read_text()
        assert text.count(old) == 1, f"{name} does not hold once: {old}"
        file.write_text(text.replace(old, new))
    return service
