"""Which table is the users table here: people log into it, and columns like `user_id` point at it.

In comes a schema's naming; out come the tables that may hold people, with what speaks for each. Nothing depends on one table's name:
a table of editors with an e-mail address and a password holds people as well.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from holdfastd.inference.names import stem_of
from holdfastd.inference.naming import Entity, Naming, squash
from holdfastd.inference.vocabulary import PERSON_SIGNS, PERSON_WORDS
from holdfastd.names import TableName

_MOST = 4  # tables looked at for a column that names somebody
_FEWEST_SIGNS = 2
_ACCOUNT_SIGNS = {"email", "password"}
_FAME = 12  # columns named after a table beyond which more say nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Tables of people, the likeliest users table first."""

    entities: tuple[Entity, ...]

    def rank(self, entity: Entity) -> str:
        """Return the place of a table as a trait; the first one is `sure` when people can be written to or log in there."""
        place = self.entities.index(entity)
        return "people_sure" if place == 0 and _signs(entity) & _ACCOUNT_SIGNS else f"people_{place}"


def find_people(naming: Naming) -> People:
    """Return the tables that may hold people, at most four, the likeliest first."""
    usable = [entity for entity in naming.entities.values() if any(key.entry is not None for key in entity.keys)]
    named = _named_after(naming)
    scores = {
        entity.table.name: len(_signs(entity)) + _plainness(entity) + 2 * min(named[entity.table.name], _FAME) / _FAME
        for entity in usable
        if len(_signs(entity)) >= _FEWEST_SIGNS or _plainness(entity)
    }
    roots = _with_roots(naming, scores)
    ranked = sorted(roots, key=lambda name: (-roots[name], str(name)))[:_MOST]
    return People(entities=tuple(naming.entities[name] for name in ranked))


def _with_roots(naming: Naming, scores: Mapping[TableName, float]) -> dict[TableName, float]:
    """Raise a table above those that refer to it: a `local_user` with a `person_id` is a person's, not the person."""
    raised = dict(scores)
    for name in scores:
        for other in scores:
            refers = name != other and _refers(naming.entities[name], naming.entities[other])
            if refers and not _refers(naming.entities[other], naming.entities[name]):
                raised[other] = max(raised[other], scores[name] + 1)
    return raised


def _refers(entity: Entity, other: Entity) -> bool:
    """Tell whether a table has a column named after another one, so that the other one is the root of the two."""
    return any(stem.suffix and stem.words in (other.words, other.own) for stem in map(stem_of, entity.column_names))


def _signs(entity: Entity) -> set[str]:
    """Columns that only people have."""
    squashed = {squash(stem_of(naming_words).words) for naming_words in entity.column_names}
    return {sign for sign, spellings in PERSON_SIGNS.items() if squashed & spellings}


def _plainness(entity: Entity) -> float:
    """How plainly a table is named after people: `users` 4, `auth_user` 4, `local_user` 3, `staff` less."""
    own = entity.own
    if not own or own[-1] not in PERSON_WORDS:
        return 0.0
    return max(4.0 - PERSON_WORDS.index(own[-1]) / 2 - (len(own) - 1), 0.5)


def _named_after(naming: Naming) -> Counter[TableName]:
    """How many columns elsewhere are called exactly after a table, its module's prefix aside."""
    counts: Counter[TableName] = Counter()
    for entity in naming.entities.values():
        for parts in entity.column_names:
            stem = stem_of(parts)
            for reading in naming.readings.get(squash(stem.words), ()) if stem.suffix else ():
                if not reading.after and len(reading.before) <= reading.entity.module and reading.entity is not entity:
                    counts[reading.entity.table.name] += 1
    return counts
