"""Finding the tables and columns that an application names: in come its names, out come the catalog's, or what is missing.

Names are compared as they are, then without quotes and cut to what PostgreSQL keeps of them, then in any case; those of columns, last,
without their underscores.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from holdfastd.catalog.model import Catalog, Table
from holdfastd.inference.model import Intended
from holdfastd.names import MAX_NAME_BYTES, ColumnSet, TableName, readable

_USUAL_SCHEMA = "public"
#: Names for which a similar one is looked for: each look compares it with all others.
_LOOKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What was not found: a table, or something about one."""

    table: TableName
    #: The column; empty when the table itself is missing.
    column: str = ""
    #: Why names that were found cannot be meant; empty when something was not found.
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What applications name and the database does not have."""

    missing: Missing
    #: Where it is named; may be none.
    origins: tuple[str, ...]
    #: What is there and called alike, as people write it; empty when nothing is.
    alike: str = ""
    #: There is something of the table's name, but nothing that a foreign key could be put on.
    is_other: bool = False


class Unmatched(Exception):
    """A declaration names something that is not there."""

    def __init__(self, missing: Missing) -> None:
        """Take what is missing."""
        super().__init__(missing)
        self.missing = missing


class Lookup:
    """The names of a catalog, by every way in which an application may spell them."""

    def __init__(self, catalog: Catalog) -> None:
        """Sort the names of all tables."""
        self._catalog = catalog
        self._named: dict[str, list[TableName]] = defaultdict(list)
        self._folded: dict[str, list[TableName]] = defaultdict(list)
        for name in catalog.tables:
            self._named[name.name].append(name)
            self._folded[name.name.casefold()].append(name)
        self._looks = 0

    def pair(self, intent: Intended) -> tuple[ColumnSet, ColumnSet]:
        """Return the columns that a declaration means; Unmatched when they are not there."""
        table, goal = self._table(intent.referencing.table), self._table(intent.referenced.table)
        columns = tuple(_column(table, name) for name in intent.referencing.columns)
        keys = tuple(_column(goal, name) for name in intent.referenced.columns) or goal.primary_key
        referencing, referenced = ColumnSet(table.name, columns), ColumnSet(goal.name, keys)
        if not keys:
            reason = f"{goal.name} has no primary key, and no other columns of it are named"
        elif len(columns) != len(keys):
            reason = f"{referencing} cannot reference the {len(keys)} columns of {referenced}"
        elif referencing == referenced:
            reason = f"{referencing} is declared to reference itself"
        else:
            return referencing, referenced
        raise Unmatched(Missing(table=table.name, column=columns[0], reason=reason))

    def _table(self, named: TableName) -> Table:
        for known, name in ((self._named, named.name), (self._named, _bare(named.name)), (self._folded, _bare(named.name).casefold())):
            found = [each for each in known.get(name, ()) if not named.schema or _is_same(each.schema, named.schema)]
            if len(found) > 1:
                found = [each for each in found if each.schema == (named.schema or _USUAL_SCHEMA)] or found
            if len(found) > 1:
                text = f"{readable(named.name)} may be {' or '.join(map(str, sorted(found)[:3]))}, and no schema says which"
                raise Unmatched(Missing(table=found[0], reason=text))
            if found:
                return self._ours(self._catalog.tables[found[0]])
        raise Unmatched(Missing(table=TableName(named.schema or _USUAL_SCHEMA, named.name)))

    def _ours(self, table: Table) -> Table:
        if table.only_referenced:
            text = f"{table.name} is a partition or belongs to an extension"
            raise Unmatched(Missing(table=table.name, reason=text))
        return table

    def explain(self, missing: Missing, origins: Sequence[str]) -> Unknown:
        """Return what is missing with where it is named, and what is called alike."""
        table, alike, is_other = missing.table, "", False
        if not missing.reason and missing.column:
            found = self._alike(missing.column, (each.name for each in self._catalog.tables[table].columns))
            alike = readable(found) if found else ""
        elif not missing.reason:
            is_other = table.name in self._catalog.relation_names.get(table.schema, frozenset())
            alike = "" if is_other else self._alike_table(table)
        return Unknown(missing=missing, origins=tuple(dict.fromkeys(filter(None, origins))), alike=alike, is_other=is_other)

    def _alike_table(self, table: TableName) -> str:
        elsewhere = self._named.get(table.name) or self._folded.get(table.name.casefold())
        alike = self._alike(table.name, self._named) if not elsewhere else ""
        found = elsewhere or self._named.get(alike, [])
        return str(min(found, key=lambda each: (each.schema != table.schema, each))) if found else ""

    def _alike(self, name: str, among: Iterable[str]) -> str:
        self._looks += 1
        if self._looks > _LOOKS:
            return ""
        near = [each for each in among if abs(len(each) - len(name)) <= max(2, len(name) // 3)]
        return next(iter(get_close_matches(name, near, n=1, cutoff=0.7)), "")


def _bare(name: str) -> str:
    """Return a name without quotes around it, cut as PostgreSQL cuts it."""
    if len(name) > 2 and name[0] == name[-1] == '"':  # noqa: PLR2004 (two quotes and something between)
        name = name[1:-1].replace('""', '"')
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


def _squeezed(name: str) -> str:
    """`userId` and `user_id` are one name to applications that turn the one into the other."""
    return name.replace("_", "").casefold()


def _is_same(ours: str, named: str) -> bool:
    return ours in {named, _bare(named)} or ours.casefold() == named.casefold()


def _column(table: Table, named: str) -> str:
    names = [column.name for column in table.columns]
    if named in names:
        return named
    bare = _bare(named)
    if bare in names:
        return bare
    for fold in (str.casefold, _squeezed):
        alike = [name for name in names if fold(name) == fold(bare)]
        if len(alike) == 1:
            return alike[0]
    raise Unmatched(Missing(table=table.name, column=named))
