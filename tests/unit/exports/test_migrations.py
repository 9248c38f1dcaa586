"""What exported migrations are called, what they follow, and that no name gets out of its place."""

import ast
import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from holdfastd.catalog.model import Catalog
from holdfastd.errors import InvalidField
from holdfastd.exports.inert import as_escaped_block, is_inert, with_escaped_names
from holdfastd.exports.model import PlanFormat
from holdfastd.exports.plain import plain_statements
from holdfastd.exports.plans import export_plan
from holdfastd.exports.python_source import literal
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts
from support.builders import a_catalog, a_table
from unit.report.documents import SUBJECT, a_relationship, community, planned, relationships, some_facts

MIGRATIONS = (PlanFormat.ALEMBIC, PlanFormat.DJANGO, PlanFormat.RAILS, PlanFormat.FLYWAY, PlanFormat.LIQUIBASE, PlanFormat.SQL)
HOSTILE = "h\"\"\"'''\\ ${x} #{y} %s :z */\nSQL\n--changeset a:b\n-- rollback\n/\n\r\u202e\U0001f40e"


def facts(catalog: Catalog | None = None) -> Facts:
    catalog = catalog or community()
    found = relationships(catalog)
    return some_facts(found, catalog=catalog, plan=planned(catalog, found))


def hostile() -> Facts:
    """A plan for a table whose name means something everywhere."""
    catalog = a_catalog(a_table("users", "id integer not null"), a_table(HOSTILE, "user_id integer not null"))
    found = (a_relationship(catalog, HOSTILE, "user_id", "users", 3),)
    return some_facts(found, catalog=catalog, plan=planned(catalog, found), subject=replace(SUBJECT, name="a-b__c"))


def test_files_are_called_after_database_and_plan():
    """Two plans never share a file, and a name is a module, a class and a version where a tool wants one."""
    names = [name for format_ in MIGRATIONS for name in export_plan(facts(), format_, "")]

    assert all(re.fullmatch(r"[A-Za-z0-9_]+(\.[a-z]+)+", name) for name in names)
    assert [name for name in names if not name.endswith(".conf")] == [
        names[0],
        "0001_holdfast_charging_1.py",
        "20261118122640_holdfast_charging_1.rb",
        "V20261118122640__holdfast_charging_1.sql",
        "U20261118122640__holdfast_charging_1.sql",
        "holdfast_charging_1.sql",
        *(f"holdfast_charging_1_{kind.lower()}.sql" for kind in ScriptKind),
    ]
    assert re.fullmatch(r"[0-9a-f]{12}_holdfast_charging_1\.py", names[0])


def test_alembic_and_django_follow_what_they_are_told():
    """The revision before, and the migration before with its number counted on."""
    (alembic,) = export_plan(facts(), PlanFormat.ALEMBIC, "3f1a2b").values()
    ((name, django),) = export_plan(facts(), PlanFormat.DJANGO, "shop.0007_orders").items()

    assert "down_revision = '3f1a2b'" in alembic
    assert name.startswith("0008_")
    assert "dependencies = [('shop', '0007_orders')]" in django


@pytest.mark.parametrize("format_", PlanFormat)
@pytest.mark.parametrize("after", ["x'y", "a.b.c", "app.", "../x", "ä" * 3, "a\nb"])
def test_what_cannot_be_followed_is_refused(format_: PlanFormat, after: str):
    """With the field's path; it never gets into the source."""
    with pytest.raises(InvalidField, match="after"):
        export_plan(facts(), format_, after)


@pytest.mark.parametrize("format_", [PlanFormat.ALEMBIC, PlanFormat.DJANGO])
def test_python_holds_the_very_statements(format_: PlanFormat):
    """Parsed, the lists are the statements to the character, and nothing but the lists is executed."""
    for of in (facts(), hostile()):
        (source,) = export_plan(of, format_, "").values()
        tree = ast.parse(source)
        assigned = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        assert of.plan is not None
        for name, kind in (("FORWARD", ScriptKind.FORWARD), ("ROLLBACK", ScriptKind.ROLLBACK)):
            assert assigned[name] == [each.sql for each in plain_statements(of.plan.id, of.plan.plan, kind)]
        assert {type(node) for node in tree.body} <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef, ast.ClassDef}
        assert "\u202e" not in source


