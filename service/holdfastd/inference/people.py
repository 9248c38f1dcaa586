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


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Tables of people, and what is seen of each."""

    entities: tuple[Entity, ...]
    traits: Mapping[TableName, frozenset[str]]

    def includes(self, name: TableName) -> bool:
        """Tell whether a table holds people."""
        return name in self.traits


def find_people(naming: Naming) -> People:
    """Return the tables that may hold people, at most four, the likeliest first."""
    signs = {name: len(_signs(entity)) for name, entity in naming.entities.items() if any(key.entry is not None for key in entity.keys)}
    plain = {name: _plainness(naming.entities[name]) for name in signs}
    candidates = [name for name in signs if plain[name] or signs[name] >= _FEWEST_SIGNS]
    if not candidates:
        return People(entities=(), traits={})
    named = _named_after(naming)
    ranked = sorted(candidates, key=lambda name: (-signs[name] - plain[name] - min(named[name], 12) / 3, str(name)))[:_MOST]
    return People(
        entities=tuple(naming.entities[name] for name in ranked),
        traits={name: frozenset(_traits(naming, name, ranked, signs, plain, named)) for name in ranked},
    )


def _traits(naming: Naming, name: TableName, ranked: list[TableName], signs: Mapping[TableName, int], plain: Mapping[TableName, float], named: Counter[TableName]) -> set[str]:
    """What speaks for one table compared with the others."""
    found = {f"people_{ranked.index(name)}"}
    if signs[name] == max(signs[other] for other in ranked) and signs[name] >= _FEWEST_SIGNS:
        found.add("people_most_signs")
    if named[name] == max(named[other] for other in ranked) and named[name]:
        found.add("people_most_named")
    if not any(_refers(naming.entities[name], naming.entities[other]) for other in ranked if other != name):
        found.add("people_root")
    if plain[name] == max(plain[other] for other in ranked) and plain[name]:
        found.add("people_plainest")
    return found


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
