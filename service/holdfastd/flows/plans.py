"""Making plans, deciding about them, showing them."""

import asyncio
from collections.abc import Sequence

import msgspec

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import resolve_operators
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import Conflict, Forbidden, InvalidField, Reason, Refused
from holdfastd.evidence.changes import measure_change
from holdfastd.evidence.closure import measure_closure
from holdfastd.evidence.hindrances import count_partial_nulls
from holdfastd.evidence.model import Closure
from holdfastd.evidence.referenced import has_row
from holdfastd.findings.plannable import declared_key
from holdfastd.flows.audits import succeeded
from holdfastd.flows.context import Caller, Services
from holdfastd.flows.deeds import answered, deed, failure_logged, once
from holdfastd.flows.targets import reading
from holdfastd.inference.model import Relationship
from holdfastd.plan.build import build_plan
from holdfastd.plan.decide import decide, leave_out, settle
from holdfastd.plan.edges import enforced_edges, staying_keys
from holdfastd.plan.model import Decision, OrphanAction, Override, Plan, PlanState, ScriptKind
from holdfastd.plan.recipe import new_values
from holdfastd.plan.script import render_script
from holdfastd.plan.withdraw import withdraw
from holdfastd.store import audits, databases, plans
from holdfastd.store.model import DatabaseRecord, PlanRecord
from holdfastd.target.session import Connection


async def create(services: Services, caller: Caller, database: str, audit_id: str, overrides: tuple[Override, ...]) -> PlanRecord:
    """Make a plan from an audit, the target's catalog as it is now, and the caller's overrides."""
    content = {"database": database, "audit_id": audit_id, "overrides": msgspec.json.encode(overrides).decode()}
    earlier = await answered(services, caller, "CreatePlan", content)
    if earlier is not None:
        return await get(services, earlier)
    async with services.store.connection() as connection:
        record = await databases.get(connection, database)
        audit = await succeeded(connection, database, audit_id)
        relationships = await audits.all_relationships(connection, audit.id)
    async with failure_logged(services, caller, "plan.create", database=database):
        plan = await _build(services, record, relationships, overrides)
    async with deed(services, caller, "plan.create", database=database) as doing:

        async def insert() -> str:
            made = await plans.insert(doing.connection, database_id=record.id, audit_id=audit.id, author=caller.principal, plan=plan)
            return made.id

        doing.subject = await once(doing, caller, "CreatePlan", content, insert)
        return await plans.get(doing.connection, doing.subject)


async def _build(
    services: Services, record: DatabaseRecord, relationships: Sequence[Relationship], overrides: tuple[Override, ...]
) -> Plan:
    async with reading(services, record, "plan") as connection:
        catalog = await read_catalog(connection, with_partitions=True)
        _refuse_stale(catalog, relationships)
        decisions = decide(catalog, relationships, overrides)
        decisions = leave_out(decisions, await _partly_null(connection, catalog, relationships, decisions), overrides)
        await _check_repoints(connection, catalog, decisions, overrides)
        decisions, closures = await _settle(connection, catalog, relationships, decisions, overrides)
    return await asyncio.to_thread(build_plan, catalog, relationships, decisions, closures)


def _refuse_stale(catalog: Catalog, relationships: Sequence[Relationship]) -> None:
    """Refuse PLAN_DRIFTED when the audit speaks of tables, columns or types that are no longer so."""
    stale = [relationship.id for relationship in relationships if not _stands(catalog, relationship)]
    if stale:
        changes = "; ".join(stale[:10])
        message = f"The database changed since the audit, where it speaks of: {changes}. Audit again, then plan."
        raise Refused(message, reason=Reason.PLAN_DRIFTED, facts={"changes": changes})


def _stands(catalog: Catalog, relationship: Relationship) -> bool:
    for columns in (relationship.referencing, relationship.referenced):
        table = catalog.tables.get(columns.table)
        if table is None or not table.has_columns(columns.columns):
            return False
    declared = any(
        (key.referencing, key.referenced, key.name) == (relationship.referencing, relationship.referenced, relationship.constraint_name)
        for key in catalog.tables[relationship.referencing.table].foreign_keys
    )
    if relationship.declared or declared:
        return relationship.declared and declared
    found = resolve_operators(catalog, relationship.referencing, relationship.referenced) or ()
    return not relationship.operators or found == relationship.operators


async def _check_repoints(connection: Connection, catalog: Catalog, decisions: Sequence[Decision], overrides: Sequence[Override]) -> None:
    positions = {override.relationship_id: number for number, override in enumerate(overrides)}
    for decision in decisions:
        if decision.included and decision.orphan_action is OrphanAction.REPOINT:
            path = f"policy.overrides[{positions[decision.relationship_id]}].repoint_to"
            if not await has_row(connection, catalog, decision.referenced, decision.repoint_to, path=path):
                raise InvalidField(path, f"No row of {decision.referenced.table} has that key; name one that exists.")


async def _partly_null(
    connection: Connection, catalog: Catalog, relationships: Sequence[Relationship], decisions: Sequence[Decision]
) -> dict[str, int]:
    """Return how many rows of included relationships are no orphan rows, and are forbidden by MATCH FULL all the same."""
    included = {decision.relationship_id for decision in decisions if decision.included}
    found = {}
    for relationship in relationships:
        key = declared_key(catalog, relationship) if relationship.id in included else None
        if key is not None and (rows := await count_partial_nulls(connection, catalog, key)):
            found[relationship.id] = rows
    return found


