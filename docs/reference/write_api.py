"""Write docs/reference/api.md from the contract and its comments; `--check` fails when the page is stale."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

# Registers the option that says who may call a method.
from holdfast.v1 import access_pb2

PAGE = Path(__file__).resolve().parent / "api.md"
PROTO = PAGE.parents[2] / "proto"
HEAD = """# API reference

<!-- Written by `make docs` from proto/holdfast/v1. -->

Package `holdfast.v1`, over gRPC, and over HTTP in the [Connect protocol](https://connectrpc.com/docs/protocol).
Every error carries one `google.rpc.ErrorInfo` with domain `holdfast` and an [`ErrorReason`](#errorreason); its metadata holds the rest.
Repeating a call is safe where it says *reads only* or *idempotent*, and where it takes a `request_id`.
How to call it: [clients](../clients.md); who may: [security](../security.md).
"""
_KINDS = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}
_SAFE = {0: "", 1: "reads only", 2: "idempotent"}


class _File:
    """A file of the contract with the comments of its parts, by their paths."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.proto = file
        self._comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def said(self, *path: int) -> str:
        """Return the comment of a part in one line, what Markdown would take for its own escaped."""
        text = " ".join(self._comments.get(path, "").split())
        parts = text.split("`")
        # Between backticks nothing means anything.
        return "`".join(part if place % 2 else part.replace("|", "\\|").replace("<", "\\<") for place, part in enumerate(parts))


def read_contract() -> list[_File]:
    """Return the files of the contract, by name."""
    names = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "holdfast/v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", "--include_source_info", f"--descriptor_set_out={out}", *names]
        subprocess.run(command, check=True)  # noqa: S603 (our own arguments)
        return [_File(file) for file in FileDescriptorSet.FromString(out.read_bytes()).file]


def render(files: Sequence[_File]) -> str:
    """Return the page: services first, then what their messages are made of, by name."""
    lines = [HEAD, "## Services\n"]
    for file in files:
        lines += _services(file)
    lines.append("## Messages\n")
    messages = [(message.name, file, place, message) for file in files for place, message in enumerate(file.proto.message_type)]
    for _, file, place, message in sorted(messages, key=lambda found: found[0]):
        lines += _message(file, place, message)
    lines.append("## Enums\n")
    enums = [(enum.name, file, place, enum) for file in files for place, enum in enumerate(file.proto.enum_type)]
    for _, file, place, enum in sorted(enums, key=lambda found: found[0]):
        lines += _enum(file, place, enum)
    return "\n".join(lines).rstrip() + "\n"


def _services(file: _File) -> Iterator[str]:
    for place, service in enumerate(file.proto.service):
        yield f"### {service.name}\n\n{file.said(6, place)}\n"
        yield "| rpc | takes | returns | needs | |\n|---|---|---|---|---|"
        for number, method in enumerate(service.method):
            permission = access_pb2.Permission.Name(method.options.Extensions[access_pb2.access].permission)
            streams = "stream of " if method.server_streaming else ""
            safe = _SAFE[method.options.idempotency_level]
            words = " ".join(filter(None, (file.said(6, place, 2, number), f"*{safe.capitalize()}.*" if safe else "")))
            needs = permission.removeprefix("PERMISSION_")
            yield f"| `{method.name}` | {_named(method.input_type)} | {streams}{_named(method.output_type)} | {needs} | {words} |"
        yield ""


def _message(file: _File, place: int, message: DescriptorProto) -> Iterator[str]:
    yield f"### {message.name}\n\n{file.said(4, place)}\n"
    if not message.field:
        return
    yield "| field | type | |\n|---|---|---|"
    for number, field in enumerate(message.field):
        yield f"| `{field.name}` | {_type(message, field)} | {file.said(4, place, 2, number)} |"
    yield ""


def _enum(file: _File, place: int, enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"### {enum.name}\n\n{file.said(5, place)}\n"
    yield "| value | | |\n|---:|---|---|"
    for number, value in enumerate(enum.value):
        yield f"| {value.number} | `{value.name}` | {file.said(5, place, 2, number)} |"
    yield ""


def _type(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    entries = {f".holdfast.v1.{message.name}.{nested.name}": nested for nested in message.nested_type if nested.options.map_entry}
    if field.type_name in entries:
        key, value = entries[field.type_name].field
        return f"map of {_type(message, key)} to {_type(message, value)}"
    name = _named(field.type_name) if field.type_name else f"`{_KINDS[field.type]}`"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    if field.proto3_optional:
        return f"optional {name}"
    if field.HasField("oneof_index"):
        return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`"
    return name


def _named(full_name: str) -> str:
    name = full_name.rpartition(".")[2]
    return f"[`{name}`](#{name.lower()})" if full_name.startswith(".holdfast.v1.") else f"`{full_name.lstrip('.')}`"


def main() -> int:
    """Write, or compare with what is committed. Exit code 1: stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    check: bool = parser.parse_args().check
    page = render(read_contract())
    if check:
        stale = not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page
        print("stale: docs/reference/api.md; run `make docs`" if stale else "docs/reference/api.md is up to date")
        return int(stale)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