def test_alembic_prints_the_very_statements():
    """`alembic upgrade --sql` gives what a run without a database would do, names with tabs and colons included."""
    of = hostile()
    (source,) = export_plan(of, PlanFormat.ALEMBIC, "").values()
    printed = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": printed})
    module: dict[str, Any] = {}
    exec(compile(source, "revision", "exec"), module)  # noqa: S102 (the revision is what is tested)
    with Operations.context(context):
        module["upgrade"]()

    assert all(f"{statement};" in printed.getvalue() for statement in module["FORWARD"])


@pytest.mark.parametrize("text", ["", 'a"', "a\\", 'x\n"""', "\r\n", "\n\u202e", "\n'''", "%s :x", "plain\nlines"])
def test_python_literals_are_read_back(text: str):
    """Whatever ends a string in which form."""
    assert ast.literal_eval(literal(text)) == text


def test_ruby_holds_the_very_statements(tmp_path: Path):
    """Run with `execute` that prints, a migration gives the statements to the byte."""
    if shutil.which("ruby") is None:
        pytest.skip("ruby is not installed")
    of = hostile()
    (source,) = export_plan(of, PlanFormat.RAILS, "").values()
    stub = """
module ActiveRecord
  class Migration
    def self.[](_) = self
    def self.current_version = 0
    def self.disable_ddl_transaction! = nil
    def execute(sql) = STDOUT.write(sql.bytes.map { |byte| format("%02x", byte) }.join, "\\n")
  end
end
"""
    path = tmp_path / "migration.rb"
    path.write_bytes(f"{stub}{source}HoldfastABC1.new.tap(&:up).down\n".encode())
    done = subprocess.run(
        ["ruby", str(path)], capture_output=True, text=True, check=False, env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    )

    assert done.stderr == ""
    assert of.plan is not None
    kinds = (ScriptKind.FORWARD, ScriptKind.ROLLBACK)
    expected = [each.sql for kind in kinds for each in plain_statements(of.plan.id, of.plan.plan, kind)]
    assert [bytes.fromhex(line).decode() for line in done.stdout.splitlines()] == expected


@pytest.mark.parametrize("format_", [PlanFormat.FLYWAY, PlanFormat.LIQUIBASE])
def test_no_name_makes_a_line_or_a_placeholder(format_: PlanFormat):
    """Liquibase and Flyway read lines and `${…}`; only ours are there."""
    for path, text in export_plan(hostile(), format_, "").items():
        assert "${" not in text
        assert "\u202e" not in text
        assert len(re.findall(r"^--changeset", text, re.MULTILINE)) == (
            1 if path.endswith("1.sql") and format_ is PlanFormat.LIQUIBASE else 0
        )
        assert not re.search(r"^\s*-- rollback\s*$", text, re.MULTILINE)


def test_settings_come_first_and_go_last():
    """In both directions: what the tool does before and after is done under its own."""
    of = facts()
    assert of.plan is not None
    for kind in (ScriptKind.FORWARD, ScriptKind.ROLLBACK):
        first, *_, last = plain_statements(of.plan.id, of.plan.plan, kind)
        assert "'search_path', ''" in first.text
        assert last.text.count("holdfast.before") == 2


def test_every_hazard_is_said():
    """Whoever reviews the migration sees what the plan says."""
    of = facts()
    assert of.plan is not None
    hazards = [hazard.message for step in of.plan.plan.steps for hazard in step.hazards]

    for format_ in MIGRATIONS:
        text = "".join(export_plan(of, format_, "").values())
        assert all(hazard in text for hazard in hazards)


def test_escaping_hides_what_tools_look_for():
    """On one line, in printable characters, without a placeholder."""
    assert as_escaped_block("a\n'\\${x}\r") == "DO E'a\\n''\\\\\\u0024{x}\\u000D'"
    assert with_escaped_names('DROP INDEX "a"."b\nc\\""d"') == 'DROP INDEX "a".U&"b\\000Ac\\\\""d"'
    assert is_inert("SELECT 1\n  FROM x")
    assert not is_inert("a\n -- b")
    assert not is_inert("${a}")


def test_a_plan_of_many_relationships_is_written():
    """Two hundred keys that cascades run into each other by make megabytes, in every format."""
    tables = [a_table(f"t{number}", "user_id integer not null") for number in range(200)]
    catalog = a_catalog(a_table("users", "id integer not null"), *tables)
    found = [a_relationship(catalog, f"t{number}", "user_id", "users", number % 2) for number in range(200)]
    of = some_facts(found, catalog=catalog, plan=planned(catalog, found))

    assert all(export_plan(of, format_, "") for format_ in MIGRATIONS)