async def _settle(
    connection: Connection,
    catalog: Catalog,
    relationships: Sequence[Relationship],
    decisions: tuple[Decision, ...],
    overrides: tuple[Override, ...],
) -> tuple[tuple[Decision, ...], dict[str, Closure]]:
    """Return the decisions with what their cleanups take along. A cleanup that is left may stand in the way of others: look again."""
    while True:
        closures = await _measure(connection, catalog, relationships, decisions)
        settled = withdraw(catalog, settle(decisions, closures, overrides), overrides)
        if [(each.included, each.orphan_action) for each in settled] == [(each.included, each.orphan_action) for each in decisions]:
            return settled, closures
        decisions = settled


async def _measure(
    connection: Connection, catalog: Catalog, relationships: Sequence[Relationship], decisions: Sequence[Decision]
) -> dict[str, Closure]:
    """Return what each cleanup would take along, given all keys that will be enforced by then."""
    edges = enforced_edges(catalog, relationships, decisions)
    staying = staying_keys(catalog, relationships, decisions)
    by_id = {relationship.id: relationship for relationship in relationships}
    closures = {}
    for decision in decisions:
        if not decision.included or not decision.orphan_rows:
            continue
        key = (decision.referencing, decision.referenced, by_id[decision.relationship_id].operators)
        if decision.orphan_action is OrphanAction.DELETE:
            closure = await measure_closure(connection, catalog, *key, edges, staying=staying)
        elif decision.orphan_action is not OrphanAction.LEAVE:
            values = new_values(catalog, decision)
            closure = await measure_change(
                connection, catalog, *key, staying=staying, rows=decision.orphan_rows, values=values, edges=edges
            )
        else:
            continue
        closures[decision.relationship_id] = closure
    return closures


async def get(services: Services, plan_id: str) -> PlanRecord:
    """Return one plan."""
    async with services.store.connection() as connection:
        return await plans.get(connection, plan_id)


async def list_page(
    services: Services, database: str, after: str, limit: int, visible: frozenset[str] | None = None
) -> Sequence[PlanRecord]:
    """Return plans, newest first; of the visible databases only."""
    async with services.store.connection() as connection:
        if database:
            await databases.get(connection, database)
        return await plans.list_page(connection, database=database, after=after, limit=limit, visible=visible)


async def approve(services: Services, caller: Caller, plan_id: str, fingerprint: str) -> PlanRecord:
    """Allow a plan to be applied; approving it again succeeds."""
    allowed = (PlanState.PROPOSED, PlanState.APPROVED, PlanState.ROLLED_BACK)
    return await _review(services, caller, plan_id, PlanState.APPROVED, allowed, fingerprint)


async def reject(services: Services, caller: Caller, plan_id: str) -> PlanRecord:
    """Forbid a plan to be applied; rejecting it again succeeds."""
    allowed = (PlanState.PROPOSED, PlanState.APPROVED, PlanState.ROLLED_BACK, PlanState.REJECTED)
    return await _review(services, caller, plan_id, PlanState.REJECTED, allowed, "")


async def _review(
    services: Services, caller: Caller, plan_id: str, state: PlanState, allowed: tuple[PlanState, ...], fingerprint: str
) -> PlanRecord:
    record = await get(services, plan_id)
    action = "plan.approve" if state is PlanState.APPROVED else "plan.reject"
    async with deed(services, caller, action, database=record.database, subject=plan_id) as doing:
        record = await plans.get(doing.connection, plan_id, lock=True)
        doing.details = {"fingerprint": record.plan.fingerprint}
        if fingerprint and fingerprint != record.plan.fingerprint:
            message = f"Plan {plan_id} has another fingerprint than the one you reviewed; look at it again."
            raise Conflict(message, reason=Reason.ETAG_MISMATCH, facts={"etag": record.plan.fingerprint})
        if record.state not in allowed:
            message = f"Plan {plan_id} is {record.state}; make a new plan."
            raise Refused(message, reason=Reason.PLAN_STATE, facts={"state": record.state})
        needs_other = state is PlanState.APPROVED and (await databases.get(doing.connection, record.database)).settings.four_eyes
        if needs_other and record.author == caller.principal:
            raise second_person_needed(record)
        # An author's own approval, from before that was asked for, is replaced by the other person's.
        if record.state is state and not (needs_other and record.reviewer == record.author):
            return record
        return await plans.set_state(doing.connection, plan_id, state, reviewer=caller.principal)


def second_person_needed(plan: PlanRecord) -> Forbidden:
    """Return the refusal of a plan that nobody but its author has looked at."""
    message = f"{plan.author} made plan {plan.id}, and database {plan.database} asks that somebody else approves it."
    return Forbidden(message, reason=Reason.SECOND_PERSON_NEEDED, facts={"author": plan.author, "plan_id": plan.id})


async def render(services: Services, plan_id: str, kind: ScriptKind) -> str:
    """Return a script of a plan for psql."""
    record = await get(services, plan_id)
    return render_script(record.id, record.plan, kind)
