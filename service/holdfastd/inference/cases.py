"""The question asked of every column: is it a reference, and to what?

A `Case` is one column with what is known about it; an `Option` is one key it may point at. Both carry traits: short names of
observations, which `confidence` weighs and `wording` puts into words.
"""

from dataclasses import dataclass, replace

from holdfastd.catalog.model import Column
from holdfastd.inference.names import Stem
from holdfastd.inference.naming import Entity, Key, Words
from holdfastd.inference.types import Fit
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
        return ColumnSet(self.entity.table.name, (self.key.column.name,))

    def having(self, *traits: str) -> "Option":
        """Return the option with more traits."""
        return replace(self, traits=self.traits | set(traits))


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
