"""Words and what they may mean, with a short way to the meanings near a table.

In a schema of ten thousand tables `user` is part of hundreds of names. Those that matter for a column are few: the table simply called
so, and those whose other words the referencing table shares.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from holdfastd.inference.naming.entities import Entity

Meaning = TypeVar("Meaning")

#: Meanings of one word beyond which only the near ones are looked at, and at most so many of them.
MANY = 12


class Lexicon(Generic[Meaning]):
    """Squashed words -> meanings, each of which belongs to a table."""

    __slots__ = ("_entity_of", "_found", "_is_plain", "_near")

    def __init__(
        self,
        listed: Iterable[tuple[str, Meaning]],
        entity_of: Callable[[Meaning], Entity],
        is_plain: Callable[[Meaning], bool] = lambda _: False,
    ) -> None:
        """List every word's meanings; plain ones are near from everywhere unless there are many of them, too."""
        found: dict[str, list[Meaning]] = defaultdict(list)
        for word, meaning in listed:
            found[word].append(meaning)
        self._found = {word: tuple(meanings) for word, meanings in found.items()}
        self._entity_of = entity_of
        self._is_plain = is_plain
        self._near: dict[str, dict[tuple[str, str], list[Meaning]]] = {}

    def __contains__(self, word: str) -> bool:
        """Tell whether a word means anything."""
        return word in self._found

    def all(self, word: str) -> Sequence[Meaning]:
        """Return every meaning of a word."""
        return self._found.get(word, ())

    def near(self, word: str, entity: Entity) -> Sequence[Meaning]:
        """Return the meanings of a word that are near a table: all of them unless there are many."""
        found = self._found.get(word, ())
        return found if len(found) <= MANY else self._nearest(word, entity)

    def _nearest(self, word: str, entity: Entity) -> Sequence[Meaning]:
        index = self._near.get(word)
        if index is None:
            index = self._near[word] = self._indexed(word)
        schema = entity.table.name.schema
        plain = index.get((schema, "")) or index.get(("", ""), [])
        chosen = dict.fromkeys(plain if len(plain) <= MANY else ())
        shared = sorted((index[schema, each] for each in set(entity.words) if (schema, each) in index), key=len)
        for meanings in shared:
            # A word that all of them share tells nothing apart.
            if len(chosen) >= MANY or (chosen and len(meanings) > 2 * MANY):
                break
            chosen.update(dict.fromkeys(meanings[:MANY]))
        return tuple(chosen)[: 2 * MANY]

    def _indexed(self, word: str) -> dict[tuple[str, str], list[Meaning]]:
        index: dict[tuple[str, str], list[Meaning]] = defaultdict(list)
        for meaning in self._found[word]:
            entity = self._entity_of(meaning)
            schema = entity.table.name.schema
            if self._is_plain(meaning):
                index[schema, ""].append(meaning)
                index["", ""].append(meaning)
            for each in set(entity.words):
                if each != word:
                    index[schema, each].append(meaning)
        return dict(index)
