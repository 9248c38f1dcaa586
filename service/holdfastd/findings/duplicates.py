"""Findings about foreign keys that say the same as another one: the stronger is kept."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from holdfastd.catalog.model import Catalog, ForeignKey
from holdfastd.findings.about import about_part
from holdfastd.findings.messages import keys as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship


def derive_duplicate_findings(catalog: Catalog) -> list[Finding]:
    """Return one finding per key that can go; a warning where the two would act differently."""
    findings = []
    for key, kept in _duplicates(catalog):
        severity = Severity.INFO if messages.actions(key) == messages.actions(kept) else Severity.WARN
        words = messages.duplicate_key(key, kept)
        findings.append(about_part(key.referencing.table, key.name, FindingKind.DUPLICATE_KEY, severity, words))
    return findings


def without_duplicates(catalog: Catalog, relationships: Sequence[Relationship]) -> list[Relationship]:
    """Return the relationships but for those whose key can go: what is wrong with it is no further finding."""
    gone = {(key.referencing.table, key.name) for key, _ in _duplicates(catalog)}
    return [each for each in relationships if not each.declared or (each.referencing.table, each.constraint_name) not in gone]


def _duplicates(catalog: Catalog) -> Iterator[tuple[ForeignKey, ForeignKey]]:
    """Yield each key that can go with the one that stays: the strongest, then the oldest."""
    same: dict[object, list[ForeignKey]] = defaultdict(list)
    for key in catalog.foreign_keys:
        # The order of the pairs makes no difference to what a key checks; MATCH does.
        pairs = frozenset(zip(key.referencing.columns, key.referenced.columns, strict=True))
        same[key.referencing.table, key.referenced.table, pairs, key.match].append(key)
    for keys in same.values():
        if len(keys) > 1:
            kept = min(keys, key=_weakness)
            yield from ((key, kept) for key in keys if key is not kept)


def _weakness(key: ForeignKey) -> tuple[bool, bool, bool, bool, int]:
    return not key.enforced, not key.triggers_enabled, not key.validated, key.deferrable, key.oid
