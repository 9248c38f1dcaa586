"""ADD_FOREIGN_KEY and VALIDATE_FOREIGN_KEY where the referencing table is partitioned.

Since 18 the root's key can be NOT VALID, as any other. Before, it is made from its parts: every leaf gets its key NOT VALID, is cleaned
up and validated, and at last the root's key takes them over without reading the rows again. It must not come earlier: next to a part
that is not valid PostgreSQL would make a second one.

A key that a leaf had of its own, saying the same, is taken over as well, and dropped with the root's: a rollback makes it again. A
valid one comes back NOT VALID in the very transaction that drops the root's, so that no orphan row slips in between, and is validated
after rows came back; one that was not valid comes back only then, as its orphan rows do.
"""

from collections.abc import Iterator
from dataclasses import replace

from holdfastd.catalog.model import Catalog, ForeignKey, TableKind
from holdfastd.names import ColumnSet, TableName, identifier, literal, qualified
from holdfastd.plan.blocks import quoted
from holdfastd.plan.edges import adopted_key
from holdfastd.plan.locks import with_partitions
from holdfastd.plan.model import Decision, Hazard, HazardKind, LockLevel, LockPolicy, Statement, Step, TableLock
from holdfastd.plan.partition_conditions import both, key_is_own
from holdfastd.plan.steps.foreign_key import add_foreign_key, revalidated, validate_foreign_key

#: Before, the key of a partitioned table cannot be NOT VALID (42809).
_NOT_VALID_ROOT = 180_000


def is_made_of_parts(catalog: Catalog, decision: Decision) -> bool:
    """Tell whether the key must be made leaf by leaf, the root's last."""
    is_partitioned = catalog.tables[decision.referencing.table].kind is TableKind.PARTITIONED
    return is_partitioned and catalog.identity.version_number < _NOT_VALID_ROOT


def add_keys(catalog: Catalog, decision: Decision) -> Iterator[Step]:
    """Yield the steps that start enforcement: one key, or one per leaf that has none."""
    if not is_made_of_parts(catalog, decision):
        yield _add_root(catalog, decision)
        return
    for leaf, own in _holders(catalog, decision).items():
        if own is None:
            step = with_partitions(catalog, add_foreign_key(0, _on(decision, leaf, decision.constraint_name)))
            title = f"Add {decision.constraint_name} NOT VALID to {leaf}: enforcement starts there"
            yield replace(step, title=title, undo_when=both(step.undo_when, key_is_own(leaf, decision.constraint_name)))


def validate_keys(catalog: Catalog, decision: Decision) -> Iterator[Step]:
    """Yield the steps that prove the key leaf by leaf, then as a whole."""
    in_parts = is_made_of_parts(catalog, decision)
    for table, own in _holders(catalog, decision).items():
        part = _on(decision, table, own.name if own is not None else decision.constraint_name)
        step = validate_foreign_key(0, part, rows=max(int(catalog.tables[table].row_estimate), 0))
        step = replace(step, title=f"{step.title} on {table}")
        if own is not None and not own.validated and in_parts:
            step = revalidated(step, part, own)
            step = replace(step, undo_when=both(step.undo_when, key_is_own(table, own.name)))
        yield with_partitions(catalog, step)
    yield _add_whole(catalog, decision) if in_parts else _validate_whole(catalog, decision)


def _holders(catalog: Catalog, decision: Decision) -> dict[TableName, ForeignKey | None]:
    """Return the tables that hold the parts of the key: leaves, or what has a key of its own already that says the same."""
    root = decision.referencing.table
    holders: dict[TableName, ForeignKey | None] = {}
    for leaf in (each for each in catalog.leaves(root) if each != root):
        keys = {each: adopted_key(catalog, decision, each) for each in (leaf, *catalog.tables_above(leaf)) if each != root}
        holder = next((each for each, key in keys.items() if key is not None), leaf)
        holders[holder] = keys[holder]
    return holders


