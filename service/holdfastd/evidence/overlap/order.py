"""Which keys are worth a look, and in what order: what rows would tell us most comes first. Pure, statistics given."""

from collections.abc import Collection, Iterable, Sequence

from holdfastd.catalog.model import Catalog, TableKind
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.counting.comparisons import has_values_of_one_fate
from holdfastd.evidence.counting.model import UNKNOWN, Statistics, Subject
from holdfastd.evidence.overlap.statements import SAMPLED, Aim, Probe
from holdfastd.inference.model import Hypothesis
from holdfastd.names import ColumnSet, TableName

#: Probes of one audit, and keys of one probe, at most.
PROBES = 20_000
_AIMS = 24
#: Above this many probes, tables that statistics call empty are believed.
_MANY = 2_000
#: Above this share of nulls an index finds values sooner than reading rows.
_MOSTLY_NULL = 0.9


def plan_probes(
    catalog: Catalog, hypotheses: Sequence[Hypothesis], unreadable: Collection[TableName], statistics: Statistics
) -> list[Probe]:
    """Return what to look up, the most telling first."""
    ranked = sorted(hypotheses, key=lambda each: _rank(catalog, each))
    probes = (_probe(catalog, each, unreadable, statistics) for each in ranked)
    planned = [probe for probe in probes if probe is not None]
    if len(planned) > _MANY:
        planned = [probe for probe in planned if catalog.tables[probe.referencing.table].row_estimate != 0]
    return planned[:PROBES]


def why_unseen(catalog: Catalog, hypothesis: Hypothesis, referenced: ColumnSet, unreadable: Collection[TableName]) -> str:
    """Return why nobody may look at a pair, as half a sentence; empty when somebody may."""
    for name in (hypothesis.referencing.table, referenced.table):
        if catalog.tables[name].kind is TableKind.FOREIGN:
            return f"the rows of {name} are in another database"
        if name in unreadable:
            return f"the role may not read all rows of {name}"
    if resolve_operators(catalog, hypothesis.referencing, referenced) is None:
        return "the types cannot be compared as a foreign key would"
    return ""


def columns_of(hypotheses: Iterable[Hypothesis]) -> tuple[ColumnSet, ...]:
    """Return the columns whose statistics help: each single column, the members of composite ones apart."""
    sets = (columns for each in hypotheses for columns in (each.referencing, *(target.referenced for target in each.targets)))
    return tuple(dict.fromkeys(ColumnSet(columns.table, (name,)) for columns in sets for name in columns.columns))


def _rank(catalog: Catalog, hypothesis: Hypothesis) -> tuple[bool, float, ColumnSet]:
    """Tables with rows first; then what is least decided: whether it is a reference, or to which key."""
    chance = hypothesis.reference_probability * hypothesis.targets[0].probability
    return catalog.tables[hypothesis.referencing.table].row_estimate == 0, abs(chance - 0.5), hypothesis.referencing


def _probe(catalog: Catalog, hypothesis: Hypothesis, unreadable: Collection[TableName], statistics: Statistics) -> Probe | None:
    aims: list[Aim] = []
    for target in hypothesis.targets[:_AIMS]:
        operators = resolve_operators(catalog, hypothesis.referencing, target.referenced)
        if operators is not None and not why_unseen(catalog, hypothesis, target.referenced, unreadable):
            aims.append(Aim(referenced=target.referenced, operators=operators))
    if not aims:
        return None
    return Probe(referencing=hypothesis.referencing, aims=tuple(aims), hops=_may_hop(catalog, hypothesis.referencing, aims[0], statistics))


def _may_hop(catalog: Catalog, referencing: ColumnSet, aim: Aim, statistics: Statistics) -> bool:
    """Tell whether an index leads from value to value, and there are few of them, or few rows that have one."""
    if len(referencing.columns) > 1 or catalog.tables[referencing.table].kind is not TableKind.TABLE:
        return False
    subject = Subject(catalog=catalog, referencing=referencing, referenced=aim.referenced, operators=aim.operators, statistics=statistics)
    own = subject.referencing_statistics
    if own is UNKNOWN or not own.ordered_indexes or not has_values_of_one_fate(subject):
        return False
    return 0 < own.distinct <= SAMPLED or own.null_share >= _MOSTLY_NULL
