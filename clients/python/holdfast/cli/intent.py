"""`--intent`: in come paths and specifications, out comes what they declare; people are told how much, and what could not be read."""

from collections.abc import Sequence
from typing import Annotated

import typer

from holdfast.cli.failures import InputError
from holdfast.cli.session import Session
from holdfast.intent.model import MOST, Intent, IntentError, merged
from holdfast.intent.sources import read_intent
from holdfast.v1.audit_service_pb2 import IntendedRelationship

#: Less than what the service takes in one request.
_MOST_BYTES = 4_000_000
#: Places of one source that are told by themselves.
_TOLD = 5

Intents = Annotated[
    list[str],
    typer.Option(
        "--intent",
        metavar="SOURCE",
        help="Begin with what an application declares: a schema of Prisma, Drizzle or Rails, sqlalchemy:MODULE:NAME or django:SETTINGS; "
        "may be repeated.",
        show_default=False,
    ),
]


def declared(session: Session, specs: Sequence[str]) -> list[IntendedRelationship]:
    """Read all sources and say what each declares."""
    try:
        intents = [read_intent(spec) for spec in specs]
    except IntentError as error:
        raise InputError(str(error)) from error
    for intent in intents:
        _tell(session, intent)
    found = merged(intents)
    if len(found) > MOST or sum(each.ByteSize() for each in found) > _MOST_BYTES:
        raise InputError(f"These sources declare {len(found)} relationships, more than one audit takes ({MOST}, or 4 MB); leave some out.")
    return found


def _tell(session: Session, intent: Intent) -> None:
    number = len(intent.relationships)
    session.tell(f"{intent.source} declares {number} relationship{'' if number == 1 else 's'}.")
    for unread in intent.unread[:_TOLD]:
        session.tell(f"  not read: {unread.origin}: {unread.reason}.")
    if (more := len(intent.unread) - _TOLD) > 0:
        session.tell(f"  not read: {more} more.")
