"""Findings about declared keys: not validated, not enforced, disabled, or with an action that always fails."""

from collections.abc import Sequence

from holdfastd.catalog.model import Catalog, ForeignKey, OnDelete, Table
from holdfastd.findings.about import about
from holdfastd.findings.messages import keys as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.findings.plannable import declared_key
from holdfastd.inference.model import Relationship


def derive_constraint_findings(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Finding]:
    """Return findings about declared keys."""
    findings = []
    for relationship in relationships:
        key = declared_key(catalog, relationship) if relationship.declared else None
        if key is not None:
            findings += [*_unprotected(catalog, relationship, key), *_failing_actions(catalog, relationship, key)]
    return findings


def _unprotected(catalog: Catalog, relationship: Relationship, key: ForeignKey) -> list[Finding]:
    """Return how a key fails to protect; disabled triggers are worse than NOT ENFORCED, because the catalog calls the key valid."""
    if not key.enforced:
        return [about(relationship, FindingKind.NOT_ENFORCED_KEY, Severity.WARN, messages.not_enforced_key(relationship))]
    findings = []
    if not key.triggers_enabled:
        words = messages.disabled_key(catalog, relationship)
        findings.append(about(relationship, FindingKind.DISABLED_KEY, Severity.ERROR, words))
    if not key.validated:
        words = messages.not_validated_key(catalog, relationship)
        findings.append(about(relationship, FindingKind.NOT_VALIDATED_KEY, Severity.WARN, words))
    return findings


def _failing_actions(catalog: Catalog, relationship: Relationship, key: ForeignKey) -> list[Finding]:
    """Return the finding about SET NULL on columns that refuse NULL; one is enough when both actions fail."""
    table = catalog.tables[relationship.referencing.table]
    nulled = key.set_null_columns or key.referencing.columns
    for event, action, columns in (
        ("ON DELETE", key.on_delete, nulled),
        ("ON UPDATE", key.on_update, key.referencing.columns),
    ):
        refusing = [name for name in columns if _refuses(table, name, action)]
        if refusing:
            words = messages.set_null_on_not_null(table, key, refusing, action=f"{event} {action}")
            return [about(relationship, FindingKind.SET_NULL_ON_NOT_NULL, Severity.WARN, words)]
    return []


def _refuses(table: Table, name: str, action: OnDelete) -> bool:
    """Tell whether an action would put NULL where there must be none; SET DEFAULT does so without a default."""
    column = table.column(name)
    return column.not_null and (action is OnDelete.SET_NULL or (action is OnDelete.SET_DEFAULT and column.default is None))
