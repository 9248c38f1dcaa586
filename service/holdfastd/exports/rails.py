"""A plan as a Rails migration. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from holdfastd.exports.inert import is_printable
from holdfastd.exports.plain import Plain, plain_statements
from holdfastd.exports.words import no_predecessor, one_line, plan_of, stem, summary, timestamp
from holdfastd.plan.model import ScriptKind
from holdfastd.report.facts import Facts

#: What stands for something else in a double-quoted string.
_SPECIAL = {'"': '\\"', "\\": "\\\\", "#": "\\#", "\n": "\\n"}


def render_rails(facts: Facts, after: str) -> Mapping[str, str]:
    """Return the migration."""
    no_predecessor(after, "Rails runs migrations in the order of their times")
    found = plan_of(facts)
    name = stem(facts)
    lines = (
        *(f"# {line}" for line in summary(facts)),
        # Nothing but `execute` is used, which all versions understand alike.
        f"class {_camel(name)} < ActiveRecord::Migration[ActiveRecord::Migration.current_version]",
        "  # Some statements cannot share a transaction, and none may hold its locks for longer.",
        "  disable_ddl_transaction!",
        "",
        "  def up",
        *_executed(plain_statements(found.id, found.plan, ScriptKind.FORWARD)),
        "  end",
        "",
        "  def down",
        *_executed(plain_statements(found.id, found.plan, ScriptKind.ROLLBACK)),
        "  end",
        "end",
    )
    return {f"{timestamp(facts)}_{name}.rb": "\n".join(lines) + "\n"}


def _camel(name: str) -> str:
    """Return the class that Rails expects in a file of this name."""
    return "".join(part.capitalize() for part in name.split("_"))


def _executed(statements: Iterable[Plain]) -> Iterator[str]:
    for statement in statements:
        yield from (f"    # {one_line(remark)}" for remark in statement.remarks)
        yield f"    execute {_literal(statement.sql)}"


def _literal(text: str) -> str:
    """Return text as a string: a heredoc that nothing in it ends or changes, or a double-quoted one where it could not hold the text."""
    if "\n" not in text or not is_printable(text):
        return '"' + "".join(_SPECIAL.get(character) or _printable(character) for character in text) + '"'
    lines = {line.strip() for line in text.split("\n")}
    delimiter = next(each for number in range(len(lines) + 1) if (each := f"SQL{number or ''}") not in lines)
    # The heredoc's text begins on the next line and has one line break more at its end.
    return f"<<'{delimiter}'.chomp\n{text}\n{delimiter}"


def _printable(character: str) -> str:
    return character if character.isprintable() else f"\\u{{{ord(character):X}}}"
