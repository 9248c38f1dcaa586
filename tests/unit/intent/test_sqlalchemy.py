"""SQLAlchemy's metadata, and the classes mapped to it."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, String, Table, and_
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship, remote

from holdfast.intent.sqlalchemy_metadata import from_metadata
from unit.intent.declarations import ROOT, lines


class Base(DeclarativeBase):
    metadata = MetaData(schema="shop")


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("shop.users.id", ondelete="SET NULL"))
    tickets: Mapped[list["Ticket"]] = relationship(
        primaryjoin=lambda: User.id == foreign(Ticket.user_number), cascade="all, delete-orphan", back_populates="user"
    )


class Ticket(Base):
    __tablename__ = "tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_number: Mapped[int]
    kind: Mapped[str]
    user: Mapped[User] = relationship(primaryjoin=lambda: foreign(Ticket.user_number) == User.id, back_populates="tickets")
    seen: Mapped[User] = relationship(primaryjoin=lambda: foreign(Ticket.id) == remote(User.boss_id), viewonly=True)
    owner: Mapped[User] = relationship(
        primaryjoin=lambda: and_(foreign(Ticket.id) == User.id, Ticket.kind == "user"), overlaps="user,tickets"
    )


def line_of(text: str) -> int:
    """Return the line of this file that says something, counted from 1."""
    return next(number for number, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line)


def test_keys_of_tables():
    """ondelete, schemas, several columns, use_alter; a key to a table that is not there is told."""
    metadata = MetaData()
    Table("pairs", metadata, Column("x", Integer, primary_key=True), Column("y", Integer, primary_key=True), schema="app")
    Table(
        "a",
        metadata,
        Column("p", Integer),
        Column("q", Integer),
        Column("code", String, ForeignKey("b.code", use_alter=True, name="late")),
        Column("lost", Integer, ForeignKey("nowhere.id")),
        ForeignKeyConstraint(["p", "q"], ["app.pairs.x", "app.pairs.y"], ondelete="set null (q)"),
    )
    Table("b", metadata, Column("code", String, unique=True))

    intent = from_metadata(metadata)

    assert lines(intent.relationships) == ["a(code) -> b(code) @ table a", "a(p, q) -> app.pairs(x, y) SET_NULL @ table a"]
    assert [tuple(each) for each in intent.unread] == [
        ("table a", "a(lost) points at what the metadata does not have (NoReferencedTableError)")
    ]


def test_relationships_without_a_key():
    """A primaryjoin is enough; what cascades by the ORM is CASCADE; views and conditions are no relationships."""
    intent = from_metadata(Base.metadata, Base.registry.mappers)
    here = str(Path(__file__).resolve().relative_to(Path.cwd()))

    assert lines(intent.relationships) == [
        f"shop.users(boss_id) -> shop.users(id) SET_NULL @ {here}:{line_of('boss_id: Mapped')}",
        f"shop.tickets(user_number) -> shop.users(id) CASCADE @ {here}:{line_of('user: Mapped[User]')}",
    ]
    assert [tuple(each) for each in intent.unread] == [(f"{here}:{line_of('owner: Mapped')}", "Ticket.owner holds for some rows only")]


def run(folder: Path, spec: str) -> str:
    """Read a specification in a process of its own, in a folder; return relationships, or the sentence of the error."""
    program = (
        "import sys, json\nfrom holdfast.intent.sources import read_intent\nfrom holdfast.intent.model import IntentError\n"
        "try:\n    intent = read_intent(sys.argv[1])\n"
        "    print(json.dumps([[e.origin, e.referencing.table, e.on_delete] for e in intent.relationships]))\n"
        "except IntentError as error:\n    print(error)\n"
    )
    done = subprocess.run(  # noqa: PLW1510 (what it prints is looked at)
        [sys.executable, "-c", program, spec], cwd=folder, env={"PYTHONPATH": str(ROOT / "clients/python")}, capture_output=True, text=True
    )
    assert done.stderr in {"", "hello\n"}
    return done.stdout.strip()


def test_code_of_the_application_is_imported_when_named(tmp_path):
    """From the current folder; a base stands for its metadata."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "models.py").write_text(
        textwrap.dedent("""
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            pass

        class User(Base):
            __tablename__ = "users"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
        """)
    )
    expected = [["shop/models.py:15", "orders", 3]]

    assert json.loads(run(tmp_path, "sqlalchemy:shop.models:Base.metadata")) == expected
    assert json.loads(run(tmp_path, "sqlalchemy:shop.models:Base")) == expected


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("sqlalchemy:broken:Base.metadata", "broken cannot be imported from {folder}: RuntimeError: no."),
        ("sqlalchemy:leaving:Base.metadata", "leaving cannot be imported from {folder}: SystemExit: 3."),
        ("sqlalchemy:missing:Base", "missing cannot be imported from {folder}: ModuleNotFoundError: No module named 'missing'."),
        ("sqlalchemy:fine:Base.metadata", "fine:Base.metadata is no MetaData of SQLAlchemy; name one, such as fine:Base.metadata."),
        ("sqlalchemy:lazy:Base", "lazy:Base cannot be read: RuntimeError: computed."),
        ("sqlalchemy:fine", "sqlalchemy: needs a module and a name in it, such as sqlalchemy:shop.models:Base.metadata."),
    ],
)
def test_code_that_fails_is_one_sentence(tmp_path, spec, sentence):
    """Whatever the application's code does."""
    (tmp_path / "broken.py").write_text("raise RuntimeError('no.\\nmore')")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(3)")
    (tmp_path / "fine.py").write_text("print('hello')")
    (tmp_path / "lazy.py").write_text("def __getattr__(name): raise RuntimeError('computed')")

    assert run(tmp_path, spec) == sentence.format(folder=tmp_path)
