"""A YAML document in which every value knows its line, so that an error can name it. Pure: text comes in, values come out."""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

_TEXT, _NUMBER = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int"


class AccessError(Exception):
    """The access file cannot be meant; the message names line and path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a document, and where it stands, such as `oidc[0].issuer`."""

    path: str
    node: yaml.Node

    def refused(self, problem: str) -> AccessError:
        """Return the error that names this value."""
        return AccessError(f"line {self.node.start_mark.line + 1}: {self.path}: {problem}" if self.path else problem)

    def entries(self) -> dict[str, "Value"]:
        """Return the entries of a mapping, each key once."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.refused("must be a mapping, `name: value`.")
        found: dict[str, Value] = {}
        for key_node, node in self.node.value:
            name = Value(path=self.path or "file", node=key_node).text()
            value = Value(path=f"{self.path}.{name}".removeprefix("."), node=node)
            if name in found:
                raise Value(path=value.path, node=key_node).refused("stands here twice.")
            found[name] = value
        return found

    def fields(self, required: Sequence[str], optional: Sequence[str]) -> dict[str, "Value"]:
        """Return the entries of a mapping whose keys are known."""
        found = self.entries()
        for name, value in found.items():
            if name not in (*required, *optional):
                raise value.refused(f"is unknown here; known are {', '.join((*required, *optional))}.")
        for name in required:
            if name not in found:
                raise self.refused(f"{name} is missing.")
        return found

    def items(self) -> tuple["Value", ...]:
        """Return the items of a list; a single text counts as a list of one."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _TEXT:
            return (self,)
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.refused("must be a list.")
        return tuple(Value(path=f"{self.path}[{number}]", node=node) for number, node in enumerate(self.node.value))

    def text(self) -> str:
        """Return a text that says something."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _TEXT or not self.node.value.strip():
            raise self.refused("must be a text; put it in quotes if it looks like a number.")
        return str(self.node.value)

    def number(self, least: int, most: int) -> int:
        """Return a whole number."""
        text = self.node.value if isinstance(self.node, yaml.ScalarNode) and self.node.tag == _NUMBER else ""
        if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
            raise self.refused(f"must be a number from {least} to {most}.")
        return int(text)


def read(text: str) -> Value:
    """Return the document; AccessError when it is no YAML or empty."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AccessError(f"line {line}: it is no YAML ({error.problem}).") from None
    except (yaml.YAMLError, RecursionError):
        raise AccessError("it is no YAML.") from None
    if node is None:
        raise AccessError("it is empty.")
    return Value(path="", node=node)
