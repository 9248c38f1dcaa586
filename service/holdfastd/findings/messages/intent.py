"""Sentences about what applications declare and the database does not have."""

from holdfastd.findings.words import Words
from holdfastd.inference.hints.lookup import Unknown
from holdfastd.names import readable

_VIEWS = "is no table that a foreign key could be put on, but a view, a partition or the like"


def unknown_intent(unknown: Unknown) -> Words:
    """Something that an application names and the database does not have."""
    missing = unknown.missing
    if missing.reason:
        return Words(
            message=f"{missing.reason}{_declared(unknown.origins)}.",
            consequence="The relationship is not audited, so its orphan rows go unnoticed and no plan protects it.",
            cure="Say in the application's schema which columns are meant, then audit again with it.",
        )
    thing = f"Column {readable(missing.column)} of {missing.table}" if missing.column else f"Table {missing.table}"
    trouble = _VIEWS if unknown.is_other else "does not exist"
    return Words(
        message=f"{thing}{_named(unknown.origins)} {trouble}{f'; did you mean {unknown.alike}?' if unknown.alike else '.'}",
        consequence="What the application declares about it is not audited: the application or the database is not up to date, "
        "or the schema is that of another database.",
        cure="Nothing is to be done if views are all that is meant; else declare the relationship on the table itself and audit again."
        if unknown.is_other
        else "Run the migrations that are missing or mend the application's schema, then audit again with it.",
    )


def _named(origins: tuple[str, ...]) -> str:
    if not origins:
        return ", which the application names,"
    return f", which {_places(origins)} {'name' if len(origins) > 1 else 'names'},"


def _declared(origins: tuple[str, ...]) -> str:
    return f" (declared at {_places(origins)})" if origins else ""


def _places(origins: tuple[str, ...]) -> str:
    more = len(origins) - 1
    return origins[0] + (f" and {more} more place{'s' if more > 1 else ''}" if more else "")
