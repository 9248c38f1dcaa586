"""Sources as people type them, and files that nobody should be asked to read."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from holdfast.intent import files
from holdfast.intent.drizzle.read import from_drizzle
from holdfast.intent.files import Source
from holdfast.intent.model import Columns, Draft, IntentError, action, place
from holdfast.intent.prisma import from_prisma
from holdfast.intent.rails import from_rails
from holdfast.intent.sources import read_intent
from holdfast.v1.core_pb2 import ON_DELETE_NO_ACTION, ON_DELETE_SET_NULL, ON_DELETE_UNSPECIFIED
from unit.intent import test_prisma, test_rails
from unit.intent.declarations import ROOT, lines

GAS = (ROOT / "tests/samples/gaztime/schema.ts").read_text()
READERS = [from_prisma, from_drizzle, from_rails]
SAMPLES = {from_prisma: test_prisma.SHOP, from_drizzle: GAS, from_rails: test_rails.SCHEMA}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An application's folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "specs", "number"),
    [
        ("prisma/schema.prisma", test_prisma.SHOP, ["prisma/schema.prisma", "prisma", ".", "prisma:prisma", "prisma:."], 6),
        ("src/db/schema.ts", 'import "drizzle-orm/pg-core";\n' + GAS, ["src/db/schema.ts", "src", ".", "drizzle:src/db"], 11),
        ("db/schema.rb", test_rails.SCHEMA, ["db/schema.rb", ".", "db", "rails:.", "rails:db/schema.rb"], 9),
    ],
)
def test_kinds_are_told_by_names_and_content(here, name, text, specs, number):
    """A file, a folder, or a kind and a path; origins are relative to the current folder."""
    path = here / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (here / "node_modules").mkdir()
    (here / "node_modules" / "schema.ts").write_text('import "drizzle-orm"; broken(')

    for spec in [*specs, str(path)]:
        intent = read_intent(spec)
        assert (len(intent.relationships), {each.origin.rpartition(":")[0] for each in intent.relationships}) == (number, {name})


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("nowhere.prisma", "There is no file or folder nowhere.prisma; name one, or say prisma:PATH"),
        ("prisma:nowhere", "nowhere cannot be read: No such file or directory."),
        ("notes.md", "notes.md is of no kind that can be told; say which"),
        ("plain.ts", "plain.ts is of no kind that can be told; say which"),
        ("drizzle:plain.ts", "plain.ts declares no relationship that could be read as drizzle"),
        ("drizzle:empty", "empty holds no file that ends with .ts or "),
        ("bytes.prisma", "bytes.prisma is not UTF-8."),
        ("large.prisma", "large.prisma is larger than 4 MB; name the file of the schema itself."),
        ("drizzle:heavy", "heavy holds more than 64 MB; name the folder of the schema itself."),
        ("rails:\0", "\0 cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_one_sentence(here, spec, sentence):
    """It says what to type instead."""
    (here / "notes.md").write_text("# Notes")
    (here / "plain.ts").write_text("export const x = 1;")
    (here / "bytes.prisma").write_bytes(b"\xff\xfe\x00")
    (here / "large.prisma").write_bytes(b" " * (files.MOST_BYTES + 1))
    (here / "empty").mkdir()
    (here / "heavy").mkdir()
    for number in range(17 if "heavy" in spec else 0):
        (here / "heavy" / f"{number}.ts").write_bytes(b" " * files.MOST_BYTES)

    with pytest.raises(IntentError) as error:
        read_intent(spec)

    assert str(error.value).startswith(sentence)
    assert str(error.value).endswith(".")


def test_a_folder_is_read_past_what_is_no_file(here):
    """Links to nowhere, links in a circle, pipes and folders named like files."""
    (here / "prisma" / "folder.prisma").mkdir(parents=True)
    (here / "prisma" / "schema.prisma").write_text(test_prisma.SHOP)
    (here / "prisma" / "lock.prisma").symlink_to("nowhere")
    (here / "prisma" / "circle.prisma").symlink_to("circle.prisma")
    (here / "prisma" / "again").symlink_to(here)
    os.mkfifo(here / "prisma" / "pipe.prisma")

    assert len(read_intent("prisma").relationships) == 6


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=60, deadline=None)
@given(data=some.data())
def test_any_text_is_read_without_a_fault(read, data):
    """A damaged schema gives fewer relationships, never an exception."""
    sample = SAMPLES[read]
    start, length = data.draw(some.integers(0, len(sample))), data.draw(some.integers(0, 400))
    junk = data.draw(some.text(max_size=40) | some.sampled_from(["{", "}", "(", "`${", "do |t|", "/*", '"', "@relation(", "#{"]))

    for text in (junk, sample[:start], sample[:start] + junk + sample[start + length :]):
        for each in read([Source("schema", text)]).relationships:
            assert each.origin.isprintable()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "unit",
    [
        "(",
        "[",
        "{",
        "a.",
        "a(",
        "do |t| ",
        "create_table 'x' do |t|\n",
        "@a(",
        "foreignKey(a).",
        "const x = pgTable('x', {}, (t) => { ",
        "...",
        "f().",
        "model A {",
        "`${",
    ],
)
def test_hostile_nesting_is_no_recursion(read, unit):
    """Depth costs nothing but its length; nothing certain is read of it."""
    text = "export const x = pgTable('x', " + unit * 2_000

    assert read([Source("schema", text)]).relationships == ()


def test_many_lists_of_a_model_are_looked_up():
    """Each list of a many-to-many relation finds its other side at once: two thousand by two thousand looks would take a minute."""
    sides = [f"model {one} {{\n id Int @id\n" + "".join(f" m{n} {two}[]\n" for n in range(2_000)) + "}\n" for one, two in ("AB", "BA")]

    assert len(from_prisma([Source("schema.prisma", "".join(sides))]).relationships) == 2


def test_names_that_postgresql_could_not_hold_are_told():
    """The service would refuse the whole audit for one of them."""
    draft = Draft()
    good = Columns("", "t", ("a",))
    for bad in (
        Columns("", "", ("a",)),
        Columns("", "t", ("x" * 300,)),
        Columns("s\0", "t", ("a",)),
        Columns("", "t", ()),
        Columns("", "t", ("a", "a")),
    ):
        draft.add(bad, good, "here")
    draft.add(good, Columns("", "t", ("\ud800",)), "here")
    intent = draft.finish("x")

    assert intent.relationships == ()
    assert {each.reason for each in intent.unread} == {
        "a name in it is empty, too long, or none that PostgreSQL could hold",
        "the relationship names no columns",
        "it pairs unlike numbers of columns",
    }


def test_places_are_one_line_of_what_can_be_printed():
    """A file's name may hold anything; a long path keeps its end."""
    assert place("a\nb\u202e.rb", 3) == "a?b?.rb:3"
    assert place("x" * 900 + "/schema.rb", 7).endswith("x/schema.rb:7")
    assert len(place("\U0001f600" * 900, 7).encode()) <= 512


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("SetNull", ON_DELETE_SET_NULL),
        ("set null", ON_DELETE_SET_NULL),
        ("NO ACTION", ON_DELETE_NO_ACTION),
        ("unspecified", 0),
        ("", 0),
        ("x", 0),
    ],
)
def test_actions_by_any_spelling(word, expected):
    """Each product has its own."""
    assert action(word) == (expected or ON_DELETE_UNSPECIFIED)


def test_two_declarations_of_one_relationship_count_once():
    """At the first place; an action stated later still counts."""
    draft = Draft()
    draft.add(Columns("", "a", ("b",)), Columns("", "c", ("d",)), "x:1")
    draft.add(Columns("", "a", ("b",)), Columns("", "c", ("d",)), "x:2", ON_DELETE_SET_NULL)

    assert lines(draft.finish("x").relationships) == ["a(b) -> c(d) SET_NULL @ x:1"]


def test_reading_files_needs_neither_sqlalchemy_nor_django():
    """The client imports them only for whoever names them."""
    folder = Path(files.__file__).parent
    importing = {
        path.name
        for path in folder.rglob("*.py")
        if "import sqlalchemy" in (text := path.read_text()) or "from django" in text or "from sqlalchemy" in text
    }

    assert importing == set()
