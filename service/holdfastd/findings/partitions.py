"""Findings about partitions that lack a key which their siblings declare: whoever declares keys per partition forgets one some day."""

from collections.abc import Iterator, Sequence

from holdfastd.catalog.model import Catalog, ForeignKey, Partition, Table
from holdfastd.findings.about import about_part
from holdfastd.findings.messages import tables as messages
from holdfastd.findings.model import Finding, FindingKind, Severity
from holdfastd.inference.model import Relationship
from holdfastd.names import ColumnSet

#: What a key says, whoever declares it.
Saying = tuple[tuple[str, ...], ColumnSet]


def derive_partition_findings(catalog: Catalog, _relationships: Sequence[Relationship]) -> list[Finding]:
    """Return one finding per partition that lacks keys."""
    return [finding for table in catalog.tables.values() if len(table.partitions) > 1 for finding in _of_root(table)]


def _of_root(root: Table) -> Iterator[Finding]:
    declared: dict[Saying, list[ForeignKey]] = {}
    having: list[set[Saying]] = []
    inherited = {_saying(key) for key in root.foreign_keys}
    for partition in root.partitions:
        own = {_saying(key): key for key in partition.foreign_keys}
        having.append(set(own))
        for saying, key in own.items():
            declared.setdefault(saying, []).append(key)
    for partition, own_sayings in zip(root.partitions, having, strict=True):
        missing = [
            (keys[0], len(keys)) for saying, keys in sorted(declared.items()) if saying not in own_sayings and saying not in inherited
        ]
        if missing:
            yield _finding(root, partition, missing)


def _finding(root: Table, partition: Partition, missing: list[tuple[ForeignKey, int]]) -> Finding:
    """A key that most siblings have was forgotten here; one that few have may be a thing of theirs."""
    siblings = len(root.partitions) - 1
    severity = Severity.WARN if any(2 * number >= siblings for _, number in missing) else Severity.INFO
    part = partition.name.name if partition.name.schema == root.name.schema else str(partition.name)
    words = messages.partition_without_key(root, partition, missing, siblings)
    return about_part(root.name, part, FindingKind.PARTITION_WITHOUT_KEY, severity, words)


def _saying(key: ForeignKey) -> Saying:
    return key.referencing.columns, key.referenced