def _on(decision: Decision, leaf: TableName, constraint_name: str) -> Decision:
    """Return the decision about one leaf."""
    return replace(decision, referencing=ColumnSet(leaf, decision.referencing.columns), constraint_name=constraint_name)


def _add_root(catalog: Catalog, decision: Decision) -> Step:
    """Return the step that adds the key NOT VALID to the root, and so to all partitions."""
    step = with_partitions(catalog, add_foreign_key(0, decision))
    own = _own_keys(catalog, decision)
    return _taking_over(catalog, decision, step, own) if own else step


def _add_whole(catalog: Catalog, decision: Decision) -> Step:
    """Return the step that makes the root's key of its validated parts."""
    step = with_partitions(catalog, add_foreign_key(0, decision))
    add = step.statements[0]
    step = replace(
        step,
        title=f"Add {decision.constraint_name} to {decision.referencing.table}: its partitions' keys become one",
        statements=(replace(add, sql=add.sql.removesuffix(" NOT VALID")),),
        hazards=tuple(hazard for hazard in step.hazards if hazard.kind is HazardKind.BLOCKS_WRITES),
    )
    if not catalog.leaves(decision.referencing.table):
        return step
    return _taking_over(catalog, decision, step, _own_keys(catalog, decision))


def _validate_whole(catalog: Catalog, decision: Decision) -> Step:
    """Return the step that marks the root's key validated; all leaves are by then, so it reads nothing again."""
    root = decision.referencing.table
    step = validate_foreign_key(0, decision, rows=0)
    own = _own_keys(catalog, decision)
    levels = [each for each in catalog.partitions_below(root) if catalog.tables[each].kind is TableKind.PARTITIONED and each not in own]
    locks = tuple(TableLock(table=each, level=LockLevel.SHARE_UPDATE_EXCLUSIVE) for each in (root, *levels))
    message = f"Reads only partitions of {root} that appeared since the plan was made; VACUUM and DDL wait."
    return replace(
        step,
        title=f"{step.title} on {root} as a whole",
        statements=(replace(step.statements[0], locks=locks),),
        hazards=(Hazard(kind=HazardKind.SCANS_TABLE, message=message),),
    )


def _own_keys(catalog: Catalog, decision: Decision) -> dict[TableName, ForeignKey]:
    return {table: key for table, key in _holders(catalog, decision).items() if key is not None}


def _taking_over(catalog: Catalog, decision: Decision, step: Step, own: dict[TableName, ForeignKey]) -> Step:
    """Return the step with what taking over keys of partitions asks for: the referenced table, all to itself, and their return."""
    referenced = decision.referenced.table
    exclusive = {referenced, *catalog.partitions_below(referenced)}
    if len(exclusive) > 1:
        exclusive.update(catalog.leaves(decision.referencing.table))
    add = step.statements[0]
    locks = tuple(replace(lock, level=LockLevel.ACCESS_EXCLUSIVE) if lock.table in exclusive else lock for lock in add.locks)
    if is_made_of_parts(catalog, decision):
        # The key of a level is taken over as it is, without a look at what is below.
        untouched = {each for table in own for each in catalog.partitions_below(table)} - exclusive
        locks = tuple(lock for lock in locks if lock.table not in untouched)
    message = f"Readers of {', '.join(map(str, sorted(exclusive)))} wait for an instant, and this waits for those that run."
    hazards = [*step.hazards, Hazard(kind=HazardKind.BLOCKS_READS, message=message)]
    if own:
        kept = ", ".join(f"{key.name} of {table}" for table, key in own.items())
        message = f"It takes over {kept}; undoing drops and adds them again, and reads those partitions while VACUUM and DDL wait."
        hazards.append(Hazard(kind=HazardKind.BLOCKS_WRITES, message=message))
    return replace(step, statements=(replace(add, locks=locks),), undo=_undoing(catalog, step, own), hazards=tuple(hazards))


