"""How responses are printed: in comes a message, out go tables for people, or proto3 JSON or YAML for programs."""

import json
import sys
from enum import StrEnum
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from holdfast.cli.encoding import speaks_unicode
from holdfast.cli.render import render


class Output(StrEnum):
    """The formats of -o."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Colour(StrEnum):
    """When to print in colours; by itself, on terminals unless NO_COLOR is set."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def as_json_value(message: Message) -> dict[str, Any]:
    """Return a message as proto3 JSON with the proto's field names, empty fields included."""
    value = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return _in_order(value, message.DESCRIPTOR)


def json_line(message: Message) -> str:
    """Return a message as JSON on one line."""
    return json.dumps(as_json_value(message), ensure_ascii=not speaks_unicode(sys.stdout))


def _in_order(value: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    """Return the fields in the proto's order; MessageToDict puts the empty ones last."""
    return {field.name: _nested(value[field.name], field.message_type) for field in descriptor.fields if field.name in value}


def _nested(value: Any, descriptor: Any) -> Any:
    if descriptor is None or descriptor.GetOptions().map_entry:
        return value
    if isinstance(value, list):
        return [_nested(item, descriptor) for item in value]
    # Timestamps and the like are messages that JSON writes as text.
    return _in_order(value, descriptor) if isinstance(value, dict) else value


class Printer:
    """Prints results to stdout and everything else to stderr, in one format."""

    def __init__(self, output: Output, colour: Colour = Colour.AUTO) -> None:
        """Take the format. What comes from databases is never read as markup."""
        self.output = output
        self.out = _console(colour, stderr=False)
        self.err = _console(colour, stderr=True)

    @property
    def may_draw(self) -> bool:
        """Tell whether lines can be drawn over each other: on a terminal that can, however colours were asked for."""
        return sys.stderr.isatty() and not self.err.is_dumb_terminal

    @property
    def is_for_people(self) -> bool:
        """Tell whether a person reads along."""
        return self.output is Output.TABLE

    def show(self, message: Message, table: RenderableType | None = None) -> None:
        """Print a response message; people get the table, where one is given."""
        match self.output:
            case Output.TABLE:
                self.out.print(render(message) if table is None else table)
            case Output.JSON:
                self.write(json.dumps(as_json_value(message), ensure_ascii=not speaks_unicode(sys.stdout), indent=2))
            case Output.YAML:
                in_unicode = speaks_unicode(sys.stdout)
                self.write(yaml.safe_dump(as_json_value(message), sort_keys=False, allow_unicode=in_unicode).rstrip("\n"))

    def tell(self, note: RenderableType, *, whole: bool = False) -> None:
        """Print a note to people: what was done, or what to do next. Commands stay whole, to be copied."""
        if self.is_for_people:
            self.err.print(note, style="dim", soft_wrap=whole)

    def write(self, text: str) -> None:
        """Print text as it is; flushed, because programs read along. Files are UTF-8, whatever the terminal speaks."""
        if text.isascii() or speaks_unicode(sys.stdout):
            sys.stdout.write(text + "\n")
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode() + b"\n")
        sys.stdout.flush()


def _console(colour: Colour, *, stderr: bool) -> Console:
    return Console(
        markup=False,
        highlight=False,
        emoji=False,
        stderr=stderr,
        no_color=colour is Colour.NEVER or None,
        force_terminal=colour is Colour.ALWAYS or None,
    )
