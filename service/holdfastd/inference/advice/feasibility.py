"""Whether ON DELETE SET NULL could ever work on columns, as far as the catalog tells.

Nullable is not enough: PostgreSQL accepts the foreign key, and the first deletion of a referenced row fails.
"""

import re
from collections.abc import Iterator

from holdfastd.catalog.model import Table
from holdfastd.names import identifier, readable

_BEFORE_UPDATE = 2
_NULLS_COUNTED = re.compile(r"\b(num_nonnulls|num_nulls)\(([^()]*)\)\s*(<=|>=|<>|<|>|=)", re.IGNORECASE)
_NOT = re.compile(r"\bNOT\s*\Z", re.IGNORECASE)
_STRING = re.compile(r"'(?:[^']|'')*'")
_MORE_ALLOWED = {"num_nonnulls": ("<", "<="), "num_nulls": (">", ">=")}


def why_never_null(table: Table, columns: tuple[str, ...]) -> str:
    """Say what refuses NULL in these columns, as the end of "SET NULL would fail, as …"; empty when nothing does."""
    return next(_refusals(table, columns), "")


def why_null_is_risky(table: Table, columns: tuple[str, ...]) -> str:
    """Say what may refuse NULL, depending on the rows or on code that nobody reads here; empty when nothing does."""
    for index in table.indexes:
        if index.is_unique and index.nulls_not_distinct and set(columns) & set(index.columns):
            return f"the unique index {readable(index.name)} counts NULLs as equal"
        if index.is_unique and any(_says(index.predicate or "", name, "IS NULL") for name in columns):
            return f"the unique index {readable(index.name)} allows few rows without a value"
    for trigger in table.triggers:
        if trigger.fires_on(update=True) and trigger.type_bits & _BEFORE_UPDATE:
            return f"the trigger {readable(trigger.name)} runs before updates and could refuse or undo it"
    return ""


def _refusals(table: Table, columns: tuple[str, ...]) -> Iterator[str]:
    for name in columns:
        column = table.column(name)
        if column.not_null or name in table.primary_key:
            yield f"{readable(name)} is NOT NULL"
        if column.generated:
            yield f"{readable(name)} is computed from other columns"
    for index in table.indexes:
        if index.is_unique and index.nulls_not_distinct and index.predicate is None and set(index.columns) <= set(columns):
            yield f"the unique index {readable(index.name)} allows one row without a value"
    for check in table.checks:
        for name in columns:
            if _needs_value(check, name):
                yield f"a CHECK on {readable(table.name.name)} asks for a value in {readable(name)}"


def _needs_value(check: str, name: str) -> bool:
    """Tell whether a CHECK may turn false when this column becomes NULL, by the spellings people use for that.

    Comparisons are none of them: with NULL they are unknown, and an unknown CHECK passes.
    """
    if name not in check:
        return False
    bare = _STRING.sub("''", check)
    for match in _NULLS_COUNTED.finditer(bare):
        function, listed, operator = match.groups()
        if any(each.strip() in _spellings(name) for each in listed.split(",")) and operator not in _MORE_ALLOWED[function.lower()]:
            return True
    return _says(bare, name, "IS NOT NULL") or _says(bare, name, "IS NULL", denied=True) or _is_weighed(bare, name)


def _spellings(name: str) -> tuple[str, ...]:
    return (readable(name), identifier(name))


def _says(sql: str, name: str, test: str, *, denied: bool = False) -> bool:
    """Tell whether the SQL says so of the column, under an even number of NOTs, or an odd one when `denied`."""
    spelled = "|".join(re.escape(each) for each in _spellings(name))
    for match in re.finditer(rf'(?<![\w".])(?:{spelled})\)?\s+{test}\b', sql, re.IGNORECASE):
        if bool(_negations(sql[: match.start()]) % 2) is denied:
            return True
    return False


def _negations(before: str) -> int:
    """Count the NOTs in front of the brackets that are still open, and of what comes next."""
    opened: list[bool] = []
    for place, letter in enumerate(before):
        if letter == "(":
            opened.append(_NOT.search(before[max(0, place - 5) : place]) is not None)
        elif letter == ")" and opened:
            opened.pop()
    return sum(opened) + (_NOT.search(before[-5:]) is not None)


def _is_weighed(sql: str, name: str) -> bool:
    """`(a IS NULL) <> (b IS NULL)`, `COALESCE(a, b) IS NOT NULL`, CASE WHEN a IS NULL: one of several has to be there."""
    column = f"(?:{'|'.join(re.escape(each) for each in _spellings(name))})"
    test = rf"\(\s*{column}\s+IS NULL\s*\)"
    listed = rf"COALESCE\((?:[^()]*[\s,])?{column}(?:,[^()]*)?\) IS NOT NULL"
    return re.search(rf"{test}\s*(?:<>|=)|(?:<>|=)\s*{test}|{listed}|\bWHEN\s+{test}", sql, re.IGNORECASE) is not None
