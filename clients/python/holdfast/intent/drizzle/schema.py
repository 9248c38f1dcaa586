"""All tables of a Drizzle schema, found by the names that a file uses for them."""

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence

from holdfast.intent.drizzle.modules import Module
from holdfast.intent.drizzle.tables import Table
from holdfast.intent.model import Columns

Place = tuple[Table, str]


class Schema:
    """The tables of a schema."""

    def __init__(self, tables: Sequence[Table], modules: Mapping[str, Module]) -> None:
        """Sort tables by the constant that holds them."""
        self.modules = modules
        self._by_variable: dict[str, list[Table]] = defaultdict(list)
        for table in tables:
            self._by_variable[table.variable].append(table)

    def table(self, module: Module, names: Sequence[str]) -> Table | None:
        """Return the table that a file calls `users` or `schema.users`: of the file itself, as imported, or the only one of that name."""
        if not names:
            return None
        known = self._by_variable.get(module.original(names[-1]) if len(names) == 1 else names[-1], ())
        if len(known) > 1:
            home = module.imported_from(names[0])
            near = [each for each in known if each.module is (home or module)]
            # An index.ts that only passes on what its folder holds.
            folder = posixpath.dirname((home or module).path)
            near = near or [each for each in known if posixpath.dirname(each.module.path) == folder]
            return near[0] if len(near) == 1 else None
        return known[0] if known else None

    def column(self, module: Module, names: Sequence[str], *, own: Table | None = None) -> Place | None:
        """Return the table and the property that `users.id` means; the parameter of a table's own function stands for that table."""
        if len(names) < 2:  # noqa: PLR2004 (a table and a column)
            return None
        table = self.table(module, names[:-1])
        if table is None and own is not None and len(names) == 2:  # noqa: PLR2004
            table = own
        return (table, names[-1]) if table is not None and names[-1] in table.columns else None

    def together(self, places: Sequence[Place | None]) -> Columns | None:
        """Return columns of one table; None when they are not, or one is unknown."""
        found = [each for each in places if each is not None]
        if not found or len(found) != len(places) or any(each[0] is not found[0][0] for each in found):
            return None
        return found[0][0].named([each[1] for each in found])
