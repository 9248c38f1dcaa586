"""Which ON DELETE fits two tables, judged by how they belong together, and why, in one sentence.

The order of the rules is the order of their safety: what would lose rows that matter is asked first.
"""

from holdfastd.catalog.model import OnDelete
from holdfastd.inference.advice.ownership import Ownership

Suggestion = tuple[OnDelete, str]


def judge(seen: Ownership, *, never_null: str) -> Suggestion:
    """Return the action and the reason; `never_null` says why the columns can never become NULL though they look nullable."""
    if not seen.may_be_nulled:
        return _for_required(seen)
    action, reason = _for_optional(seen)
    if action is OnDelete.SET_NULL and never_null:
        return OnDelete.RESTRICT, f"{seen.column} looks nullable, but {never_null}; deleting {seen.a_thing} in use should fail."
    return action, reason


def _for_optional(seen: Ownership) -> Suggestion:
    """Nullable columns: keep the row and forget the reference, unless the row is nothing without it."""
    rows, thing, a_thing, column = seen.rows, seen.thing, seen.a_thing, seen.column
    if seen.is_code_list and not seen.is_self:
        return OnDelete.RESTRICT, f"{seen.table} looks like a list of what {column} may say; deleting an entry in use should fail."
    if seen.is_between_books and not seen.is_self:
        return OnDelete.RESTRICT, f"{rows} and {seen.table} both keep the books; deleting {a_thing} that {rows} mentions should fail."
    if seen.is_clinical and seen.is_listed:
        return OnDelete.RESTRICT, f"{rows} keeps what was seen, which {thing} gives its meaning; deleting one in use should fail."
    if _is_nothing_without(seen):
        return OnDelete.CASCADE, f"{column} may be empty, yet {_why_nothing(seen)}: a row of {rows} goes with its {thing}."
    if seen.is_self:
        reason = f"A row of {rows} can stand without the one that {column} names, so deleting that one deletes no others."
    elif seen.is_ban:
        reason = f"{rows} keeps somebody out, and a ban should not vanish with the {thing} in {column}."
    elif seen.is_agent:
        reason = f"Rows of {rows} stay valuable when the {thing} in {column} is gone; only the attribution is lost."
    elif seen.is_history:
        reason = f"{rows} tells what happened, which stays true without the {thing}; only the reference in {column} is lost."
    else:
        reason = f"A row of {rows} may exist without {a_thing}, as {column} may be empty, so it survives when that is deleted."
    return OnDelete.SET_NULL, reason


def _is_nothing_without(seen: Ownership) -> bool:
    """Tell whether a row is meaningless once its nullable reference is gone. History, roles and actors never are owners."""
    if seen.is_self or seen.is_ban or (seen.stands_alone and not seen.is_part and not seen.is_all_references):
        return False
    if _is_key_to(seen):
        return True
    if seen.is_agent or seen.is_history or seen.has_role:
        return False
    if (seen.is_person and seen.has_required_other) or (seen.is_mutual and not seen.is_owner):
        return False
    if seen.is_sole_owner or seen.is_all_references:
        return True
    return seen.is_small and not seen.is_reference_data and not seen.is_owner


def _is_key_to(seen: Ownership) -> bool:
    return seen.is_credential and (seen.is_owner or seen.is_gate)


def _why_nothing(seen: Ownership) -> str:
    if _is_key_to(seen):
        return "nobody should get in with what is left"
    return "nothing else can own a row" if seen.is_sole_owner else "a row holds little besides its references"


def _for_required(seen: Ownership) -> Suggestion:
    """Required columns: the row goes with its owner, or blocks the deletion of what it is described by."""
    blocked = _why_blocked(seen)
    if blocked:
        return OnDelete.NO_ACTION if seen.is_partly_nullable else OnDelete.RESTRICT, f"{blocked}; deleting one in use should fail."
    if seen.is_link:
        reason = f"{seen.rows} only links rows of other tables; a link without its {seen.thing} means nothing."
    elif seen.is_part:
        reason = f"Rows of {seen.rows} are parts of their {seen.thing} and mean nothing without it."
    else:
        reason = f"Every row of {seen.rows} belongs to one {seen.thing} and goes with it."
    return OnDelete.CASCADE, reason


def _why_blocked(seen: Ownership) -> str:
    """Say why deleting a referenced row should fail; empty when the referencing rows should go with it."""
    rows, table, thing, column = seen.rows, seen.table, seen.thing, seen.column
    a_thing = seen.a_thing
    belongs = seen.is_link or (seen.is_part and not seen.is_money_moved)
    described = (
        "is reference data that describes" if seen.is_reference_data else "holds little, as reference data does, and seems to describe"
    )
    describes = seen.is_reference_data or (seen.is_small_target and not seen.is_owner)
    keeps = seen.is_financial or seen.is_clinical
    reasons = (
        (seen.is_partly_nullable, f"{column} cannot all be set null, and a row of {rows} may exist without {a_thing}"),
        (seen.is_self, f"Every row of {rows} needs the one that {column} names, and a cascade could remove a whole tree unnoticed"),
        (seen.is_round, f"Rows of {rows} and of {table} need each other, and a cascade would go round and take them all"),
        (seen.holds_part, f"{table} is a part of {rows}, not its owner, and deleting the part should not delete the whole"),
        (seen.is_ban and seen.is_person, f"{rows} keeps somebody out, and a ban should not vanish with the {thing} it names"),
        (seen.is_line_of_goods, f"{rows} keeps what was sold, which must outlive the {thing}"),
        (belongs, ""),
        (seen.has_role and not seen.is_owner and not seen.identifies, f"{column} gives {a_thing} a part to play in {rows}, it owns no row"),
        (describes and not seen.identifies, f"{table} {described} rows of {rows}"),
        (seen.is_broad and not seen.is_owner, f"Many tables build on {rows}, and a cascade from {a_thing} would go far"),
        (keeps and (seen.is_person or not seen.is_owner), f"{rows} keeps records that must outlive {a_thing}"),
    )
    return next((reason for applies, reason in reasons if applies), "")
