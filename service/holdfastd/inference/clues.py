"""Which keys a column's name can mean: every rule that proposes a table, with the traits that say how it came to it.

In come a column and the schema's naming; out come options, at most one per table.
"""

from collections.abc import Iterator

from holdfastd.inference.cases import Case
from holdfastd.inference.names import STRONG_SUFFIXES, stem_of
from holdfastd.inference.naming import Entity, Key, Naming, Reading, Words, squash
from holdfastd.inference.people import People
from holdfastd.inference.vocabulary import AGENT_WORDS, BY, KINSHIP_WORDS, PERSON_LIKE, PLACE_WORDS, SELF_WORDS

Clue = tuple[Entity, Key | None, frozenset[str]]

_MANY = 20  # tables that the same words may mean: beyond this only those near the referencing table are looked at
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


def _by_table_name(case: Case, naming: Naming) -> Iterator[Clue]:
    """`user_id`, `billing_address_id`, `artist`, `last_edit_sent`: the stem, or its end, beginning or middle, names a table."""
    stem = case.stem.words
    for dropped in range(min(len(stem), _ROLE_WORDS)):
        for reading in _readings(case, naming, stem[dropped:]):
            if reading.entity is case.entity and not dropped:
                continue  # `devices.device_id` is the device's own number
            yield reading.entity, None, frozenset({_manner(case, reading), f"role_{dropped}", *_extra(case, reading, stem[:dropped])})
    if case.stem.number:
        for reading in _readings(case, naming, (*stem, case.stem.number)):
            yield reading.entity, None, frozenset({_manner(case, reading), "role_0"})
    for start in range(len(stem)):
        for end in range(start + 1, len(stem)):
            for reading in _readings(case, naming, stem[start:end]):
                if not reading.after and len(reading.before) <= reading.entity.module:
                    yield reading.entity, None, frozenset({"inside", "role_after" if start == 0 else "role_around"})


def _readings(case: Case, naming: Naming, part: Words) -> tuple[Reading, ...]:
    found = naming.readings.get(squash(part), ())
    if len(found) <= _MANY:
        return found
    return tuple(reading for reading in found if not reading.after and _is_near(case, reading.entity))[:_MANY]


def _is_near(case: Case, entity: Entity) -> bool:
    """Tell whether a table is in the same schema and shares a word with the referencing one, or has no other words to share."""
    if entity.table.name.schema != case.entity.table.name.schema:
        return False
    return len(entity.own) == 1 or not set(case.entity.words).isdisjoint(entity.words)


def _manner(case: Case, reading: Reading) -> str:
    """How much of the table's name the words are."""
    entity = reading.entity
    if reading.after:
        return "head"
    if not reading.before:
        return "exact"
    if len(reading.before) <= entity.module:
        return "module"
    unexplained = reading.before[entity.module :]
    return "near" if set(unexplained) <= set(case.entity.words) else f"tail_{min(len(unexplained), 2)}"


def _extra(case: Case, reading: Reading, role: Words) -> Iterator[str]:
    """Words of the column before the table's name that the table's module prefix explains: `auth_user_id` → `auth_user`."""
    if role and reading.before and squash(role).endswith(squash(reading.before)):
        yield "role_is_prefix"
    if role and (BY in role or role[-1] in AGENT_WORDS):
        yield "agent_role"
    if role and set(role) & (SELF_WORDS | {"old", "new"}) and reading.entity.table.name == case.entity.table.name:
        yield "self_role"


def _by_context(case: Case, naming: Naming) -> Iterator[Clue]:
    """`orders.status_id` → `order_statuses`: the referencing table's own words complete the name."""
    name, stem = case.entity.words, case.stem.words
    if not stem:
        return
    for dropped in range(min(len(stem), 2)):
        for start in range(len(name)):
            for end in range(start + 1, len(name) + 1):
                for reading in naming.readings.get(squash((*name[start:end], *stem[dropped:])), ()):
                    if reading.after or reading.entity.table.name == case.entity.table.name:
                        continue
                    whole = start <= case.entity.module and end == len(name)
                    traits = {"context_whole" if whole else "context_part", f"role_{dropped}"}
                    yield (
                        reading.entity,
                        None,
                        frozenset(traits if len(reading.before) <= reading.entity.module else traits | {"context_tail"}),
                    )


def _by_key_name(case: Case, naming: Naming) -> Iterator[Clue]:
    """`hostid` → the table whose key is called `hostid`; with a role before it, too."""
    parts = case.words
    for dropped in range(len(parts)):
        rest = parts[dropped:]
        if len(squash(rest)) < _SHORTEST_ABBREVIATION or (len(rest) == 1 and dropped):
            return
        named = naming.key_names.get(squash(rest), ())
        for entity, key in named if len(named) <= _MANY else [each for each in named if _is_near(case, each[0])][:_MANY]:
            if entity.table.name != case.entity.table.name or dropped:
                rule = ("key_name" if key.is_primary else "unique_name") + ("_role" if dropped else "")
                told = {"key_name_in_context"} if not dropped and _within(entity.own, case.entity.words) else set()
                yield entity, key, frozenset({rule, *told})


