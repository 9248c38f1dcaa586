"""What deleting a row would do: read the catalog, gather what reaches rows, follow it."""

from holdfastd.catalog.model import Catalog
from holdfastd.catalog.read import read_catalog
from holdfastd.errors import InvalidField, NotFound, Reason
from holdfastd.evidence.impact.arms import arms_of
from holdfastd.evidence.impact.model import Arm, Impacts
from holdfastd.evidence.impact.walk import measure_impact
from holdfastd.flows.context import Services
from holdfastd.flows.targets import reading
from holdfastd.inference.model import Relationship, Tier
from holdfastd.names import TableName, readable
from holdfastd.plan.model import Decision
from holdfastd.store import audits, databases, plans


async def get(
    services: Services,
    database: str,
    table: str,
    key: tuple[str, ...],
    plan_id: str,
    *,
    most_rows: int,
    sample_size: int,
    allow_scans: bool,
) -> Impacts:
    """Return the impact of deleting one row, as the database stands or as a plan would leave it."""
    async with services.store.connection() as store:
        record = await databases.get(store, database)
        audit = await audits.latest_succeeded(store, record.id)
        plan = await plans.get(store, plan_id) if plan_id else None
        if plan is not None and plan.database != database:
            message = f"Plan {plan_id} is not of database {database}; list its plans with `holdfast plans list`."
            raise NotFound(message, reason=Reason.PLAN_NOT_FOUND, facts={"plan": plan_id})
        audit_id = plan.audit_id if plan else audit.id if audit else ""
        found = await audits.all_relationships(store, audit_id)
    decisions = {decision.relationship_id: decision for decision in (plan.plan.decisions if plan else ()) if decision.included}
    planned = [arm for each in found if (arm := _arm(each, decisions.get(each.id))) is not None]
    async with reading(services, record, "impact") as connection:
        catalog = await read_catalog(connection, with_partitions=True)
        arms = arms_of(catalog, planned, allow_scans=allow_scans)
        named = _named(catalog, table)
        return await measure_impact(connection, catalog, named, key, arms, most_rows=most_rows, sample_size=sample_size)


def _arm(relationship: Relationship, decision: Decision | None) -> Arm | None:
    """Return what an undeclared relationship does: what the plan decided, or nothing, which leaves orphan rows."""
    if relationship.declared or (relationship.tier is Tier.REVIEW and decision is None):
        return None
    return Arm(
        relationship_id=relationship.id,
        constraint_name=decision.constraint_name if decision else "",
        referencing=relationship.referencing,
        referenced=relationship.referenced,
        operators=relationship.operators,
        on_delete=decision.on_delete if decision else None,
        changed=(decision.set_null_columns if decision else ()) or relationship.referencing.columns,
    )


def _named(catalog: Catalog, text: str) -> TableName:
    """Return the table that a text names: `schema.table`, or `table` where only one is called so."""
    roots = [name for name in catalog.tables if not catalog.tables_above(name)]
    fitting = [name for name in roots if text == str(name)] or [name for name in roots if text in (name.name, readable(name.name))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidField("table", f"table fits several: {', '.join(map(str, fitting))}; name one with its schema.")
    raise InvalidField("table", f"There is no table {text!r}; name one as `schema.table`.")
