"""Named queries: each says what it returns, each is used, no name is there twice."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from holdfastd.catalog import read
from holdfastd.sql import load_queries

GOOD = "-- name: list_a\n-- All a.\nSELECT 1;\n\n-- name: list_b\n-- All b,\n-- and more.\nSELECT $1\nFROM x;\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable package with no files yet."""
    folder = tmp_path / "queries_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder.name


def write(package: str, name: str, text: str) -> None:
    module: ModuleType = __import__(package)
    (Path(str(module.__file__)).parent / name).write_text(text)


def test_queries_come_by_name(package: str) -> None:
    """Without comments about them and without the semicolon."""
    write(package, "good.sql", GOOD)

    assert dict(load_queries(package, "good.sql")) == {"list_a": "SELECT 1", "list_b": "SELECT $1\nFROM x"}


@pytest.mark.parametrize("text", ["-- name: silent\nSELECT 1;\n", GOOD + "-- name: silent\nSELECT 1;\n", GOOD + GOOD])
def test_silent_and_double_queries_are_refused(package: str, text: str) -> None:
    """When the module is imported, not when the query is used."""
    write(package, "bad.sql", text)

    with pytest.raises(ValueError, match=r"^bad\.sql: "):
        load_queries(package, "bad.sql")


def test_every_catalog_query_is_used() -> None:
    """A query that nobody runs is dead."""
    source = Path(read.__file__).read_text() + Path(read.__file__).with_name("build.py").read_text()

    assert [name for name in read.QUERIES if f'"{name}"' not in source] == []
