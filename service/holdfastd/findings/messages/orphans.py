"""Sentences about orphan rows, and about rows that could not be counted."""

from holdfastd.catalog.model import Catalog, ForeignKey, OnDelete, Table
from holdfastd.evidence.model import CausedRows, Exactness, OrphanCause, OrphanDetails
from holdfastd.evidence.statements import from_only, orphan_condition
from holdfastd.findings.plannable import is_plannable
from holdfastd.findings.words import Words, listed, numbered, plain, sentence
from holdfastd.inference.model import Relationship
from holdfastd.names import TableName, identifier

#: What a reason says before the statement that removes it.
_RUN = "; run "
#: Bits of pg_trigger.tgtype.
_BEFORE_ROW = 1 | 2
#: Cause -> what one row does, what several do.
_CAUSES = {
    OrphanCause.DELETED: ("references a row that was deleted", "reference rows that were deleted"),
    OrphanCause.NEVER_EXISTED: ("holds a value that the key never had", "hold values that the key never had"),
    OrphanCause.SENTINEL: ("holds a value that stands for none", "hold values that stand for none"),
    OrphanCause.WRONG_TYPE: ("holds an id of another kind", "hold ids of another kind"),
}


def orphan_rows(catalog: Catalog, relationship: Relationship, *, is_certain: bool) -> Words:
    """Rows that reference nothing."""
    doubt = "" if is_certain else ", if the relationship is meant"
    return Words(
        message=f"{_what(relationship)}{doubt}{_why(relationship)}.",
        consequence="Joins drop these rows silently, sums over them differ, and a foreign key cannot be validated.",
        cure=_cleaning(catalog, relationship),
    )


def orphans_under_valid_key(catalog: Catalog, relationship: Relationship, key: ForeignKey) -> Words:
    """Rows that reference nothing although PostgreSQL believes that there are none."""
    referencing = relationship.referencing
    table, name = catalog.tables[referencing.table], identifier(relationship.constraint_name)
    condition = orphan_condition(catalog, referencing, relationship.referenced, relationship.operators)
    select = f"SELECT * FROM {from_only(table)} AS referencing WHERE {condition}"
    first = "Repair" if key.triggers_enabled else "Enable its triggers, then repair"
    return Words(
        message=f"{_what(relationship)}, though the catalog calls foreign key {name} valid{_why(relationship)}.",
        consequence=f"PostgreSQL trusts the key and never looks at these rows again; they came past it {_how(table, key)}.",
        cure=f"{first} or remove the rows by hand, for plans leave validated keys alone and VALIDATE CONSTRAINT skips them: "
        f"they are those of {select}.",
    )


def _how(table: Table, key: ForeignKey) -> str:
    """Return how rows get past a valid key, as the end of a sentence; who swallows a cascade is named."""
    if not key.triggers_enabled:
        return "because its triggers are disabled"
    how = "while triggers were disabled or session_replication_role was replica"
    cascades, sets = key.on_delete is OnDelete.CASCADE, key.on_delete in {OnDelete.SET_NULL, OnDelete.SET_DEFAULT}
    suspects = [
        identifier(trigger.name)
        for trigger in table.triggers
        if trigger.type_bits & _BEFORE_ROW == _BEFORE_ROW and trigger.fires_on(delete=cascades, update=sets)
    ]
    suspects += ["a rule"] if table.has_rules and (cascades or sets) else []
    return f"{how}, or {listed(suspects, 'or')} kept ON DELETE {key.on_delete} from what it does" if suspects else how


def not_auditable(relationship: Relationship) -> Words:
    """A relationship whose rows could not be counted."""
    reason, _, statement = relationship.orphan_rows.reason.partition(_RUN)
    return Words(
        message=f"The orphan rows of {relationship.referencing} were not counted: {sentence(reason)}",
        consequence="Whether orphan rows exist is unknown, so no key is planned on the strength of this audit.",
        cure=f"Run {statement}, then audit again." if statement else "Remove the reason, then audit again.",
    )


def in_another_database(relationship: Relationship) -> Words:
    """A relationship with a foreign table."""
    return Words(
        message=f"The orphan rows of {relationship.referencing} were not counted: {sentence(relationship.orphan_rows.reason)}",
        consequence="Whether orphan rows exist is unknown, and no foreign key can protect a relationship with a foreign table.",
        cure="Count them where both tables are local, or keep the relationship in order by the application.",
    )


