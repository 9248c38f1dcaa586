"""The checker can fail: each of its checks, over a state that is wrong in one way only."""

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import checker
from chaos.state import Counted, Key, Saved, State

ORDERS, CUSTOMERS = "public.orders", "public.customers"
KEY = Key(referencing=ORDERS, columns=("customer",), referenced=CUSTOMERS, referenced_columns=("id",), orphans="delete")
NULLED = replace(KEY, orphans="null")
BEFORE = State(
    schema="CREATE TABLE …",
    columns={ORDERS: ("id", "customer"), CUSTOMERS: ("id",)},
    rows={ORDERS: Counter([("1", "1"), ("2", "9")]), CUSTOMERS: Counter([("1",)])},
    sequences={},
    keys={},
)
GONE = replace(BEFORE, rows={**BEFORE.rows, ORDERS: Counter([("1", "1")])})
SAVED = Saved(table=ORDERS, action="DELETE", changed=(), row=("2", "9"), left=None)
CHANGED = Saved(table=ORDERS, action="UPDATE", changed=("customer",), row=("2", "9"), left=None)


@pytest.fixture(autouse=True)
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are lost here on purpose are not in the report."""
    monkeypatch.setattr(checker, "counted", Counted())


def test_checker_shares_no_code_with_the_service() -> None:
    """Neither it nor what it reads with imports anything of the service."""
    for name in ("checker.py", "state.py"):
        tree = ast.parse((Path(__file__).parent / name).read_text())
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}

        assert not any((module or "").startswith(("holdfast", "support")) for module in modules)


def test_rows_are_conserved() -> None:
    """Deleted and saved, or changed and saved, is fine."""
    checker.conserved(BEFORE, GONE, [SAVED])
    nulled = replace(BEFORE, rows={**BEFORE.rows, ORDERS: Counter([("1", "1"), ("2", None)])})
    checker.conserved(BEFORE, nulled, [CHANGED], keys=[NULLED])
    repointed = replace(BEFORE, rows={**BEFORE.rows, ORDERS: Counter([("1", "1"), ("2", "1")])})
    checker.conserved(BEFORE, repointed, [CHANGED], keys=[replace(KEY, orphans="1")])


@pytest.mark.parametrize(
    ("now", "saved", "words"),
    [
        (GONE, [], "neither there nor in the backup"),
        (BEFORE, [SAVED], "there and in the backup"),
        (GONE, [SAVED, SAVED], "there and in the backup"),
        (GONE, [CHANGED], "neither there nor in the backup"),
    ],
    ids=["lost", "twice", "saved-twice", "deleted-instead-of-changed"],
)
def test_lost_and_doubled_rows_are_seen(now: State, saved: list[Saved], words: str) -> None:
    """A row is in the table or in the backup, and in one of them only."""
    with pytest.raises(AssertionError, match=words):
        checker.conserved(BEFORE, now, saved)


def test_only_orphan_rows_are_doomed() -> None:
    """The row whose customer is there must not be in the backup."""
    checker.only_doomed(BEFORE, [SAVED], (KEY,))
    with pytest.raises(AssertionError, match="no orphan"):
        checker.only_doomed(BEFORE, [replace(SAVED, row=("1", "1"))], (KEY,))
    with pytest.raises(AssertionError, match="should have been changed"):
        checker.only_doomed(BEFORE, [SAVED], (NULLED,))


def test_dependents_are_doomed_to_the_fixpoint() -> None:
    """What references a row that goes, goes along, over any number of levels."""
    tables = {"public.items": Counter([("7", "2"), ("8", "1")]), "public.refunds": Counter([("70", "7")])}
    columns = {"public.items": ("id", "on_order"), "public.refunds": ("id", "item")}
    state = replace(BEFORE, rows={**BEFORE.rows, **tables}, columns={**BEFORE.columns, **columns})
    items = replace(KEY, referencing="public.items", columns=("on_order",), referenced=ORDERS, orphans="")
    refunds = replace(KEY, referencing="public.refunds", columns=("item",), referenced="public.items", orphans="", on_delete="null")
    doomed = checker.doomed_rows(state, (refunds, items, KEY))

    assert doomed == {ORDERS: {"2": "delete"}, CUSTOMERS: {}, "public.items": {"7": "delete"}, "public.refunds": {"70": "change"}}


def test_keys_are_a_prefix_of_the_planned_ones() -> None:
    """The second key without the first, or a key of another definition, is not what the plan does."""
    first, second = (ORDERS, "first"), (ORDERS, "second")
    after = replace(BEFORE, keys={first: "FOREIGN KEY (a)", second: "FOREIGN KEY (b)"})
    checker.keys_are_prefix(BEFORE, replace(BEFORE, keys={first: "FOREIGN KEY (a) NOT VALID"}), after)
    with pytest.raises(AssertionError, match="not the first"):
        checker.keys_are_prefix(BEFORE, replace(BEFORE, keys={second: "FOREIGN KEY (b)"}), after)
    with pytest.raises(AssertionError, match="not of the plan"):
        checker.keys_are_prefix(BEFORE, replace(BEFORE, keys={first: "FOREIGN KEY (c)"}), after)


def test_states_differ_by_schema_rows_and_copies() -> None:
    """Equal is equal to the letter, duplicates counted."""
    checker.same(BEFORE, BEFORE)
    for wrong in (GONE, replace(BEFORE, schema="CREATE TABLE ……"), replace(BEFORE, sequences={"s": "1"})):
        with pytest.raises(AssertionError):
            checker.same(wrong, BEFORE)
    doubled = replace(BEFORE, rows={**BEFORE.rows, CUSTOMERS: Counter([("1",), ("1",)])})
    with pytest.raises(AssertionError, match="too many"):
        checker.same(doubled, BEFORE)
