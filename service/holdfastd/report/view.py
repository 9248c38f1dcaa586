"""The facts of an audit as the chapters ask for them: in come facts, out comes a view, each question answered once. Pure."""

import re
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property

from holdfastd.catalog.model import OnDelete
from holdfastd.catalog.outline import TableOutline
from holdfastd.evidence.model import Exactness
from holdfastd.findings.model import Finding, FindingKind, Ignored
from holdfastd.inference.model import Relationship, Risk, Tier
from holdfastd.jobs.model import JobState
from holdfastd.names import ColumnSet, TableName, readable
from holdfastd.plan.model import Decision, PlanState, StepKind
from holdfastd.report.facts import Facts

#: What applying a plan settles of the relationships in it.
_SETTLED = frozenset(
    {
        FindingKind.UNDECLARED_KEY,
        FindingKind.ORPHAN_ROWS,
        FindingKind.UNINDEXED_KEY,
        FindingKind.NOT_VALIDATED_KEY,
    }
)
_SETTLED_BY_CLEANING = frozenset({FindingKind.ORPHAN_ROWS, FindingKind.NOT_VALIDATED_KEY})
_KEY_STEPS = (StepKind.VALIDATE_FOREIGN_KEY, StepKind.ADD_FOREIGN_KEY)
_BY_RISK = {Risk.HIGH: 0, Risk.MEDIUM: 1, Risk.LOW: 2, Risk.UNRATED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A key that the plan declares or, without a plan, that one would."""

    relationship: Relationship
    on_delete: OnDelete
    #: None without a plan.
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A foreign key as it will be enforced."""

    referencing: ColumnSet
    referenced: ColumnSet
    on_delete: OnDelete
    #: What SET NULL and SET DEFAULT change.
    changed: tuple[str, ...]
    #: It is not enforced yet.
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """Facts, sorted out."""

    facts: Facts
    #: Whether the document can show a picture.
    with_drawings: bool = False

    @property
    def name(self) -> str:
        """The name of the database, as commands take it."""
        return self.facts.subject.name

    @property
    def plan_id(self) -> str:
        """The id of the plan, or what stands for one in commands."""
        return self.facts.plan.id if self.facts.plan else "PLAN"

    @cached_property
    def tables(self) -> Mapping[TableName, TableOutline]:
        """Tables by name."""
        return {table.name: table for table in self.facts.tables}

    @cached_property
    def meant(self) -> tuple[Relationship, ...]:
        """Relationships that are declared, or would be planned; each once, however many constraints declare it."""
        return tuple({item.id: item for item in self.facts.relationships if item.tier in (Tier.DECLARED, Tier.PLAN)}.values())

    @cached_property
    def new(self) -> tuple[Proposal, ...]:
        """The proposed keys that do not protect new rows yet: not those that are only to be validated."""
        return tuple(each for each in self.proposals if is_exposed(each.relationship))

    @cached_property
    def undeclared(self) -> tuple[Relationship, ...]:
        """Relationships that a plan would declare."""
        return tuple(item for item in self.facts.relationships if item.tier is Tier.PLAN)

    @cached_property
    def plannable(self) -> tuple[Relationship, ...]:
        """Those that a plan would not leave out: it needs a count, and no obstacle."""
        return tuple(item for item in self.undeclared if not item.obstacle and item.orphan_rows.is_known)

    @cached_property
    def doubtful(self) -> tuple[Relationship, ...]:
        """Relationships for review, the likeliest first."""
        return tuple(sorted((item for item in self.facts.relationships if item.tier is Tier.REVIEW), key=lambda item: -item.confidence))

    @cached_property
    def with_orphans(self) -> tuple[Relationship, ...]:
        """Relationships that are meant and have orphan rows, the most first."""
        found = (item for item in self.meant if item.orphan_rows.is_known and item.orphan_rows.value)
        return tuple(sorted(found, key=lambda item: -item.orphan_rows.value))

    @cached_property
    def exposed(self) -> tuple[Relationship, ...]:
        """Relationships that have orphan rows or would get some, the worst first."""
        found = (item for item in self.meant if is_exposed(item) or (item.orphan_rows.is_known and item.orphan_rows.value))
        return tuple(sorted(found, key=lambda item: (-item.orphan_rows.value, _BY_RISK[item.risk], item.referencing, item.id)))

    @cached_property
    def uncounted(self) -> tuple[Relationship, ...]:
        """Relationships whose rows were not counted."""
        return tuple(item for item in self.facts.relationships if not item.orphan_rows.is_known)

    @cached_property
    def open(self) -> tuple[Finding, ...]:
        """Findings that stand: nobody decided to live with them, and the plan that was applied did not settle them."""
        return tuple(finding for finding, ignored in self.facts.findings if ignored is None and not self.is_settled(finding))

    @cached_property
    def ignored(self) -> tuple[tuple[Finding, Ignored], ...]:
        """Findings that somebody decided to live with."""
        return tuple((finding, ignored) for finding, ignored in self.facts.findings if ignored is not None)

    @cached_property
    def is_applied(self) -> bool:
        """Tell whether the plan is applied now."""
        application = self.facts.application
        return application is not None and application.state is JobState.SUCCEEDED and not self.is_rolled_back

    @property
    def is_rolled_back(self) -> bool:
        """Tell whether what the application did is undone."""
        return self.facts.rollback is not None and self.facts.rollback.state is JobState.SUCCEEDED

    def is_settled(self, finding: Finding) -> bool:
        """Tell whether applying the plan settled a finding."""
        return finding.relationship_id in self.settled(finding.kind)

    def settled(self, kind: FindingKind) -> frozenset[str]:
        """Return the ids of relationships that the plan, applied by now, took care of as far as findings of a kind go."""
        if not self.is_applied or kind not in _SETTLED:
            return frozenset()
        verified = self.facts.application.verifications if self.facts.application else ()
        # Where orphan rows were left, the key is there all the same, and its index.
        left = {each.relationship_id for each in verified if each.orphan_rows_after and kind in _SETTLED_BY_CLEANING}
        return frozenset(decision.relationship_id for decision in self.included) - left

    @cached_property
    def included(self) -> tuple[Decision, ...]:
        """What the plan does, one decision per key."""
        return tuple(decision for decision in self.facts.plan.plan.decisions if decision.included) if self.facts.plan else ()

    @cached_property
    def left_out(self) -> tuple[Decision, ...]:
        """What the plan does not do."""
        return tuple(decision for decision in self.facts.plan.plan.decisions if not decision.included) if self.facts.plan else ()

    @cached_property
    def by_id(self) -> Mapping[str, Relationship]:
        """Relationships by id."""
        return {item.id: item for item in self.facts.relationships}

    @cached_property
    def names(self) -> Mapping[str, set[str]]:
        """Short names of relationships, each with the ids that it could mean."""
        found: dict[str, set[str]] = {}
        for item in self.facts.relationships:
            for name in spellings(item):
                found.setdefault(name, set()).add(item.id)
        return found

    @cached_property
    def proposals(self) -> tuple[Proposal, ...]:
        """The keys that the plan declares, in its order; without a plan, those that one would."""
        if self.facts.plan is None:
            return tuple(Proposal(relationship=item, on_delete=item.suggested_on_delete) for item in self.plannable)
        found = ((self.by_id.get(decision.relationship_id), decision) for decision in self.included)
        return tuple(Proposal(relationship=item, on_delete=each.on_delete, decision=each) for item, each in found if item is not None)

    @cached_property
    def key_statements(self) -> Mapping[str, str]:
        """The statement that adds a key of the plan or, where the key is there, validates it; by relationship."""
        steps = self.facts.plan.plan.steps if self.facts.plan else ()
        made = {kind: {step.relationship_id: step.statements[0].sql for step in steps if step.kind is kind} for kind in _KEY_STEPS}
        return made[StepKind.VALIDATE_FOREIGN_KEY] | made[StepKind.ADD_FOREIGN_KEY]

    @cached_property
    def keys_after(self) -> tuple[Key, ...]:
        """All keys in force once the plan is applied."""
        declared = self._declared_keys()
        known = {(key.referencing, key.referenced) for key in declared}
        proposed = [_key(each, known) for each in self.proposals]
        again = {(key.referencing, key.referenced) for key in proposed}
        return (*(key for key in declared if (key.referencing, key.referenced) not in again), *proposed)

    def _declared_keys(self) -> list[Key]:
        outlined = [
            Key(
                referencing=key.referencing,
                referenced=key.referenced,
                on_delete=key.on_delete,
                changed=key.set_null_columns or key.referencing.columns,
                is_new=False,
            )
            for table in self.facts.tables
            for key in table.foreign_keys
            if key.enforced
        ]
        known = [
            Key(
                referencing=item.referencing,
                referenced=item.referenced,
                on_delete=item.declared_on_delete or OnDelete.NO_ACTION,
                changed=item.referencing.columns,
                is_new=False,
            )
            for item in self.facts.relationships
            if item.declared and item.enforced and not self.facts.tables
        ]
        return outlined + known

    def changed(self, item: Relationship) -> ColumnSet:
        """Return the referencing columns that ON DELETE SET NULL and SET DEFAULT change: all, unless the key or the plan names some."""
        return self._changed.get((item.referencing, item.referenced), item.referencing)

    @cached_property
    def _changed(self) -> Mapping[tuple[ColumnSet, ColumnSet], ColumnSet]:
        keys = self.keys_after
        return {(key.referencing, key.referenced): ColumnSet(table=key.referencing.table, columns=key.changed) for key in keys}

    @cached_property
    def home(self) -> str:
        """The schema that goes without saying; empty when that is public, or when public would be confused with it."""
        counted = Counter(columns.table.schema for item in self.facts.relationships for columns in (item.referencing, item.referenced))
        counted.update(table.name.schema for table in self.facts.tables)
        return "" if "public" in counted or not counted else counted.most_common(1)[0][0]

    def shorten(self, text: str) -> str:
        """Return text without the schema that goes without saying."""
        return self._outside.sub("", text) if self.home else text

    @cached_property
    def _outside(self) -> re.Pattern[str]:
        return re.compile(rf'(?<![\w".$]){re.escape(readable(self.home))}\.(?=[\w"])')

    def orphan_total(self) -> str:
        """Return the sum of orphan rows, marked when an estimate is in it."""
        return total(self.with_orphans)

    @property
    def status(self) -> str:
        """How far the work is, in one word or two."""
        plan, application, rollback = self.facts.plan, self.facts.application, self.facts.rollback
        if rollback is not None:
            return "ROLLED BACK" if rollback.state is JobState.SUCCEEDED else f"ROLLBACK {rollback.state}"
        if application is not None:
            return "APPLIED" if application.state is JobState.SUCCEEDED else f"APPLICATION {application.state}"
        if plan is None:
            return "FOUND"
        return {PlanState.PROPOSED: "PLANNED"}.get(plan.state, plan.state.replace("_", " "))


def _key(proposal: Proposal, known: Container[tuple[ColumnSet, ColumnSet]]) -> Key:
    item = proposal.relationship
    return Key(
        referencing=item.referencing,
        referenced=item.referenced,
        on_delete=proposal.on_delete,
        changed=(proposal.decision.set_null_columns if proposal.decision else ()) or item.referencing.columns,
        is_new=(item.referencing, item.referenced) not in known,
    )


def spellings(item: Relationship) -> tuple[str, ...]:
    """Return short names that commands take for a relationship: `table.column`, with and without schema."""
    columns = item.referencing
    if len(columns.columns) != 1:
        return ()
    short = f"{columns.table.name}.{columns.columns[0]}"
    return short, f"{columns.table.schema}.{short}"


def is_exposed(item: Relationship) -> bool:
    """Tell whether nothing in the database stops new orphan rows."""
    return not item.declared or not item.enforced


def total(items: tuple[Relationship, ...] | list[Relationship]) -> str:
    """Return the sum of orphan rows, marked when an estimate is in it."""
    estimated = any(item.orphan_rows.exactness is Exactness.ESTIMATED for item in items)
    return ("≈" if estimated else "") + f"{sum(item.orphan_rows.value for item in items):,}"
