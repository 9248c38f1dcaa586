"""VERIFY: count again, with another query, and compare the keys with the plan."""

from collections.abc import Iterable

from holdfastd.catalog.model import Catalog
from holdfastd.evidence.statements import recount_orphans_sql
from holdfastd.inference.model import Relationship
from holdfastd.plan.model import LockLevel, Statement, Step, StepKind, TableLock


def verify(number: int, catalog: Catalog, relationships: Iterable[Relationship]) -> Step:
    """Return the step: one count per relationship, in their order. It always runs."""
    return Step(
        number=number,
        kind=StepKind.VERIFY,
        title="Count again and compare the keys with the plan",
        statements=tuple(
            Statement(
                sql=recount_orphans_sql(catalog, relationship.referencing, relationship.referenced, relationship.operators),
                locks=tuple(
                    TableLock(table=table, level=LockLevel.ACCESS_SHARE)
                    for table in dict.fromkeys((relationship.referencing.table, relationship.referenced.table))
                ),
            )
            for relationship in relationships
        ),
    )
