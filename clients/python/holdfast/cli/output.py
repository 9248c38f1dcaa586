"""How responses are printed: in comes a message, out go tables for people, or proto3 JSON or YAML for programs."""

import json
import sys
from enum import StrEnum
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from holdfast.cli.render import render


class Output(StrEnum):
    """The formats of -o."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def as_json_value(message: Message) -> dict[str, Any]:
    """Return a message as proto3 JSON with the proto's field names, empty fields included."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def json_line(message: Message) -> str:
    """Return a message as JSON on one line."""
    return json.dumps(as_json_value(message), ensure_ascii=False)


class Printer:
    """Prints results to stdout and everything else to stderr, in one format."""

    def __init__(self, output: Output) -> None:
        """Take the format. What comes from databases is never read as markup."""
        self.output = output
        self.out = Console(markup=False, highlight=False, emoji=False)
        self.err = Console(markup=False, highlight=False, emoji=False, stderr=True)

    @property
    def is_for_people(self) -> bool:
        """Tell whether a person reads along."""
        return self.output is Output.TABLE

    def show(self, message: Message) -> None:
        """Print a response message."""
        match self.output:
            case Output.TABLE:
                self.out.print(render(message))
            case Output.JSON:
                self.write(json.dumps(as_json_value(message), ensure_ascii=False, indent=2))
            case Output.YAML:
                self.write(yaml.safe_dump(as_json_value(message), sort_keys=False, allow_unicode=True).rstrip("\n"))

    def tell(self, note: RenderableType) -> None:
        """Print a note to people: what was done, or what to do next."""
        if self.is_for_people:
            self.err.print(note, style="dim")

    def write(self, text: str) -> None:
        """Print text as it is; flushed, because programs read along."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
