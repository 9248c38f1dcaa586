"""How the names of two tables, and of the columns between them, are alike. Names only: no catalog, no other relationship."""

from functools import lru_cache

from holdfastd.inference.advice.meanings import GOODS, LINES, ORDERS
from holdfastd.inference.naming.vocabulary import AGENT_WORDS, BY
from holdfastd.inference.naming.words import stem_of, words
from holdfastd.names import ColumnSet, TableName

Words = tuple[str, ...]

_SHORTEST_NAME = 4  # letters of a table's name that may be looked for inside another's


def own_names(name: TableName, target: TableName) -> tuple[Words, Words]:
    """Return the words of both tables, a first word that both share (a module's prefix) cut off."""
    left, right = words(name.name), words(target.name)
    if len(left) > 1 and len(right) > 1 and left[0] == right[0]:
        return left[1:], right[1:]
    return left, right


@lru_cache(maxsize=65_536)
def ends_like(name: Words, wanted: frozenset[str]) -> bool:
    """Tell whether a word is, or ends like, one of those wanted: glued names keep the meaning at the end."""
    return any(word == other or (word.endswith(other) and len(word) >= 2 * _SHORTEST_NAME) for other in wanted for word in name)


@lru_cache(maxsize=65_536)
def starts_like(name: Words, wanted: frozenset[str]) -> bool:
    """Tell whether a word starts like one of those wanted: glued names keep what limits the meaning at the start."""
    return any(word.startswith(other) for other in wanted for word in name)


def is_agent(referencing: ColumnSet, target_name: Words) -> bool:
    """Tell whether columns say who did something, rather than whose the row is."""
    stem = stem_of(words(referencing.columns[-1])).words
    if not stem or len(referencing.columns) > 1:
        return False
    return BY in stem or (stem[-1] in AGENT_WORDS and stem[-1] not in target_name)


def has_role(referencing: ColumnSet, target: TableName) -> bool:
    """Tell whether something stands before the table's name in the column's, as in `moved_to_account_id`."""
    stem, name = stem_of(words(referencing.columns[-1])).words, words(target.name)
    return len(stem) > 1 and stem[-1:] == name[-1:] and name[-len(stem) :] != stem


def is_named_after(name: Words, target: Words) -> bool:
    """`wallet_transactions` is a part of `wallets`, `orderposition` of `order`; `ev_vehicles` is none of `vehicles`."""
    whole, part = "".join(name), "".join(target)
    if len(whole) <= len(part) or name[-1:] == target[-1:]:
        return False
    if len(part) >= _SHORTEST_NAME and whole.startswith(part):
        return True
    return any(name[start : start + len(target)] == target for start in range(len(name) - len(target) + 1))


def is_line_of_goods(name: Words, target_name: Words) -> bool:
    """`order_details` and `products`: what was sold, and the goods."""
    return starts_like(name[:1], ORDERS) and ends_like(name[-1:], LINES) and target_name[-1] in GOODS
