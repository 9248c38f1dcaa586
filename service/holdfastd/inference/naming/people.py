"""Which table is the users table here: people log into it, and columns like `user_id` point at it.

In comes a schema's naming; out come the tables that may hold people, with what speaks for each. Nothing depends on one table's name:
a table of editors with an e-mail address and a password holds people as well.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfastd.inference.naming.entities import Entity, squash
from holdfastd.inference.naming.learn import Naming
from holdfastd.inference.naming.vocabulary import PERSON_SIGNS, PERSON_WORDS
from holdfastd.inference.naming.words import stem_of
from holdfastd.names import TableName

_MOST = 4  # tables looked at for a column that names somebody
_COMPARED = 24  # likeliest tables that are asked which of them refers to which
_FEWEST_SIGNS = 2
_ACCOUNT_SIGNS = {"email", "password"}
_FAME = 12  # columns named after a table beyond which more say nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Tables of people, the likeliest users table first."""

    entities: tuple[Entity, ...]
    naming: Naming
    _near: dict[str, tuple[tuple[Entity, str], ...]] = field(default_factory=dict)

    def near(self, entity: Entity) -> tuple[tuple[Entity, str], ...]:
        """Return the tables of people for a referencing table: those of its own schema where the same table exists in several.

        Each comes with its place as a trait; the first one is `sure` when people can be written to or log in there.
        """
        schema = entity.name.schema
        found = self._near.get(schema)
        if found is None:
            own = [self.naming.entities.get(TableName(schema, each.name.name), each) for each in self.entities]
            found = self._near[schema] = tuple((each, _rank(place, each)) for place, each in enumerate(own))
        return found


def _rank(place: int, entity: Entity) -> str:
    return "people_sure" if place == 0 and _signs(entity) & _ACCOUNT_SIGNS else f"people_{place}"


def find_people(naming: Naming) -> People:
    """Return the tables that may hold people, at most four of different names, the likeliest first."""
    named = _named_after(naming)
    scores = {}
    for entity in naming.entities.values():
        signs, plainness = len(_signs(entity)), _plainness(entity)
        if (signs >= _FEWEST_SIGNS or plainness) and entity.is_referenceable:
            scores[entity.name] = signs + plainness + 2 * min(named[entity.name], _FAME) / _FAME
    roots = _with_roots(naming, dict(sorted(scores.items(), key=lambda each: (-each[1], str(each[0])))[:_COMPARED]))
    ranked = sorted(roots, key=lambda name: (-roots[name], str(name)))
    distinct = list({name.name: name for name in reversed(ranked)}.values())[::-1]
    return People(entities=tuple(naming.entities[name] for name in distinct[:_MOST]), naming=naming)


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
    return {sign for sign, spellings in PERSON_SIGNS.items() if not squashed.isdisjoint(spellings)}


def _plainness(entity: Entity) -> float:
    """How plainly a table is named after people: `users` 4, `auth_user` 4, `local_user` 3, `staff` less."""
    own = entity.own
    if not own or own[-1] not in PERSON_WORDS:
        return 0.0
    return max(4.0 - PERSON_WORDS.index(own[-1]) / 2 - (len(own) - 1), 0.5)


def _named_after(naming: Naming) -> Counter[TableName]:
    """How many columns elsewhere are called exactly after a table, its module's prefix aside."""
    used = Counter(stem_of(parts).words for entity in naming.entities.values() for parts in entity.column_names if stem_of(parts).suffix)
    counts: Counter[TableName] = Counter()
    for stem, times in used.items():
        for reading in naming.readings.all(squash(stem)):
            if reading.is_plain:
                counts[reading.entity.name] += times - _own_columns(reading.entity, stem)
    return counts


def _own_columns(entity: Entity, stem: tuple[str, ...]) -> int:
    return sum(each.suffix != "" and each.words == stem for each in map(stem_of, entity.column_names))
