"""What each table seems to be for, in a few words: from what it references and what references it, then from its columns and its name.

In come outlines and relationships, declared or certain enough to be planned; out come the outlines with their purposes. Empty when nothing
tells: no purpose is better than a wrong one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from holdfastd.catalog.model import TableKind
from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.advice.meanings import CREDENTIALS, LISTED
from holdfastd.inference.model import Relationship
from holdfastd.inference.naming.vocabulary import (
    ASIDE_WORDS,
    BOOKKEEPING,
    BOOKKEEPING_PREFIXES,
    BOOKKEEPING_SUFFIXES,
    HISTORY_WORDS,
    OWNER_WORDS,
    PERSON_LIKE,
)
from holdfastd.inference.naming.words import one_of, words
from holdfastd.inference.purposes.meanings import (
    CHANGES,
    CODES,
    FILES,
    LOGS,
    NO_PEOPLE,
    QUEUES,
    SAID,
    SETTINGS,
    TRANSLATIONS,
    TRIES,
    USUAL,
    VOTES,
    WORK,
)
from holdfastd.inference.purposes.phrases import begins, plural, table_words
from holdfastd.inference.purposes.seen import Seen, look
from holdfastd.names import TableName

_SESSION_STORES = (
    {"sid", "sess", "expire"},
    {"session_key", "session_data", "expire_date"},
    {"session_id", "data", "updated_at"},
    {"payload", "last_activity"},
)
_PLACES = ({"lat", "lng"}, {"lat", "lon"}, {"latitude", "longitude"})
#: Columns that a vote or a table that joins others may have besides its references.
_LITTLE = 2
#: Tables that reference what is the core of a schema, and places that count.
_CORE = 3
_BOTH = 2
#: A list of codes has so many columns.
_FEW_COLUMNS = 4


def with_purposes(tables: Sequence[TableOutline], relationships: Sequence[Relationship]) -> tuple[TableOutline, ...]:
    """Return the tables with what each seems to be for."""
    return tuple(replace(seen.table, purpose=_purpose(seen)) for seen in look(tables, relationships))


def _purpose(seen: Seen) -> str:
    told = next((text for rule in _RULES if (text := rule(seen))), "")
    return f"{told}, partitioned" if told and seen.table.kind is TableKind.PARTITIONED else told


def _bookkeeping(seen: Seen) -> str:
    name = seen.table.name.name.lower()
    if name in BOOKKEEPING or (name.startswith(BOOKKEEPING_PREFIXES) and not name.lstrip("_").startswith(("backup", "bak"))):
        return "bookkeeping of a migration tool"
    if name.startswith(BOOKKEEPING_PREFIXES) or name.endswith(BOOKKEEPING_SUFFIXES):
        return "backup copy of rows"
    return ""


def _session_store(seen: Seen) -> str:
    named = "session" in seen.words
    return "web session storage" if named and any(columns <= seen.columns for columns in _SESSION_STORES) and not seen.users else ""


def _accounts(seen: Seen) -> str:
    last = seen.words[-1]
    if seen.table.name not in seen.people:
        # Drivers log in by their user.
        is_person = last in PERSON_LIKE - NO_PEOPLE and any(
            name in seen.people and name in seen.named for name in (*seen.required, *seen.optional)
        )
        return f"people: {seen.things}" if is_person else ""
    if last in ("user", "account", "login"):
        return "user accounts"
    return "people" if last == "person" else f"people: {seen.things}"


def _queue(seen: Seen) -> str:
    kind = next((word for word in seen.words if word in QUEUES), "")
    if kind:
        rest = " ".join(word for word in seen.words if word not in QUEUES)
        return f"{kind} of {plural(rest)}" if rest else f"{kind} of work or messages"
    return f"queue of {seen.things}" if seen.words[-1] in WORK and len(seen.columns & TRIES) > 1 else ""


def _credentials(seen: Seen) -> str:
    return f"{seen.things}{_of(seen)}: lets somebody in" if seen.words[-1] in CREDENTIALS else ""


def _settings(seen: Seen) -> str:
    if seen.words[-1] not in SETTINGS:
        return ""
    return f"{seen.things}{_of(seen)}" if _of(seen) else "settings" if seen.words[-1].startswith("setting") else ""


def _translations(seen: Seen) -> str:
    return f"translations{_of(seen)}" if seen.words[-1] in TRANSLATIONS else ""


def _log(seen: Seen) -> str:
    parts = seen.words[:-1] if seen.words[-1] in ("entry", "line") else seen.words
    if not parts or parts[-1] not in LOGS or seen.users > 1:
        return ""
    subject = " ".join(word for word in parts if word not in LOGS)
    owner = _owner(seen)
    per = f", per {one_of(owner.name)}" if owner else ""
    if not subject:
        return f"{'audit log' if 'audit' in seen.words else 'log of events'}{per}"
    if seen.columns & CHANGES or seen.words[-1] in ("history", "changelog"):
        return f"log of {subject} changes{per}"
    return f"log of {subject} events{per}"


def _votes(seen: Seen) -> str:
    who = next((name for name in seen.required if name in seen.people), None)
    about = next((name for name in seen.required if name != who), None)
    if who is None or about is None or not seen.columns & VOTES or len(seen.own_columns) > seen.references + _LITTLE:
        return ""
    return f"votes of {table_words(who)} on {table_words(about)}"


def _join(seen: Seen) -> str:
    # What several tables reference is a thing of its own: a store has an address and a manager, and joins neither.
    if len(seen.required) != _BOTH or seen.optional or seen.users >= _BOTH or len(seen.columns - USUAL) > seen.references + _LITTLE:
        return ""
    return f"joins {table_words(seen.required[0])} and {table_words(seen.required[1])}"


def _pure_join(seen: Seen) -> str:
    return _join(seen) if len(seen.own_columns) <= seen.references else ""


def _files(seen: Seen) -> str:
    return f"files{_of(seen)}: {seen.things}" if len(seen.columns & FILES) > 1 else ""


def _reference_data(seen: Seen) -> str:
    if seen.table.name not in seen.listed:
        return ""
    small = len(seen.table.columns) <= _FEW_COLUMNS and seen.columns & CODES
    return f"reference data: list of {seen.things}" if small else f"reference data: catalogue of {seen.things}"


def _places(seen: Seen) -> str:
    return f"places: {seen.things}" if any(each <= seen.columns for each in _PLACES) and seen.users >= _BOTH else ""


def _records(seen: Seen) -> str:
    if seen.words[-1] not in HISTORY_WORDS | ASIDE_WORDS or not (seen.required or seen.optional) or seen.users > _CORE:
        return ""
    return f"records of {seen.things}{_per(seen)}"


def _said(seen: Seen) -> str:
    """`reports` with a station, and a user who may be gone: reports on stations, by users."""
    about = next((name for name in (*seen.required, *seen.optional) if name in seen.named and name not in seen.people | seen.listed), None)
    if seen.words[-1] not in SAID or about is None:
        return ""
    by = next((name for name in (*seen.required, *seen.optional) if name in seen.people), None)
    return f"{seen.things} on {table_words(about)}{f', by {table_words(by)}' if by else ''}"


def _belongs(seen: Seen) -> str:
    """`user_vehicles` with a user and a model: vehicles of users, described by ev_vehicles."""
    owners = [name for name in seen.required or seen.optional[: len(seen.optional) == 1] if _may_own(seen, name)]
    if not owners:
        return ""
    owner = max(owners, key=lambda name: (begins(seen.words, words(name.name)), name in seen.people))
    rest = seen.table.name.name
    if begins(seen.words, words(owner.name)):
        rest = " ".join(seen.words[len(words(owner.name)) :])
    if len(rest) == 1:
        return ""
    others = [name for name in seen.required if name in seen.listed]
    described = f", described by {table_words(others[0])}" if others else ""
    return f"{plural(rest)} of {table_words(owner)}{described}"


def _may_own(seen: Seen, name: TableName) -> bool:
    """Things have users and orders, not addresses: an owner gives its name, owns by its nature, or nothing else needs the thing."""
    if name in seen.listed or name not in seen.named or words(name.name)[-1] in LISTED:
        return False
    return begins(seen.words, words(name.name)) or words(name.name)[-1] in OWNER_WORDS or name in seen.people or not seen.users


def _core(seen: Seen) -> str:
    return f"core data: {seen.things}, referenced by {seen.users} tables" if seen.users >= _CORE else ""


_RULES: tuple[Callable[[Seen], str], ...] = (
    *(_bookkeeping, _session_store, _accounts, _queue, _credentials, _settings, _translations, _pure_join, _log, _votes, _join),
    *(_files, _reference_data, _places, _said, _records, _belongs, _core),
)


def _owner(seen: Seen) -> TableName | None:
    """Return the first table that is referenced and more than a list of codes."""
    return next((name for name in (*seen.required, *seen.optional) if name not in seen.listed), None)


def _of(seen: Seen) -> str:
    owner = _owner(seen)
    return f" of {table_words(owner)}" if owner else ""


def _per(seen: Seen) -> str:
    owner = next((name for name in sorted(seen.required, key=lambda name: name in seen.listed)), None)
    return f", per {one_of(owner.name)}" if owner else ""
