"""Which relationships a deletion reaches along: keys that act, and relationships that no key protects. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from holdfastd.catalog.indexes import Comparison, serving_index
from holdfastd.catalog.model import Catalog, ForeignKey, Match, OnDelete
from holdfastd.evidence.impact.model import Arm
from holdfastd.names import ColumnSet, TableName, relationship_id

#: Reading a whole table of so many bytes is no burden.
_SMALL_BYTES = 1024 * 1024
_CHANGING = (OnDelete.SET_NULL, OnDelete.SET_DEFAULT)


def arms_of(catalog: Catalog, planned: Iterable[Arm], *, allow_scans: bool) -> dict[TableName, tuple[Arm, ...]]:
    """Return the arms by the leaf table that is referenced.

    `planned`: keys that a plan adds, and undeclared relationships; those that are declared by now are left out.
    """
    declared = [_declared(key) for key in catalog.foreign_keys if key.enforced and key.triggers_enabled]
    known = {(arm.referencing, arm.referenced) for arm in declared}
    undeclared = [arm for arm in planned if (arm.referencing, arm.referenced) not in known and _stands(catalog, arm)]
    found: dict[TableName, list[Arm]] = {}
    for arm in (*declared, *undeclared):
        for leaf in _between_leaves(catalog, arm):
            indexed = allow_scans or _is_searchable(catalog, leaf)
            found.setdefault(leaf.referenced.table, []).append(replace(leaf, indexed=indexed))
    return {table: tuple(arms) for table, arms in found.items()}


def find_doubts(catalog: Catalog, arms: Sequence[Arm]) -> Iterator[str]:
    """Yield why the answer may differ from what PostgreSQL does, given the arms that reach rows."""
    yield from _disagreements(arms)
    for arm in arms:
        if arm.on_delete in _CHANGING:
            yield from _chances_of_change(catalog, arm)
    for table in dict.fromkeys(table for arm in arms for table in (arm.referenced.table, arm.referencing.table)):
        if catalog.tables[table].has_rules or any(each.fires_on(delete=True, update=True) for each in catalog.tables[table].triggers):
            yield f"triggers or rules of {table} may do more, or forbid it"


def _disagreements(arms: Sequence[Arm]) -> Iterator[str]:
    actions: dict[tuple[TableName, str], set[OnDelete]] = {}
    for arm in arms:
        if arm.on_delete is not None:
            for column in arm.referencing.columns:
                actions.setdefault((arm.referencing.table, column), set()).add(arm.on_delete)
    for (table, column), several in actions.items():
        if len(several) > 1:
            yield f"keys of {table} disagree about {column} ({', '.join(sorted(several))}): which acts first is PostgreSQL's choice"


def _chances_of_change(catalog: Catalog, arm: Arm) -> Iterator[str]:
    if _is_referenced(catalog, arm):
        yield f"{arm.referencing} is referenced itself: changing it may act on further rows"
    if arm.on_delete is OnDelete.SET_DEFAULT:
        yield f"the default of {arm.referencing} may reference nothing, which would make the deletion fail"
    if _is_match_full(catalog, arm):
        yield f"a key on {arm.referencing} is MATCH FULL: changing only some of its columns would make the deletion fail"


def _declared(key: ForeignKey) -> Arm:
    return Arm(
        relationship_id=relationship_id(key.referencing, key.referenced),
        constraint_name=key.name,
        referencing=key.referencing,
        referenced=key.referenced,
        operators=key.operators,
        on_delete=key.on_delete,
        changed=key.set_null_columns or key.referencing.columns,
    )


def _stands(catalog: Catalog, arm: Arm) -> bool:
    tables = catalog.tables
    return bool(arm.operators) and all(
        columns.table in tables and tables[columns.table].has_columns(columns.columns) for columns in (arm.referencing, arm.referenced)
    )


def _between_leaves(catalog: Catalog, arm: Arm) -> Iterator[Arm]:
    """Yield an arm once per pair of tables that hold the rows: an address is one of a leaf partition."""
    for referencing in catalog.leaves(arm.referencing.table):
        for referenced in catalog.leaves(arm.referenced.table):
            yield replace(
                arm,
                referencing=ColumnSet(referencing, arm.referencing.columns),
                referenced=ColumnSet(referenced, arm.referenced.columns),
            )


def _is_searchable(catalog: Catalog, arm: Arm) -> bool:
    table = catalog.tables[arm.referencing.table]
    comparison = Comparison(operators=arm.operators, types=catalog.types)
    is_small = table.row_estimate >= 0 and table.size_bytes <= _SMALL_BYTES
    return is_small or serving_index(table, arm.referencing.columns, comparison) is not None


def _is_referenced(catalog: Catalog, arm: Arm) -> bool:
    table = arm.referencing.table
    places = {table, *catalog.tables_above(table)}
    return any(key.referenced.table in places and set(key.referenced.columns) & set(arm.changed) for key in catalog.foreign_keys)


def _is_match_full(catalog: Catalog, arm: Arm) -> bool:
    table = arm.referencing.table
    return any(
        key.match is Match.FULL and len(key.referencing.columns) > 1 and set(key.referencing.columns) & set(arm.changed)
        for place in (table, *catalog.tables_above(table))
        for key in catalog.tables[place].foreign_keys
    )
