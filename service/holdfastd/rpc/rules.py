"""What every method asks of its caller, as the contract states it beside each rpc. What states nothing cannot be called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from holdfast.v1 import access_pb2
from holdfastd.access.model import Permission

#: The subject of methods that list what the caller may see, whatever the request says.
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may call a method."""

    permission: Permission
    #: Fields of the request that name a database, or an audit, plan or job of one.
    subjects: tuple[str, ...]
    #: It lists what the caller may see, when no subject is stated.
    lists: bool
    #: It changes nothing.
    only_reads: bool


def read_rules(services: Iterable[ServiceDescriptor]) -> Mapping[str, Rule]:
    """Return the rule of every method that has one, by its path `/service/method`."""
    return {
        f"/{service.full_name}/{method.name}": rule
        for service in services
        for method in service.methods
        if (rule := read_rule(method)) is not None
    }


def read_rule(method: MethodDescriptor) -> Rule | None:
    """Return the rule of a method; None when it states no permission."""
    options = method.GetOptions()
    access = options.Extensions[access_pb2.access]
    if access.permission == access_pb2.PERMISSION_UNSPECIFIED:
        return None
    name = access_pb2.Permission.Name(access.permission).removeprefix("PERMISSION_")
    return Rule(
        permission=Permission(name),
        subjects=tuple(subject for subject in access.subjects if subject != EVERYTHING),
        lists=EVERYTHING in access.subjects or (method.name.startswith("List") and bool(access.subjects)),
        only_reads=options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
    )
