"""`--max-replica-lag`, `--max-active-sessions`, `--max-wal-rate`: when a job is to hold back."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from holdfast.cli.durations import duration
from holdfast.v1.core_pb2 import Throttle

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)(B|kB|MB|GB)", re.IGNORECASE)
#: What the fields of the message hold.
_MOST_BYTES, _MOST_SESSIONS = 2**63 - 1, 2**31 - 1
_BYTES = {"b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def rate(text: str) -> int:
    """Return how many bytes a second `50MB` is; typer turns the error into words."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a number of bytes such as 500kB, 50MB or 1GB")
    count = int(float(found[1]) * _BYTES[found[2].lower()])
    if count > _MOST_BYTES:
        raise typer.BadParameter(f"{text!r} is more than any server writes")
    return count


def sessions(text: str) -> int:
    """Return how many sessions `40` is; typer turns the error into words."""
    if not text.isdecimal() or int(text) > _MOST_SESSIONS:
        raise typer.BadParameter(f"{text!r} is not a number of sessions")
    return int(text)


MaxReplicaLag = Annotated[
    timedelta | None,
    typer.Option("--max-replica-lag", metavar="TIME", parser=duration, help="Hold back while a replica is further behind (10s)."),
]
MaxActiveSessions = Annotated[
    int | None,
    typer.Option(
        "--max-active-sessions",
        metavar="N",
        parser=sessions,
        help="Hold back while more other sessions are active.",
        show_default=False,
    ),
]
MaxWalRate = Annotated[
    int | None,
    typer.Option("--max-wal-rate", metavar="SIZE", parser=rate, help="Hold back while the server writes more WAL a second, e.g. 50MB."),
]


def throttle(lag: timedelta | None, others: int | None, wal: int | None) -> Throttle | None:
    """Return when to hold back; None where nothing was asked for."""
    if lag is None and not others and wal is None:
        return None
    asked = Throttle(max_active_sessions=others or 0, max_wal_bytes_per_second=wal or 0)
    if lag is not None:
        asked.max_replica_lag.FromTimedelta(lag)
    return asked