def _undoing(catalog: Catalog, step: Step, own: dict[TableName, ForeignKey]) -> tuple[Statement, ...]:
    """Return the undo of the root's key: what drops it and has own keys enforced again, then what runs after rows came back."""
    drop = step.undo[0]
    valid = {table: key for table, key in own.items() if key.validated}
    bearers = [(table, bearer, key) for table, key in valid.items() for bearer in _bearers(catalog, table)]
    at_once = [f"DO {quoted(_declared_again(table, bearer, key, ' NOT VALID'))}" for table, bearer, key in bearers]
    wholes = {table: key for table, key in valid.items() if _bearers(catalog, table) != (table,)}
    return (
        replace(drop, sql=";\n".join((drop.sql, *at_once))),
        # Nothing is left to do for these, unless somebody else dropped the root's key.
        *(Statement(sql=block, locks=(), lock_policy=LockPolicy.SHORT) for block in at_once),
        *(_make_again(catalog, table, key) for table, key in own.items() if table not in valid),
        *(_prove_again(catalog, bearer, key) for _, bearer, key in bearers),
        *(_make_again(catalog, table, key) for table, key in wholes.items()),
    )


def _bearers(catalog: Catalog, table: TableName) -> tuple[TableName, ...]:
    """Return the tables whose keys can be NOT VALID in place of a table's: itself, or its leaves, whose keys become one at the end."""
    is_hollow = catalog.tables[table].kind is TableKind.PARTITIONED and catalog.identity.version_number < _NOT_VALID_ROOT
    return catalog.leaves(table) if is_hollow else (table,)


def _declared_again(table: TableName, bearer: TableName, key: ForeignKey, state: str = "") -> str:
    """Return the block that declares a partition's own key as it was, unless it is there: the root's may never have taken it over."""
    name = identifier(key.name)
    lines = [f"ALTER TABLE {qualified(bearer)} ADD CONSTRAINT {name} {key.definition}{state};"]
    if key.comment and bearer == table:
        lines.append(f"COMMENT ON CONSTRAINT {name} ON {qualified(bearer)} IS {literal(key.comment)};")
    absent = " AND ".join(f"NOT ({key_is_own(each, key.name)})" for each in dict.fromkeys((table, bearer)))
    return f"BEGIN IF {absent} THEN {' '.join(lines)} END IF; END"


def _make_again(catalog: Catalog, table: TableName, key: ForeignKey) -> Statement:
    """Return the statement that declares a key as it was after rows came back; that of a partitioned table takes over its leaves' keys."""
    referenced = (key.referenced.table, *catalog.partitions_below(key.referenced.table))
    below = catalog.partitions_below(table)
    level = LockLevel.ACCESS_EXCLUSIVE if below and key.validated else LockLevel.SHARE_ROW_EXCLUSIVE
    locks = (
        *(TableLock(table=each, level=LockLevel.SHARE_ROW_EXCLUSIVE) for each in (table, *below)),
        *(TableLock(table=each, level=level) for each in referenced),
    )
    return Statement(sql=f"DO {quoted(_declared_again(table, table, key))}", locks=locks, lock_policy=LockPolicy.SHORT)


def _prove_again(catalog: Catalog, table: TableName, key: ForeignKey) -> Statement:
    """Return the statement that validates a key that was valid before."""
    locks = (
        *(TableLock(table=each, level=LockLevel.SHARE_UPDATE_EXCLUSIVE) for each in (table, *catalog.partitions_below(table))),
        *(TableLock(table=each, level=LockLevel.ROW_SHARE) for each in {key.referenced.table} - {table}),
    )
    sql = f"ALTER TABLE {qualified(table)} VALIDATE CONSTRAINT {identifier(key.name)}"
    return Statement(sql=sql, locks=locks, lock_policy=LockPolicy.LONG)
