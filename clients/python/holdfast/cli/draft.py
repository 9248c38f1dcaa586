"""A policy file to begin with: in come the relationships of an audit, out comes YAML with every decision commented out. Pure.

Below the head, a `#` in the first column hides a line of YAML that says what Holdfast would decide; indented ones are prose.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import yaml

from holdfast.cli.render.words import chance, clean, prose, relationship, share, word
from holdfast.cli.resolve import names
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import OnDelete, Relationship

_WRAPPER = textwrap.TextWrapper(width=92, initial_indent="  # ", subsequent_indent="  #   ", break_long_words=False, break_on_hyphens=False)
_BARE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+")
_HEAD = """\
# Policy for database {database}, from {audit}.
# `holdfast plan {database} --policy FILE` takes it. As it stands it decides nothing.
#
# Below, a # in the first column hides a decision as Holdfast takes it by itself. To decide
# otherwise, take the # away, there and before the name above it, and change the value.
#
#   include     true, false: plan it or not
#   on_delete   cascade, set_null, set_default, restrict, no_action:
#               what deleting a referenced row does from then on
#   orphans     delete, set_null, repoint, leave: what happens to rows that reference
#               nothing, after they are backed up
#   repoint_to  for repoint: one value per referenced column, such as ["1"]

relationships:
"""


def draft_policy(database: str, audit: str, found: Iterable[Relationship]) -> str:
    """Return the file: what would be planned first, then what would need a word from somebody."""
    known = list({each.id: each for each in found}.values())
    called = _names(known)
    parts = [_HEAD.format(database=database, audit=audit)]
    for title, chosen in (
        ("Planned unless you say otherwise", [each for each in known if _is_open(each) and each.tier != core.TIER_REVIEW]),
        (
            "Not planned unless you say so: Holdfast is not sure",
            [each for each in known if _is_open(each) and each.tier == core.TIER_REVIEW],
        ),
    ):
        if chosen:
            parts.append(f"\n  # {title}.\n")
            parts += ["\n" + "".join(f"{line}\n" for line in _entry(each, called[each.id])) for each in chosen]
    if len(parts) == 1:
        parts.append("  # Nothing is open: every relationship is declared and validated.\n")
    return "".join(parts)


def _is_open(item: Relationship) -> bool:
    return item.tier in (core.TIER_PLAN, core.TIER_REVIEW) or item.state == core.RELATIONSHIP_STATE_NOT_VALIDATED


def _names(known: Sequence[Relationship]) -> dict[str, str]:
    """Return the shortest name of each relationship that no other has."""
    bearers: dict[str, set[str]] = {}
    for each in known:
        for name in names(each):
            bearers.setdefault(name, set()).add(each.id)
    return {each.id: min((name for name in names(each) if len(bearers[name]) == 1), key=len) for each in known}


def _entry(item: Relationship, name: str) -> Iterator[str]:
    yield from _prose(f"{relationship(item.id)}: {_orphans(item)}")
    if item.obstacle:
        yield from _prose(f"Cannot be planned: {item.obstacle}")
    elif item.rationale:
        yield from _prose(f"{word(OnDelete, item.suggested_on_delete)}: {item.rationale}")
    if not item.declared and item.evidence:
        yield from _prose(f"{chance(item.confidence)} sure: {'; '.join(each.text for each in item.evidence)}.")
    yield f"#  {_key(name)}:"
    yield from (f"#    {line}" for line in _decision(item))


def _decision(item: Relationship) -> Iterator[str]:
    is_planned = not item.obstacle and item.tier != core.TIER_REVIEW
    yield f"include: {str(is_planned).lower()}"
    if not item.declared:
        yield f"on_delete: {_value(item.suggested_on_delete)}"
    yield f"orphans: {_fate(item)}"


def _fate(item: Relationship) -> str:
    """Return what happens to orphan rows by default."""
    on_delete = item.declared_on_delete if item.declared else item.suggested_on_delete
    if on_delete == core.ON_DELETE_CASCADE:
        return "delete"
    return "set_null" if on_delete == core.ON_DELETE_SET_NULL and item.nullable else "leave"


def _value(on_delete: OnDelete.ValueType) -> str:
    """Return the word of the file; what an older service left open is what PostgreSQL does by itself."""
    return OnDelete.Name(on_delete or core.ON_DELETE_NO_ACTION).removeprefix("ON_DELETE_").lower()


def _orphans(item: Relationship) -> str:
    count, part = item.orphan_rows, item.orphan_details
    if count.exactness == core.EXACTNESS_NOT_COUNTED:
        return f"orphan rows not counted, {count.reason or 'for no known reason'}"
    about = "about " if count.exactness == core.EXACTNESS_ESTIMATED else ""
    of_table = f" ({share(part.share)} of the table)" if count.value and part.HasField("share") else ""
    return f"{about}{count.value:,} orphan row{'' if count.value == 1 else 's'}{of_table}" if count.value else "no orphan rows"


def _prose(text: str) -> Iterator[str]:
    words = " ".join(prose(clean(text)).split())
    yield from _WRAPPER.wrap(words)


def _key(name: str) -> str:
    """Return a name as a key of YAML: bare where that is safe, else quoted, in signs that every reader takes."""
    return name if _BARE.fullmatch(name) else yaml.safe_dump(name, default_style='"', width=10**6).strip()
