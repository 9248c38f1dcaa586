"""The relationship map as plain text: under each referenced table, what hangs on it.

users (id: character varying)
├── reports.user_id (nullable, undeclared)
└── user_vehicles.user_id (required, undeclared): 3 orphan rows
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from holdfastd.catalog.outline import TableOutline
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet, TableName, readable
from holdfastd.report.map.lettering import harmless
from holdfastd.report.map.states import State, column_words, orphan_words, shown, state_of, table_words, usual_schema


def tree(tables: Sequence[TableOutline], relationships: Sequence[Relationship], *, include_review: bool = False) -> tuple[str, ...]:
    """Return the map as lines of text, referenced tables by how much hangs on them, an empty line between two; none without relationships.

    A key that is not the usual one of its table has a block of its own. Validated keys go without saying.
    """
    drawn = shown(relationships, include_review=include_review)
    schema = usual_schema(tables, drawn)
    known = {table.name: table for table in tables}
    under: dict[ColumnSet, list[Relationship]] = defaultdict(list)
    for each in drawn:
        under[each.referenced].append(each)
    weight: dict[TableName, int] = defaultdict(int)
    for key, hanging in under.items():
        weight[key.table] += len(hanging)
    lines: list[str] = []
    for key in sorted(under, key=lambda each: (-weight[each.table], each.table, -len(under[each]), each.columns)):
        lines += [""] if lines else []
        lines.append(f"{table_words(key.table, schema)} ({_key_words(key, known)})")
        lines += [
            f"{'└──' if each is under[key][-1] else '├──'} {table_words(each.referencing.table, schema)}.{_line_words(each)}"
            for each in under[key]
        ]
    return tuple(lines)


def _key_words(key: ColumnSet, known: Mapping[TableName, TableOutline]) -> str:
    types = {column.name: column.type for column in known[key.table].columns} if key.table in known else {}
    return harmless(", ".join(f"{readable(name)}: {types[name]}" if name in types else readable(name) for name in key.columns))


def _line_words(relationship: Relationship) -> str:
    state = state_of(relationship)
    needed = "nullable" if relationship.nullable else "required"
    told = needed if state is State.VALIDATED else f"{needed}, {state.words}"
    orphans = f": {orphan_words(relationship)}" if relationship.orphan_rows.value or not relationship.orphan_rows.is_known else ""
    return f"{column_words(relationship.referencing)} ({told}){orphans}"
