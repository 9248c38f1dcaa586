"""Places where tests may stop the process: `HOLDFAST_FAILPOINTS=CLEAN_UP.before_commit#2=exit` kills it at the second visit.

Off unless the composition root arms it from the environment at start, which it does only beside HOLDFAST_ALLOW_FAILPOINTS=1. With
HOLDFAST_FAILPOINTS_TRACE=file every place that is passed is appended to a file, as `name#visit`.
"""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

_armed: dict[tuple[str, int], str] = {}
_visits: Counter[str] = Counter()
_trace: list[Path] = []


class FailpointReached(Exception):
    """Raised on purpose."""


def arm(specification: str, trace: str = "") -> None:
    """Arm failpoints: `name#visit=action` separated by `;`. ValueError when one cannot be meant.

    Actions: `exit` (SIGKILL to ourselves), `stop` (SIGSTOP), `raise` (an error that nobody expects), `sleep:SECONDS`.
    """
    places = dict(_parsed(part) for part in filter(None, specification.split(";")))
    _armed.clear()
    _armed.update(places)
    _visits.clear()
    _trace[:] = [Path(trace)] if trace else []


async def reach(name: str) -> None:
    """Pass a failpoint. Does nothing unless one is armed or traced."""
    if not _armed and not _trace:
        return
    _visits[name] += 1
    for file in _trace:
        _append(file, f"{name}#{_visits[name]}\n")
    match _armed.get((name, _visits[name]), "").partition(":"):
        case ("exit", _, _):
            os.kill(os.getpid(), signal.SIGKILL)
        case ("stop", _, _):
            os.kill(os.getpid(), signal.SIGSTOP)
        case ("raise", _, _):
            raise FailpointReached(name)
        case ("sleep", _, seconds):
            await asyncio.sleep(float(seconds))
        case _:
            pass


def _parsed(part: str) -> tuple[tuple[str, int], str]:
    place, _, action = part.partition("=")
    name, _, visit = place.partition("#")
    kind, _, seconds = action.partition(":")
    is_meant = action in ("exit", "stop", "raise") or (kind == "sleep" and seconds.replace(".", "", 1).isdecimal())
    if not name or not (visit or "1").isdecimal() or not is_meant:
        message = f"{part!r} is not NAME#VISIT=ACTION with the action exit, stop, raise or sleep:SECONDS"
        raise ValueError(message)
    return (name, int(visit or 1)), action


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as trace:
        trace.write(line)