def rows_hidden(table: TableName, owner: str, reason: str, relationships: int) -> Words:
    """A table whose rows the auditing role does not see."""
    advice = reason.partition(_RUN)[2]
    role = f"Run {advice}" if advice else "Give the auditing role BYPASSRLS, or audit as another role"
    them = f"the orphan rows of {numbered(relationships, 'relationship')}"
    seeing = f" that sees all rows, such as the owner {identifier(owner)} unless row security is forced" if owner else ""
    return Words(
        message=f"Row security hides rows of {table} from the role that audits, so {them} could not be counted.",
        consequence="Whether orphan rows exist is unknown, so no key is planned on the strength of this audit.",
        cure=f"{role}{seeing}, then audit again.",
    )


def _what(relationship: Relationship) -> str:
    """Return the number of rows, and what they do not reference."""
    count, details = relationship.orphan_rows, relationship.orphan_details
    referencing, referenced = relationship.referencing, relationship.referenced
    verb = "references" if count.value == 1 else "reference"
    rows = numbered(count.value, "row")
    if count.exactness is Exactness.ESTIMATED:
        rows = f"About {rows}"
        if count.low is not None and count.high is not None:
            rows += f" (between {count.low} and {count.high})"
    share = f", {_percent(details.share)} of all," if details and details.share is not None else ""
    return f"{rows} of {referencing.table}{share} {verb} nothing in {referenced} through {plain(referencing.columns)}"


def _percent(share: float) -> str:
    """Return a share that is never rounded to nothing, nor to everything."""
    percent = share * 100
    if 0 < percent < 0.1:  # noqa: PLR2004 (what one decimal can show)
        return "less than 0.1 %"
    return f"{min(percent, 99.9) if share < 1 else percent:.1f} %".replace(".0 %", " %")


def _why(relationship: Relationship) -> str:
    """Return what the values and times of the rows tell, as more of the sentence; empty when nothing."""
    details = relationship.orphan_details
    if details is None:
        return ""
    told = [text for text in (_causes(details), _times(details)) if text]
    return f"; {'; '.join(told)}" if told else ""


def _causes(details: OrphanDetails) -> str:
    total = sum(caused.rows for caused in details.causes)
    known = sorted((caused for caused in details.causes if caused.cause in _CAUSES and caused.rows), key=lambda caused: -caused.rows)
    return listed([_caused(caused, total) for caused in known]) if known else ""


def _caused(caused: CausedRows, total: int) -> str:
    one, several = _CAUSES[caused.cause]
    if caused.rows == total:
        return f"it {one}" if total == 1 else f"all {several}"
    if caused.rows * 2 > total:
        return f"most {several}"
    return f"{caused.rows} {one if caused.rows == 1 else several}"


def _times(details: OrphanDetails) -> str:
    first, last = details.first_seen, details.last_seen
    if first is None or last is None:
        return ""
    if first.date() == last.date():
        return f"by {details.seen_column} from {first:%Y-%m-%d}"
    return f"by {details.seen_column} the oldest is from {first:%Y-%m-%d}, the newest from {last:%Y-%m-%d}"


def _cleaning(catalog: Catalog, relationship: Relationship) -> str:
    if is_plannable(catalog, relationship) and relationship.nullable and _stand_for_none(relationship):
        cure = "Look at samples, then plan to set NULL, which is what most of these values stand for, rather than to delete"
    elif is_plannable(catalog, relationship):
        cure = "Look at samples, then plan what happens to them: delete, set NULL, repoint, or leave the key not validated"
    else:
        cure = "Look at samples, then repair or remove them by hand, because no plan covers this relationship as it stands"
    return f"{cure}{_price(relationship)}."


def _stand_for_none(relationship: Relationship) -> bool:
    causes = relationship.orphan_details.causes if relationship.orphan_details else ()
    return 2 * sum(each.rows for each in causes if each.cause is OrphanCause.SENTINEL) > sum(each.rows for each in causes)


def _price(relationship: Relationship) -> str:
    """Return what deleting the rows would cost, as more of the sentence; empty when nothing beyond themselves."""
    details = relationship.orphan_details
    if details is None:
        return ""
    if details.blocked:
        return f"; deleting them cannot work, because {details.blocked.rstrip('.')}"
    rows = sum(taken.rows for taken in details.taken)
    if rows <= relationship.orphan_rows.value:
        return ""
    tables = sum(bool(taken.rows) for taken in details.taken)
    return f"; deleting them would delete or change {rows} rows in {numbered(tables, 'table')}, themselves included"
