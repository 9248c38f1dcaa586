"""Generate clients/python/holdfast/v1 from the contract; `--check` fails when the committed code is stale.

The generator is pinned to an old grpcio-tools on purpose: generated code runs on newer runtimes but never on older ones.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parent
PACKAGE = PROTO.parent / "clients/python/holdfast/v1"


def generate(destination: Path) -> None:
    """Write messages, stubs and type stubs for every .proto file below `destination`/holdfast/v1."""
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "holdfast/v1").glob("*.proto"))
    services = [file for file in files if file.endswith("_service.proto")]
    # The mypy plugins are scripts beside the interpreter.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"]
    messages = [*protoc, f"--python_out={destination}", f"--mypy_out={destination}", *files]
    stubs = [*protoc, f"--grpc_python_out={destination}", f"--mypy_grpc_out={destination}", *services]
    for command in (messages, stubs):
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 (our own arguments)
    (destination / "holdfast/v1/__init__.py").write_text('"""Generated from proto/holdfast/v1. Never edit; run `make proto`."""\n')


def stale_files(fresh: Path) -> list[str]:
    """Names of committed files that differ from the freshly generated ones, or are missing on either side."""
    names = {path.name for path in (*fresh.iterdir(), *PACKAGE.iterdir()) if path.is_file()}
    _, different, missing = filecmp.cmpfiles(fresh, PACKAGE, names, shallow=False)
    return sorted((*different, *missing))


def main() -> int:
    """Generate, or compare with what is committed. Exit code 1: stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = Path(folder) / "holdfast/v1"
        if check:
            stale = stale_files(fresh)
            print("\n".join(f"stale: {name}; run `make proto`" for name in stale) or "generated code is up to date")
            return 1 if stale else 0
        shutil.rmtree(PACKAGE, ignore_errors=True)
        shutil.copytree(fresh, PACKAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
