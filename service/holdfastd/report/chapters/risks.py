"""The risks of this very plan, each with what is done about it: nothing that does not apply. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfastd.catalog.model import OnDelete, TableKind
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet
from holdfastd.plan.model import Decision, HazardKind, LockLevel, OrphanAction, StepKind
from holdfastd.report.blocks import Block, Heading, Items, Line, Strong, runs
from holdfastd.report.chapters.applications import HIDES
from holdfastd.report.view import Proposal, View
from holdfastd.report.words import enumerated, key_name, number, plural, prose, rows, shortened, table_name

_NAMED = 6
_CLEARED = {OnDelete.SET_NULL: "NULL", OnDelete.SET_DEFAULT: "the default"}
_CHANGES = {
    OrphanAction.DELETE: "deletes {rows} of {key}",
    OrphanAction.SET_NULL: "sets {key} NULL in {rows}",
    OrphanAction.REPOINT: "repoints {rows} of {key}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Risk:
    title: str
    risk: Line
    mitigation: Line


def risks(view: View) -> Iterator[Block]:
    """Yield the risks, data first."""
    found = [risk for rule in _RULES for risk in rule(view)] if view.proposals else []
    for place, each in enumerate(found, start=1):
        yield Heading(3, f"{place}. {each.title}")
        yield Items((("Risk: ", *runs(each.risk)), ("Mitigation: ", *runs(each.mitigation))))


def _cleaned(view: View) -> list[Decision]:
    return [each for each in view.included if each.orphan_rows and each.orphan_action is not OrphanAction.LEAVE]


def _data_loss(view: View) -> Iterator[_Risk]:
    found = _cleaned(view)
    if not found:
        return
    told = [_CHANGES[each.orphan_action].format(rows=plural(each.orphan_rows, "row"), key=_key(each)) for each in found]
    extra = sum(each.closure_rows for each in found) - sum(each.orphan_rows for each in found)
    dependents = f", and takes {plural(extra, 'further row')} along that depend on them" if extra > 0 else ""
    yield _Risk(
        title="Data loss during cleanup",
        risk=(Strong(f"The cleanup {shortened(told, _NAMED)}{dependents}."),),
        mitigation=(
            "Each row is written to holdfast.backup in the database itself, in the transaction that takes it: a crash loses neither."
            " A rollback puts every row and value back; a restore puts only rows back. Backups stay until somebody purges them."
        ),
    )


def _key(decision: Decision) -> str:
    changed = decision.set_null_columns if decision.orphan_action is OrphanAction.SET_NULL else ()
    return key_name(ColumnSet(table=decision.referencing.table, columns=changed or decision.referencing.columns))


def _cascades(view: View) -> Iterator[_Risk]:
    found = _new(view, (OnDelete.CASCADE,))
    if not found:
        return
    told = [
        f"deleting a row of {referenced} now deletes its rows of {enumerated(tables[:_NAMED])}"
        for referenced, tables in _by_referenced(found).items()
    ]
    hiding = [
        f"{table_name(table)}.{column.name}"
        for table in dict.fromkeys(each.relationship.referenced.table for each in found)
        if (outline := view.tables.get(table)) is not None
        for column in outline.columns
        if column.name.lower() in HIDES
    ]
    instead = f" Hiding rows ({enumerated(hiding[:_NAMED], 'or')}) instead of deleting them starts no cascade." if hiding else ""
    yield _Risk(
        title="Deletions cascade",
        risk=_sentence(told),
        mitigation=(
            "It is meant: these rows have no use without the row they belong to, as the reasons above say. Screens and jobs that delete"
            f" should say how many rows go along.{instead} Where it is not meant, decide otherwise by policy and plan again."
        ),
    )


def _refusals(view: View) -> Iterator[_Risk]:
    found = _new(view, (OnDelete.RESTRICT, OnDelete.NO_ACTION))
    if not found:
        return
    told = [
        f"a row of {referenced} cannot be deleted while rows of {enumerated(tables[:_NAMED], 'or')} reference it"
        for referenced, tables in _by_referenced(found).items()
    ]
    yield _Risk(
        title="Deletions are refused",
        risk=_sentence(told),
        mitigation=(
            "It is meant: it protects what is still in use. Move or delete the referencing rows first, and let the"
            " application tell its users why."
        ),
    )


def _nulls(view: View) -> Iterator[_Risk]:
    found = _new(view, (OnDelete.SET_NULL, OnDelete.SET_DEFAULT))
    if not found:
        return
    told = [key_name(view.changed(each.relationship)) for each in found]
    expected = enumerated([word for action, word in _CLEARED.items() if any(each.on_delete is action for each in found)], "or")
    yield _Risk(
        title="References are cleared",
        risk=f"Deleting a referenced row changes {shortened(told, _NAMED)}: the rows stay, and what they referenced can no longer be told.",
        mitigation=f"It is meant: the rows keep their worth alone. Reports that join these columns should expect {expected}.",
    )


def _writers(view: View) -> Iterator[_Risk]:
    if not view.new:
        return
    orphans = [each.relationship for each in view.new if each.relationship.orphan_rows.value]
    told = [f"{rows(item.orphan_rows)} of {key_name(item.referencing)}" for item in orphans]
    seen = f" Whatever made the orphan rows there are ({shortened(told, _NAMED)}) will fail, unless it was a deletion." if told else ""
    yield _Risk(
        title="Writes of the application start to fail",
        risk=f"A row that references nothing is refused from the moment its key is added.{seen}",
        mitigation="Try the statements below on a copy, and watch for SQLSTATE 23503 in the application's log for a while after.",
    )


def _concurrency(view: View) -> Iterator[_Risk]:
    if view.facts.plan is None:
        return
    keys = [step for step in view.facts.plan.plan.steps if step.kind is StepKind.ADD_FOREIGN_KEY]
    if not keys:
        return
    tables = {lock.table for step in keys for each in step.statements for lock in each.locks if lock.level is LockLevel.SHARE_ROW_EXCLUSIVE}
    yield _Risk(
        title="Others write during the migration",
        risk=(
            f"Adding {plural(len(keys), 'key')} makes writers of {plural(len(tables), 'table')} wait; rows that are"
            " written meanwhile could become new orphan rows."
        ),
        mitigation=(
            "Enforcement comes first and cleaning up second: no orphan row can appear between the two. Locks"
            " are asked for in fractions of a second and"
            " tried again, so nobody queues for long; what waits names its blocker. The application goes on;"
            " there is no maintenance window."
            " Every step asks whether it is done, so a migration that stopped goes on where it was."
        ),
    )


_TITLES = {
    HazardKind.LARGE_CLOSURE: (
        "A large share of a table is deleted or changed",
        "Look at the rows before approving; leave them, or repoint them, by policy.",
    ),
    HazardKind.USER_TRIGGERS: ("Triggers and rules fire", "Read what they do before approving; what they write elsewhere is not undone."),
    HazardKind.BLOCKS_READS: ("Readers wait", "Locks are asked for in fractions of a second and tried again; choose a quiet hour."),
}


def _hazards(view: View) -> Iterator[_Risk]:
    """Yield what the steps themselves warn of, beyond what every plan does."""
    steps = view.facts.plan.plan.steps if view.facts.plan else ()
    for kind, (title, mitigation) in _TITLES.items():
        told = [*dict.fromkeys(prose(hazard.message) for step in steps for hazard in step.hazards if hazard.kind is kind)]
        if told:
            more = f" And {number(len(told) - 3)} more like these." if told[3:] else ""
            yield _Risk(title=title, risk=" ".join(told[:3]) + more, mitigation=mitigation)


def _orphans(view: View) -> Iterator[_Risk]:
    """Yield what orphan rows are in for, before and without a cleanup."""
    found = [each for each in view.included if each.orphan_rows]
    if not found:
        return
    left = [each for each in found if each.orphan_action is OrphanAction.LEAVE]
    yield _Risk(
        title="Orphan rows cannot be updated twice at once",
        risk=f"Until the key is validated, a transaction that updates one of these rows twice fails: {_counted(found)}.",
        mitigation=f"It ends with the cleanup, which follows at once{'; for rows that stay it goes on' if left else ''}.",
    )
    if left:
        yield _Risk(
            title="Orphan rows stay",
            risk=f"These rows stay, and the keys stay NOT VALID: {_counted(left)}.",
            mitigation="Decide about them by policy, then plan again; the keys protect new rows meanwhile.",
        )


def _counted(found: Sequence[Decision]) -> str:
    return shortened([f"{number(each.orphan_rows)} of {key_name(each.referencing)}" for each in found], _NAMED)


def _builds(view: View) -> Iterator[_Risk]:
    steps = view.facts.plan.plan.steps if view.facts.plan else ()
    found = [step for step in steps if any(hazard.kind is HazardKind.BUILDS_INDEX for hazard in step.hazards)]
    if found:
        yield _Risk(
            title="Index builds take time and space",
            risk=f"Building {plural(len(found), 'index', 'indexes')} reads each table twice, and waits for transactions that are older.",
            mitigation="They run concurrently and block nobody; end long transactions before, because builds wait for them.",
        )


def _partitions(view: View) -> Iterator[_Risk]:
    tables = {columns.table for each in view.proposals for columns in _ends(each.relationship)}
    found = sorted(table for table in tables if (outline := view.tables.get(table)) is not None and outline.kind is TableKind.PARTITIONED)
    if found:
        yield _Risk(
            title="Partitioned tables",
            risk=(
                f"Keys of {shortened([table_name(table) for table in found], _NAMED)} are made partition by"
                " partition; attaching a partition with orphan rows is refused from then on."
            ),
            mitigation="Check a table for orphan rows before attaching it.",
        )


def _ends(item: Relationship) -> tuple[ColumnSet, ColumnSet]:
    return item.referencing, item.referenced


def _rollback(view: View) -> Iterator[_Risk]:
    if view.facts.plan is None:
        return
    yield _Risk(
        title="Rolling back is the risky direction",
        risk=(
            "Dropping a key takes ACCESS EXCLUSIVE on both of its tables: readers wait, too. Afterwards nothing stops the next orphan row."
        ),
        mitigation=(
            "It is asked for in fractions of a second and tried again. A rollback refuses as a whole, before it touches anything,"
            " when rows could not come back exactly, and says which."
        ),
    )


def _new(view: View, actions: Sequence[OnDelete]) -> list[Proposal]:
    return [each for each in view.proposals if each.on_delete in actions and not each.relationship.declared]


def _by_referenced(found: Sequence[Proposal]) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for each in found:
        of = tables.setdefault(table_name(each.relationship.referenced.table), [])
        if (name := table_name(each.relationship.referencing.table)) not in of:
            of.append(name)
    return tables


def _sentence(told: Sequence[str]) -> str:
    more = f"; and so for {number(len(told) - _NAMED)} more tables" if told[_NAMED:] else ""
    text = "; ".join(told[:_NAMED]) + more + "."
    return text[:1].upper() + text[1:]


_RULES = (_data_loss, _cascades, _refusals, _nulls, _writers, _concurrency, _orphans, _builds, _hazards, _partitions, _rollback)
