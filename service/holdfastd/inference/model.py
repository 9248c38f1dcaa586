"""What names, types and rows imply, as frozen values."""

from dataclasses import dataclass
from enum import StrEnum

from holdfastd.catalog.model import OnDelete, Operator
from holdfastd.evidence.model import OrphanDetails, RowCount
from holdfastd.names import ColumnSet, relationship_id


class Tier(StrEnum):
    """What Holdfast does with a relationship unless told otherwise."""

    DECLARED = "DECLARED"
    PLAN = "PLAN"
    REVIEW = "REVIEW"


class Risk(StrEnum):
    """How likely a relationship is to lose rows."""

    UNRATED = "UNRATED"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """A relationship that an application declares, in its own names, whatever the database knows of them."""

    #: An empty schema: the only table of that name.
    referencing: ColumnSet
    #: No columns: the primary key.
    referenced: ColumnSet
    #: None when the application says nothing.
    on_delete: OnDelete | None = None
    #: Where it is declared, such as `schema.prisma:41`; may be empty.
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One observation that speaks for or against a relationship."""

    #: Stable name of the rule.
    rule: str
    #: The observation in words.
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A key that referencing columns may point at."""

    referenced: ColumnSet
    #: Probability that it is this key, given that the columns are a reference; what is missing to 1 over all targets: none of them.
    probability: float
    #: What names, types and keys say for and against it.
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What the catalog alone lets us think of referencing columns, before anybody looks at rows."""

    referencing: ColumnSet
    #: Probability that the columns are a reference at all.
    reference_probability: float
    #: The likeliest first; at least one.
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another key that referencing columns may point at, and how likely."""

    referenced: ColumnSet
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An inferred relationship: never a declared one."""

    referencing: ColumnSet
    referenced: ColumnSet
    #: Probability that it is meant, 0 to 1: the product of the two below.
    confidence: float
    evidence: tuple[Evidence, ...]
    #: Probability that the columns are a reference at all, and that it is to this key, given that they are one.
    reference_probability: float = 1.0
    target_probability: float = 1.0
    #: Other keys, the likeliest first.
    alternatives: tuple[Alternative, ...] = ()
    #: What an application declares to happen on deletion, and where it says so.
    intended_on_delete: OnDelete | None = None
    intended_by: str = ""

    @property
    def id(self) -> str:
        """The id of the relationship."""
        return relationship_id(self.referencing, self.referenced)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherAction:
    """An ON DELETE that could be chosen instead, and when to, in one sentence."""

    on_delete: OnDelete
    rationale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A suggested ON DELETE and why, in one sentence."""

    on_delete: OnDelete
    rationale: str
    #: Other feasible actions, the best first.
    alternatives: tuple[OtherAction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """Columns that point, or should point, at a unique key: declared or inferred, counted and advised."""

    referencing: ColumnSet
    referenced: ColumnSet
    declared: bool
    validated: bool
    enforced: bool
    #: Name of the declaring constraint; empty when undeclared.
    constraint_name: str
    declared_on_delete: OnDelete | None
    #: At least one referencing column accepts NULL.
    nullable: bool
    confidence: float
    tier: Tier
    evidence: tuple[Evidence, ...]
    orphan_rows: RowCount
    risk: Risk
    suggested_on_delete: OnDelete
    rationale: str
    #: A usable index serves the referencing columns.
    indexed: bool
    #: Why PostgreSQL could not enforce it as it stands; empty when it could.
    obstacle: str
    #: The operator per column pair; empty when there is an obstacle.
    operators: tuple[Operator, ...]
    reference_probability: float = 1.0
    target_probability: float = 1.0
    alternatives: tuple[Alternative, ...] = ()
    other_actions: tuple[OtherAction, ...] = ()
    #: None when there are no orphan rows, or nobody looked closer.
    orphan_details: OrphanDetails | None = None

    @property
    def id(self) -> str:
        """Stable within a database."""
        return relationship_id(self.referencing, self.referenced)
