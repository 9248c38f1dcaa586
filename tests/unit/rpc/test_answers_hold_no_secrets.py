"""No answer has a field for a secret: what is not in the contract cannot be returned by mistake."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

import holdfast.v1

SECRET = re.compile(r"dsn|passw|secret|token|credential|authorization|private|encrypted|fernet|certificate|api_?key", re.IGNORECASE)
#: Where a list or a stream goes on; and which variable or file a DSN comes from, never the DSN.
HARMLESS = {"page_token", "next_page_token", "resume_token", "dsn_source"}


def methods() -> list[MethodDescriptor]:
    modules = [importlib.import_module(f"holdfast.v1.{each.name}") for each in pkgutil.iter_modules(holdfast.v1.__path__)]
    files = [module.DESCRIPTOR for module in modules if module.__name__.endswith("_pb2")]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """Every field that a message can hold, at any depth."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None:
            yield from fields(field.message_type, seen)


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.name)
def test_no_answer_can_hold_a_secret(method: MethodDescriptor) -> None:
    """Neither by the name of a field nor by a message that requests carry secrets in."""
    found = [field.full_name for field in fields(method.output_type, set()) if SECRET.search(field.name) and field.name not in HARMLESS]
    carriers = [
        field.full_name for field in fields(method.output_type, set()) if field.message_type and field.message_type.name == "DsnSource"
    ]

    assert found == []
    assert carriers == []


def test_the_walk_finds_secrets_where_they_are() -> None:
    """Requests hold them, at depth, so the walk would see one in an answer."""
    seen = {field.full_name for method in methods() for field in fields(method.input_type, set()) if SECRET.search(field.name)}

    assert len(methods()) > 30
    assert "holdfast.v1.AddDatabaseRequest.dsn" in seen
    assert any(field.full_name == "holdfast.v1.DsnSource.inline" for method in methods() for field in fields(method.input_type, set()))
