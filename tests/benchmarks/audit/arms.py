"""What is measured against what: in comes the catalog of the benchmark database, out go arms of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.audit.database import RELATIONSHIPS, State
from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.counting.choose import choose_all
from holdfastd.evidence.counting.model import Statistics, Subject
from holdfastd.evidence.counting.run import part_blocks
from holdfastd.names import ColumnSet, TableName

HOLDFAST, SCRIPTS, FLOOR, VALIDATE, PARTS, CONTROL = (
    "Holdfast",
    "LEFT JOIN scripts",
    "index-only scans",
    "VALIDATE",
    "Holdfast, in parts",
    "control",
)

#: One relationship alone: a column of 200 distinct values.
_FEW = RELATIONSHIPS.index(("reports", "reviewed_by", "users"))
FEW, FEW_SCRIPT = "Holdfast, reviewed_by alone", "its script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement, run in a transaction of its own that is rolled back."""

    #: What it counts: relationships by number, so that all arms can be compared; empty when it counts none.
    counts: tuple[int, ...]
    sql: str
    #: SET LOCAL.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Run before, in the same transaction, and not measured.
    before: str = ""
    parameters: tuple[str, ...] = ()


Arm = Sequence[Step]


def subjects_of(catalog: Catalog, statistics: Statistics) -> list[Subject]:
    """Return the thirteen relationships."""
    pairs = [
        (ColumnSet(TableName("public", table), (column,)), ColumnSet(TableName("public", referenced), ("id",)))
        for table, column, referenced in RELATIONSHIPS
    ]
    return [
        Subject(
            catalog=catalog,
            referencing=own,
            referenced=other,
            operators=resolve_operators(catalog, own, other) or (),
            statistics=statistics,
        )
        for own, other in pairs
    ]


def arms(state: State, subjects: list[Subject]) -> dict[str, Arm]:
    """Return the arms of a state by name; the control comes twice in a round, first and last."""
    made: dict[str, Arm] = {HOLDFAST: _holdfast(subjects), SCRIPTS: _scripts(), VALIDATE: _validate(), CONTROL: _control()}
    if state is not State.NO_INDEXES:
        made[FLOOR] = _floor()
    if any(choice.count.part_sql for choice in choose_all(subjects)):
        made[PARTS] = _holdfast(subjects, parts=4)
    if state is not State.NO_INDEXES:
        made[FEW], made[FEW_SCRIPT] = ([step for step in made[arm] if step.counts == (_FEW,)] for arm in (HOLDFAST, SCRIPTS))
    return made


def _holdfast(subjects: list[Subject], *, parts: int = 1) -> Arm:
    """Return the chosen counts; in parts where the count allows it (the service does so only with long counts, in larger parts)."""
    numbers = {subject.referencing: number for number, subject in enumerate(subjects)}
    steps: list[Step] = []
    for choice in choose_all(subjects):
        counted = tuple(numbers[subject.referencing] for subject in choice.subjects)
        count = choice.count
        blocks = choice.subjects[0].referencing_statistics.pages
        step = max(part_blocks(count, blocks) if blocks > 200_000 else 0, blocks // parts + 1)
        if parts == 1 or not count.part_sql or count.repeated > 0.1 * count.cost / parts:
            steps.append(Step(counts=counted, sql=count.sql, settings=count.settings))
            continue
        for first in range(0, blocks, step):
            end = f"({first + step},0)" if first + step < blocks else "(4294967295,0)"
            steps.append(Step(counts=counted, sql=count.part_sql, settings=count.settings, parameters=(f"({first},0)", end)))
    return steps


def _scripts() -> Arm:
    """Return what the documents' scripts run, one statement per relationship, at the server's settings."""
    return [
        Step(
            counts=(number,),
            sql=f"SELECT count(*) FROM public.{table} AS a LEFT JOIN public.{referenced} AS b ON a.{column} = b.id"
            f" WHERE a.{column} IS NOT NULL AND b.id IS NULL",
        )
        for number, (table, column, referenced) in enumerate(RELATIONSHIPS)
    ]


def _floor() -> Arm:
    """Return an index-only scan of every referencing column: reading them at all."""
    settings = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
    return [
        Step(counts=(), sql=f"SELECT count({column}) FROM public.{table} WHERE {column} IS NOT NULL", settings=settings)
        for table, column, _ in RELATIONSHIPS
    ]


def _validate() -> Arm:
    """Return VALIDATE CONSTRAINT of every relationship, its orphan rows out of the way: it would stop at the first."""
    return [
        Step(
            counts=(),
            before=f"DELETE FROM public.{table} AS a WHERE a.{column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT FROM public.{referenced} AS b WHERE b.id = a.{column});"
            f"ALTER TABLE public.{table} ADD CONSTRAINT measured FOREIGN KEY ({column}) REFERENCES public.{referenced} (id) NOT VALID",
            sql=f"ALTER TABLE public.{table} VALIDATE CONSTRAINT measured",
        )
        for table, column, referenced in RELATIONSHIPS
    ]


def _control() -> Arm:
    """Return a statement that nothing of ours changes: what drifts here is the machine."""
    return [Step(counts=(), sql="SELECT count(*) FROM public.charging_sessions AS a JOIN public.stations AS b ON b.id = a.station_id")] * 3
