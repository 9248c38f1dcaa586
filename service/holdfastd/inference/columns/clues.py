"""Which keys a column's name can mean: every rule that proposes a table, with the traits that say how it came to it.

In come a column and the schema's naming; out come options, at most one per table.
"""

import re
from collections.abc import Iterator

from holdfastd.inference.columns.cases import Case
from holdfastd.inference.naming.entities import Entity, Key, Words, squash
from holdfastd.inference.naming.learn import Naming, Reading
from holdfastd.inference.naming.people import People
from holdfastd.inference.naming.vocabulary import AGENT_WORDS, BY, KINSHIP_WORDS, PERSON_LIKE, PLACE_WORDS, SELF_WORDS
from holdfastd.inference.naming.words import STRONG_SUFFIXES, stem_of, words

Clue = tuple[Entity, Key | None, tuple[str, ...]]

_COMMENT = re.compile(
    r"(?:\breferenc(?:es|ing|e to)|\brefers? to|\bforeign key (?:to|of|on)|\bfk(?: to| of|:)?|\bpoints? (?:to|at|into)|\blinks? to|[-=]>|→)"
    r"\s+"
    r"(?:(?:the|a|an|table|our)\s+)*[\"`']?([\w.]+)",
    re.IGNORECASE,
)
_NAME_PART = re.compile(r"\.")
_ROLE_WORDS = 4
_AGENT_ENDINGS = ("er", "or")
_SHORTEST_ABBREVIATION = 3


def clues(case: Case, naming: Naming, people: People) -> Iterator[Clue]:
    """Yield (table, key or None for the table's usual one, traits): the same table may come several times."""
    yield from _by_table_name(case, naming)
    yield from _by_context(case, naming)
    yield from _by_key_name(case, naming)
    yield from _by_table_and_key(case, naming)
    yield from _by_abbreviation(case, naming)
    yield from _to_itself(case)
    yield from _to_people(case, naming, people)
    yield from _of_its_owner(case, naming)
    yield from _by_number(case, naming)
    yield from _extended(case, naming)
    if case.column.comment:
        yield from _by_comment(case, naming)


def _by_table_name(case: Case, naming: Naming) -> Iterator[Clue]:
    """`user_id`, `billing_address_id`, `artist`, `last_edit_sent`: the stem, or its end, beginning or middle, names a table."""
    stem = case.stem.words
    for start, end, word in naming.spans(stem):
        readings = naming.readings.near(word, case.entity)
        if end < len(stem):
            for reading in readings:
                if reading.is_plain:
                    yield reading.entity, None, ("inside", "role_after" if start == 0 else "role_around")
        elif start < _ROLE_WORDS:
            for reading in readings:
                if start or reading.entity is not case.entity:  # `devices.device_id` is the device's own number
                    yield reading.entity, None, (_manner(case, reading), f"role_{start}", *_extra(case, reading, stem[:start]))
    if case.stem.number:
        for reading in naming.readings.near(squash(stem) + case.stem.number, case.entity):
            yield reading.entity, None, (_manner(case, reading), "role_0")


def _manner(case: Case, reading: Reading) -> str:
    """How much of the table's name the words are."""
    if reading.after:
        return "head"
    if reading.is_plain:
        return "module" if reading.before else "exact"
    unexplained = reading.before[reading.entity.module :]
    return "near" if set(unexplained) <= set(case.entity.words) else f"tail_{min(len(unexplained), 2)}"


def _extra(case: Case, reading: Reading, role: Words) -> Iterator[str]:
    """Words of the column before the table's name that the table's module prefix explains: `auth_user_id` → `auth_user`."""
    if not role:
        return
    if reading.before and squash(role).endswith(squash(reading.before)):
        yield "role_is_prefix"
    if BY in role or role[-1] in AGENT_WORDS:
        yield "agent_role"
    if reading.entity is case.entity and not set(role).isdisjoint(SELF_WORDS | {"old", "new"}):
        yield "self_role"


def _by_context(case: Case, naming: Naming) -> Iterator[Clue]:
    """`orders.status_id` → `order_statuses`: the referencing table's own words complete the name."""
    name, stem = case.entity.words, case.stem.words
    for dropped in range(min(len(stem), 2)):
        end_of_name = squash(stem[dropped:])
        if end_of_name not in naming.readings:
            continue
        for start in range(len(name)):
            for end in range(start + 1, len(name) + 1):
                whole = start <= case.entity.module and end == len(name)
                manner = "context_whole" if whole else "context_part"
                for reading in naming.readings.near(squash(name[start:end]) + end_of_name, case.entity):
                    if reading.is_plain and reading.entity is not case.entity:
                        yield reading.entity, None, (manner, f"role_{dropped}")
                    elif not reading.after and reading.entity is not case.entity:
                        yield reading.entity, None, (manner, f"role_{dropped}", "context_tail")


def _by_key_name(case: Case, naming: Naming) -> Iterator[Clue]:
    """`hostid` → the table whose key is called `hostid`; with a role before it, too."""
    parts = case.words
    for dropped in range(len(parts)):
        name = squash(parts[dropped:])
        if len(name) < _SHORTEST_ABBREVIATION or (dropped and dropped == len(parts) - 1):
            return
        for entity, key in naming.key_names.near(name, case.entity):
            if dropped:
                yield entity, key, ("key_name_role" if key.is_primary else "unique_name_role",)
            elif entity is not case.entity:
                told = ("key_name_in_context",) if _within(entity.own, case.entity.words) else ()
                yield entity, key, ("key_name" if key.is_primary else "unique_name", *told)