def _by_table_and_key(case: Case, naming: Naming) -> Iterator[Clue]:
    """`currency_code` → `currencies.code`, whatever the language: the name of a table and of its key, together."""
    for entity, key in naming.qualified.get(squash(case.words), ()):
        yield entity, key, frozenset({"qualified"})


def _by_abbreviation(case: Case, naming: Naming) -> Iterator[Clue]:
    """`org_id` → `organizations`; `bu_id` → `business_units`."""
    stem = case.stem.words
    if not stem or case.stem.suffix not in STRONG_SUFFIXES or squash(stem) in naming.readings or stem[-1] in naming.readings:
        return
    last = stem[-1]
    if len(last) >= _SHORTEST_ABBREVIATION:
        longer = [entity for entity in naming.abbreviated.get(last[:_SHORTEST_ABBREVIATION], ()) if entity.words[-1].startswith(last)]
        for entity in longer if len(longer) <= _MANY else [each for each in longer if _is_near(case, each)][:_MANY]:
            yield entity, None, frozenset({"abbreviation"})
    for entity in naming.initials.get(last, ())[:_MANY]:
        yield entity, None, frozenset({"initials"})


def _to_itself(case: Case) -> Iterator[Clue]:
    """`parent_id`, `reply_to_id`, `rerun_of`."""
    stem = case.stem.words
    if not stem:
        return
    if stem[-1] in SELF_WORDS or stem[-1] == "of" or (stem[-1] == "to" and set(stem) & SELF_WORDS):
        yield case.entity, None, frozenset({"self"})
    elif stem[-1] in {"to", "for"} and case.stem.suffix and len(stem) > 1:
        yield case.entity, None, frozenset({"self_to"})
    elif case.stem.suffix and set(stem) & SELF_WORDS:
        yield case.entity, None, frozenset({"self_weak"})


def _to_people(case: Case, naming: Naming, people: People) -> Iterator[Clue]:
    """`reviewed_by`, `owner_id` → the users table of this schema, unless there is a table of reviewers or owners."""
    stem = case.stem.words
    if not stem or any(not reading.after and len(reading.before) <= reading.entity.module for reading in naming.readings.get(stem[-1], ())):
        return
    by, agent = BY in stem[-2:], stem[-1] in AGENT_WORDS or stem[-1].endswith(_AGENT_ENDINGS)
    if not (by or agent):
        return
    rule = "by" if by else "agent" if stem[-1] in AGENT_WORDS else "agent_like"
    for entity in people.entities:
        rank = people.rank(entity)
        yield entity, None, frozenset({rule, rank, f"{rule}_{rank}"})
    if set(stem) & KINSHIP_WORDS and case.entity.words[-1] in PERSON_LIKE:
        yield case.entity, None, frozenset({"kinship"})


def _of_its_owner(case: Case, naming: Naming) -> Iterator[Clue]:
    """`artist_redirect.new_id` → `artist`: a bare place or the table's own last word, in a table named after another one."""
    stem, name = case.stem.words, case.entity.words
    if not stem or not (case.stem.suffix or stem[-1] in SELF_WORDS):
        return
    rule = "place" if stem[-1] in PLACE_WORDS | SELF_WORDS else "own_end" if name[-1].startswith(stem[-1]) else "unread"
    if rule == "unread" and (len(stem) > 1 or stem[-1] in naming.readings):
        return
    for length in range(len(name) - 1, 0, -1):
        found = [
            reading
            for reading in naming.readings.get(squash(name[:length]), ())
            if not reading.after and len(reading.before) <= reading.entity.module
        ]
        for reading in found:
            yield reading.entity, None, frozenset({f"owner_by_{rule}"})
        if found:
            return


def _by_number(case: Case, naming: Naming) -> Iterator[Clue]:
    """`l_artist_work.entity0`, `entity1`: numbered columns follow the order of the tables in the table's name."""
    if not case.stem.number.isdigit() or case.entity.table.name not in naming.made_of:
        return
    made_of = naming.made_of[case.entity.table.name]
    place = int(case.stem.number) - (0 if naming.counts_from_zero(case.entity, case.column.name) else 1)
    if 0 <= place < len(made_of):
        yield made_of[place], None, frozenset({"numbered"})


def _extended(case: Case, naming: Naming) -> Iterator[Clue]:
    """`artist_meta.id` → `artist`: the only column of a primary key, in a table named after another one that no other column names."""
    if case.entity.table.primary_key != (case.column.name,):
        return
    name = case.entity.words
    others = {squash(stem_of(parts).words[-1:]) for parts in case.entity.column_names}
    for length in range(len(name), 0, -1):
        for reading in naming.readings.get(squash(name[:length]), ()):
            if not reading.after and len(reading.before) <= reading.entity.module and reading.entity.table.name != case.entity.table.name:
                told = "otherwise_named" if name[length - 1] in others or squash(name[:length]) in others else "not_otherwise_named"
                yield reading.entity, None, frozenset({"extends", f"extends_{min(len(name) - length, 3)}", told})


def _within(part: Words, whole: Words) -> bool:
    """Tell whether words occur in others, side by side and in order."""
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))
