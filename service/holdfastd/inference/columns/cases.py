"""The question asked of every column: is it a reference, and to what?

A `Case` is one column with what is known about it; an `Option` is one key it may point at. Both carry traits: short names of
observations, which `confidence` weighs and `wording` puts into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import Column
from holdfastd.inference.naming.entities import Entity, Key, Words
from holdfastd.inference.naming.types import Fit
from holdfastd.inference.naming.words import Stem
from holdfastd.names import ColumnSet

Traits = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A key that a column may point at."""

    entity: Entity
    key: Key
    fit: Fit
    traits: Traits

    @property
    def referenced(self) -> ColumnSet:
        """The key as columns of its table."""
        return self.key.referenced

    def with_traits(self, traits: Traits) -> "Option":
        """Return the option with other traits."""
        return Option(entity=self.entity, key=self.key, fit=self.fit, traits=traits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A column whose name or type could be a reference."""

    entity: Entity
    column: Column
    words: Words
    stem: Stem
    traits: Traits
    options: tuple[Option, ...] = ()

    @property
    def referencing(self) -> ColumnSet:
        """The column as a set of one."""
        return ColumnSet(self.entity.table.name, (self.column.name,))

    def having(self, traits: Traits, options: Sequence[Option]) -> "Case":
        """Return the case with other traits and options."""
        return Case(entity=self.entity, column=self.column, words=self.words, stem=self.stem, traits=traits, options=tuple(options))