def _by_table_and_key(case: Case, naming: Naming) -> Iterator[Clue]:
    """`currency_code` → `currencies.code`, whatever the language: the name of a table and of its key, together."""
    for entity, key in naming.qualified.near(squash(case.words), case.entity):
        yield entity, key, ("qualified",)


def _by_abbreviation(case: Case, naming: Naming) -> Iterator[Clue]:
    """`org_id` → `organizations`; `bu_id` → `business_units`."""
    stem = case.stem.words
    if not stem or case.stem.suffix not in STRONG_SUFFIXES or squash(stem) in naming.readings or stem[-1] in naming.readings:
        return
    last = stem[-1]
    if len(last) >= _SHORTEST_ABBREVIATION:
        for entity in naming.abbreviated.near(last[:_SHORTEST_ABBREVIATION], case.entity):
            if entity.words[-1].startswith(last):
                yield entity, None, ("abbreviation",)
    for entity in naming.initials.near(last, case.entity):
        yield entity, None, ("initials",)


def _to_itself(case: Case) -> Iterator[Clue]:
    """`parent_id`, `reply_to_id`, `rerun_of`."""
    stem = case.stem.words
    if not stem:
        return
    if stem[-1] in SELF_WORDS or stem[-1] == "of" or (stem[-1] == "to" and set(stem) & SELF_WORDS):
        yield case.entity, None, ("self",)
    elif stem[-1] in {"to", "for"} and case.stem.suffix and len(stem) > 1:
        yield case.entity, None, ("self_to",)
    elif case.stem.suffix and set(stem) & SELF_WORDS:
        yield case.entity, None, ("self_weak",)


def _to_people(case: Case, naming: Naming, people: People) -> Iterator[Clue]:
    """`reviewed_by`, `owner_id` → the users table of this schema, unless there is a table of reviewers or owners."""
    stem = case.stem.words
    if not stem:
        return
    by, agent = BY in stem[-2:], stem[-1] in AGENT_WORDS or stem[-1].endswith(_AGENT_ENDINGS)
    if not (by or agent) or any(reading.is_plain for reading in naming.readings.near(stem[-1], case.entity)):
        return
    rule = "by" if by else "agent" if stem[-1] in AGENT_WORDS else "agent_like"
    for entity, rank in people.near(case.entity):
        yield entity, None, (rule, rank, f"{rule}_{rank}")
    if set(stem) & KINSHIP_WORDS and case.entity.words[-1] in PERSON_LIKE:
        yield case.entity, None, ("kinship",)


def _of_its_owner(case: Case, naming: Naming) -> Iterator[Clue]:
    """`artist_redirect.new_id` → `artist`: a bare place or the table's own last word, in a table named after another one."""
    stem, name = case.stem.words, case.entity.words
    if not stem or not (case.stem.suffix or stem[-1] in SELF_WORDS):
        return
    rule = "place" if stem[-1] in PLACE_WORDS or stem[-1] in SELF_WORDS else "own_end" if name[-1].startswith(stem[-1]) else "unread"
    if rule == "unread" and (len(stem) > 1 or stem[-1] in naming.readings):
        return
    for length in range(len(name) - 1, 0, -1):
        found = [reading for reading in naming.readings.near(squash(name[:length]), case.entity) if reading.is_plain]
        for reading in found:
            yield reading.entity, None, (f"owner_by_{rule}",)
        if found:
            return


def _by_number(case: Case, naming: Naming) -> Iterator[Clue]:
    """`l_artist_work.entity0`, `entity1`: numbered columns follow the order of the tables in the table's name."""
    if not case.stem.number.isdigit() or case.entity.name not in naming.made_of:
        return
    made_of = naming.made_of[case.entity.name]
    place = int(case.stem.number) - (0 if naming.counts_from_zero(case.entity, case.column.name) else 1)
    if 0 <= place < len(made_of):
        yield made_of[place], None, ("numbered",)


def _extended(case: Case, naming: Naming) -> Iterator[Clue]:
    """`artist_meta.id` → `artist`: the only column of a primary key, in a table named after another one that no other column names."""
    if case.entity.primary_key != (case.column.name,):
        return
    name = case.entity.words
    others = {squash(stem_of(parts).words[-1:]) for parts in case.entity.column_names}
    for length in range(len(name), 0, -1):
        start = squash(name[:length])
        for reading in naming.readings.near(start, case.entity):
            if reading.is_plain and reading.entity is not case.entity:
                told = "otherwise_named" if name[length - 1] in others or start in others else "not_otherwise_named"
                whole = "extends_module" if reading.before else "extends_exact"
                yield reading.entity, None, ("extends", f"extends_{min(len(name) - length, 3)}", told, whole)


def _by_comment(case: Case, naming: Naming) -> Iterator[Clue]:
    """`-- references users`, `-- FK to billing.accounts(id)`: the comment on the column says it."""
    for told in _COMMENT.findall(case.column.comment):
        parts = [words(part) for part in _NAME_PART.split(told) if part]
        for part in parts[:2]:
            for reading in naming.readings.near(squash(part), case.entity):
                if reading.is_plain:
                    yield reading.entity, None, ("comment",)


def _within(part: Words, whole: Words) -> bool:
    """Tell whether words occur in others, side by side and in order."""
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))
