"""Who a caller is and what its roles permit. Pure values; where they come from is decided in `identity`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_MAX_NAME = 200
#: Who acts in the audit log without having called: nobody, a schedule, and whoever runs a command beside the service.
_RESERVED = ("schedule:", "local:")


def may_name_a_caller(name: str) -> bool:
    """Tell whether a caller may have the name: one that is short, reads as it is written, and is nobody else's in the audit log."""
    is_legible = 0 < len(name) <= _MAX_NAME and name.isprintable() and name == name.strip()
    return is_legible and name != "anonymous" and not name.startswith(_RESERVED)


class Permission(StrEnum):
    """What a method asks for; one to one with holdfast.v1.Permission (a test compares them)."""

    VIEW = "VIEW"
    AUDIT = "AUDIT"
    PLAN = "PLAN"
    APPROVE = "APPROVE"
    OPERATE = "OPERATE"
    ADMINISTER = "ADMINISTER"


class Role(StrEnum):
    """What is granted to people and programs."""

    VIEWER = "viewer"
    AUDITOR = "auditor"
    PLANNER = "planner"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


#: What every role permits.
PERMITS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.VIEW}),
    Role.AUDITOR: frozenset({Permission.VIEW, Permission.AUDIT}),
    Role.PLANNER: frozenset({Permission.VIEW, Permission.AUDIT, Permission.PLAN}),
    Role.APPROVER: frozenset({Permission.VIEW, Permission.APPROVE}),
    Role.OPERATOR: frozenset({Permission.VIEW, Permission.AUDIT, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role, on one database or (empty) on all; written `planner@shop` and `planner`."""

    role: Role
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller that was recognised, or the anonymous one."""

    name: str
    grants: frozenset[Grant] = frozenset()

    def may(self, permission: Permission, database: str = "") -> bool:
        """Tell whether a role permits it on the database; without a name, on all of them."""
        return any(permission in PERMITS[grant.role] and grant.database in ("", database) for grant in self.grants)

    def databases(self, permission: Permission) -> frozenset[str] | None:
        """Return the names of the databases on which it is permitted; None: on all."""
        if self.may(permission):
            return None
        return frozenset(grant.database for grant in self.grants if permission in PERMITS[grant.role])
