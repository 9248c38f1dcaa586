"""Plain statements as text for tools that read lines and placeholders. Pure."""

from holdfastd.exports.inert import is_inert
from holdfastd.exports.plain import Plain
from holdfastd.names import comment


def written(statement: Plain) -> str:
    """Return a statement as people read it, unless a tool could misread it."""
    return statement.sql if is_inert(statement.sql) else statement.escaped


def said(remark: str) -> str:
    """Return a comment line without placeholders."""
    return comment(remark).replace("${", "$ {")
