"""What is measured against what: in comes the catalog of the benchmark database, out go arms of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.audit.database import RELATIONSHIPS, State
from holdfastd.catalog.model import Catalog
from holdfastd.catalog.operators import resolve_operators
from holdfastd.evidence.counting import parts
from holdfastd.evidence.counting.choose import Choice, choose_all, possible_counts
from holdfastd.evidence.counting.model import Statistics, Subject
from holdfastd.evidence.counting.run import MOST_REPEATED, PART_BLOCKS, block_parts, part_blocks
from holdfastd.names import ColumnSet, TableName

HOLDFAST, PARTS, SCRIPTS, VALIDATE, FLOOR, CONTROL = (
    "Holdfast",
    "Holdfast, in parts",
    "LEFT JOIN scripts",
    "VALIDATE",
    "index-only scans",
    "control",
)
#: Columns of few distinct values, each alone: 500 integers and 200 texts.
FEW = {
    "user_vehicles.ev_vehicle_id": RELATIONSHIPS.index(("user_vehicles", "ev_vehicle_id", "ev_vehicles")),
    "reports.reviewed_by": RELATIONSHIPS.index(("reports", "reviewed_by", "users")),
}
#: Parts that a count is cut into, where it can be had in parts and promises to take so many milliseconds.
_PARTS = 5
_WORTH_PARTS_MS = 200.0


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
    """Return the arms of a state by name; the control comes twice in a round, first and last.

    The floor is measured where it is one: unvacuumed, an index-only scan visits the table for every row.
    """
    made: dict[str, Arm] = {
        HOLDFAST: _holdfast(subjects),
        PARTS: _holdfast_in_parts(subjects),
        SCRIPTS: _scripts(),
        VALIDATE: _validate(),
        CONTROL: _control(),
    }
    if state is State.VACUUMED:
        made[FLOOR] = _floor()
    if state is not State.NO_INDEXES:
        for name, number in FEW.items():
            made[name], made[few_script(name)] = ([step for step in made[arm] if step.counts == (number,)] for arm in (HOLDFAST, SCRIPTS))
    return made


def few_script(name: str) -> str:
    """Return the name of the arm that runs the script of a column of few values."""
    return f"{name}, its script"


def _numbers(choice: Choice, subjects: list[Subject]) -> tuple[int, ...]:
    return tuple(subjects.index(subject) for subject in choice.subjects)


def _holdfast(subjects: list[Subject]) -> Arm:
    """Return the chosen counts, each in one statement."""
    return [
        Step(counts=_numbers(choice, subjects), sql=choice.count.sql, settings=choice.count.settings) for choice in choose_all(subjects)
    ]


def _holdfast_in_parts(subjects: list[Subject]) -> Arm:
    """Return the same counts in parts, as they are run when progress is to be told. The service does so only with long ones."""
    steps: list[Step] = []
    for choice in choose_all(subjects):
        counted, count = _numbers(choice, subjects), choice.count
        by_value = _by_value(choice)
        blocks = choice.subjects[0].referencing_statistics.pages
        size = max(part_blocks(count, blocks) if blocks > PART_BLOCKS else 0, blocks // _PARTS + 1)
        if by_value:
            steps += [Step(counts=counted, sql=sql, settings=count.settings) for sql in by_value]
        elif not count.part_sql or count.cost < _WORTH_PARTS_MS or count.repeated > MOST_REPEATED * count.cost / _PARTS:
            steps.append(Step(counts=counted, sql=count.sql, settings=count.settings))
        else:
            steps += [
                Step(counts=counted, sql=sql, settings=count.settings, parameters=ends) for sql, ends in block_parts(count, blocks, size)
            ]
    return steps


def _by_value(choice: Choice) -> tuple[str, ...]:
    """Return the parts of a count that walks an index, made as if it were a long one; none for others."""
    count = choice.count
    if count.cost < _WORTH_PARTS_MS:
        return ()
    usual, parts.PART_MS = parts.PART_MS, count.cost / _PARTS
    try:
        return next((same.part_sqls for same in possible_counts(choice.subjects[0]) if same.strategy is count.strategy), ())
    finally:
        parts.PART_MS = usual


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
    """Return VALIDATE CONSTRAINT of every relationship, its orphan rows out of the way: it would stop at the first.

    Which rows those are was noted once (`note_orphans`), so that a round spends its time on what is measured.
    """
    return [
        Step(
            counts=(),
            before=f"DELETE FROM public.{table} WHERE id IN (SELECT id FROM noted.orphans_{number});"
            f"ALTER TABLE public.{table} ADD CONSTRAINT measured FOREIGN KEY ({column}) REFERENCES public.{referenced} (id) NOT VALID",
            sql=f"ALTER TABLE public.{table} VALIDATE CONSTRAINT measured",
        )
        for number, (table, column, referenced) in enumerate(RELATIONSHIPS)
    ]


def _control() -> Arm:
    """Return a statement that nothing of ours changes: what drifts here is the machine."""
    return [Step(counts=(), sql="SELECT count(*) FROM public.charging_sessions AS a JOIN public.stations AS b ON b.id = a.station_id")] * 3
