"""Relationships that another one already guarantees: `note(dag, run)` → `run` follows from `note(dag, task, run)` → `task` → `run`.

In come candidates; out come the same, those implied by a wider one with less confidence: declared, they would only cost a second check.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from holdfastd.catalog.model import Catalog
from holdfastd.inference.model import Candidate, Evidence
from holdfastd.names import ColumnSet, TableName

Pair = tuple[ColumnSet, ColumnSet]

_FACTOR = 0.45
_BELIEVED = 0.5
#: Share of tables that hold a column before it counts as the tenant's: those are referenced everywhere, implied or not.
_TENANT_SHARE = 0.3
#: Tables that hold it, at least: in a small schema every key is in a third of the tables.
_TENANT_TABLES = 5


def lower_implied(catalog: Catalog, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates, those implied by a believed composite relationship lowered."""
    believed = [(each.referencing, each.referenced) for each in candidates if each.confidence >= _BELIEVED]
    believed += [(key.referencing, key.referenced) for key in catalog.foreign_keys]
    wide: dict[TableName, list[Pair]] = defaultdict(list)
    for pair in believed:
        if len(pair[0].columns) > 1:
            wide[pair[0].table].append(pair)
    if not wide:
        return tuple(candidates)
    known = {
        (referencing.table, referenced.table, frozenset(zip(referencing.columns, referenced.columns, strict=True)))
        for referencing, referenced in believed
    }
    tenants = _tenant_columns(catalog)
    return tuple(_lowered(each, wide[each.referencing.table], known, tenants) for each in candidates)


def _lowered(
    candidate: Candidate, wide: Iterable[Pair], known: set[tuple[TableName, TableName, frozenset[tuple[str, str]]]], tenants: frozenset[str]
) -> Candidate:
    own = set(candidate.referencing.columns)
    if len(own) == 1 and own <= tenants:
        return candidate
    for referencing, referenced in wide:
        if not own < set(referencing.columns):
            continue
        through = dict(zip(referencing.columns, referenced.columns, strict=True))
        pairs = zip(candidate.referencing.columns, candidate.referenced.columns, strict=True)
        if (referenced.table, candidate.referenced.table, frozenset((through[column], key) for column, key in pairs)) in known:
            text = f"{referencing} → {referenced} guarantees it already"
            lowered = round(candidate.confidence * _FACTOR, 3)
            return replace(candidate, confidence=lowered, evidence=(*candidate.evidence, Evidence(rule="implied", text=text)))
    return candidate


def _tenant_columns(catalog: Catalog) -> frozenset[str]:
    counts = Counter(column.name for table in catalog.tables.values() for column in table.columns)
    return frozenset(name for name, count in counts.items() if count >= max(_TENANT_TABLES, _TENANT_SHARE * len(catalog.tables)))
