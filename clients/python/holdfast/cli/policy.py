"""The policy file of `holdfast plan`: in comes YAML as people write it, out comes holdfast.v1.Policy.

relationships:
  reports.station_id:            # an id, or table.column when that is unambiguous
    include: true
    on_delete: cascade           # cascade, set_null, set_default, restrict, no_action
    orphans: delete              # delete, set_null, repoint, leave
    repoint_to: ["1"]            # for repoint: one value per referenced column
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict

from holdfast.cli.failures import InputError
from holdfast.cli.resolve import resolve
from holdfast.v1.core_pb2 import OnDelete, OrphanAction, Relationship
from holdfast.v1.plan_service_pb2 import Policy

_KEYS = ("include", "on_delete", "orphans", "repoint_to")
_LARGEST_FILE = 1024 * 1024
_NEXT = "correct it, or have one written by `holdfast init NAME`"


def read_policy_file(path: Path) -> Mapping[str, Any]:
    """Return what a policy file says, unchecked but for being a mapping."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path} is larger than a policy can be; {_NEXT}.")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}; {_NEXT}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise InputError(f"{path} is not YAML: {getattr(error, 'problem', None) or 'malformed'}{where}; {_NEXT}.") from error
    if not isinstance(content, Mapping | None):
        raise InputError(f"{path} is no policy: it must be a mapping with the key relationships; {_NEXT}.")
    return content or {}


def parse_policy(content: Mapping[str, Any], relationships: Iterable[Relationship]) -> Policy:
    """Return the policy; InputError names the key that is wrong and those that are allowed."""
    _only("the policy", content, ("relationships",))
    known = tuple(relationships)
    overrides = [
        {"relationship_id": resolve(str(name), known), **_override(f"relationships.{name}", value)}
        for name, value in _mapping("relationships", content.get("relationships") or {}).items()
    ]
    return ParseDict({"overrides": overrides}, Policy())


def _override(path: str, value: object) -> dict[str, Any]:
    given = _mapping(path, value)
    _only(path, given, _KEYS)
    override: dict[str, Any] = {}
    if "include" in given:
        override["include"] = _boolean(f"{path}.include", given["include"])
    if "on_delete" in given:
        override["on_delete"] = _member(f"{path}.on_delete", given["on_delete"], "ON_DELETE_", OnDelete.keys())
    if "orphans" in given:
        override["orphan_action"] = _member(f"{path}.orphans", given["orphans"], "ORPHAN_ACTION_", OrphanAction.keys())
    if "repoint_to" in given:
        override["repoint_to"] = _values(f"{path}.repoint_to", given["repoint_to"])
    return override


def _mapping(path: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{path} must be a mapping of keys to values.")
    return value


def _only(path: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in given:
        if key not in allowed:
            raise InputError(f"{path} has an unknown key {key!r}; allowed: {', '.join(allowed)}.")


def _boolean(path: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{path} must be true or false.")
    return value


def _member(path: str, value: object, prefix: str, names: Iterable[str]) -> str:
    """Return the enum name for `set null`, `SET_NULL` and the like."""
    allowed = [name.removeprefix(prefix) for name in names if not name.endswith("_UNSPECIFIED")]
    word = str(value).strip().upper().replace(" ", "_").replace("-", "_")
    if not isinstance(value, str) or word not in allowed:
        raise InputError(f"{path} must be one of {', '.join(name.lower() for name in allowed)}.")
    return prefix + word


def _values(path: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(item, bool) or not isinstance(item, str | int) for item in values):
        raise InputError(f"{path} must be a list of texts or whole numbers, one per referenced column; quote anything else.")
    return [str(item) for item in values]
