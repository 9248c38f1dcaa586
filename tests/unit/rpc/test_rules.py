"""What the contract states beside each rpc: complete, meant, and what the service goes by."""

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from holdfast.v1 import access_pb2
from holdfastd.access.model import PERMITS, Permission, Role
from holdfastd.rpc.listener import _SERVICES
from holdfastd.rpc.rules import EVERYTHING, read_rule, read_rules

METHODS = [method for service in _SERVICES for method in service.methods]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rpc_states_its_permission(method):
    """One that states none cannot be called, so it was forgotten."""
    assert read_rule(method) is not None


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_subject_is_a_text_of_the_request(method):
    """A misspelt one would guard nothing."""
    subjects = [subject for subject in method.GetOptions().Extensions[access_pb2.access].subjects if subject != EVERYTHING]
    fields = [method.input_type.fields_by_name[subject] for subject in subjects]

    assert [field.full_name for field in fields if field.type != FieldDescriptor.TYPE_STRING or field.is_repeated] == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_field_that_names_something_is_a_subject(method):
    """A database, audit, plan or job that is named is one that the caller needs a right to."""
    names = {"database", "audit_id", "plan_id", "job_id", "base_audit_id", "head_audit_id", "id", "name"}
    stated = {field.name for field in method.input_type.fields} & names

    assert stated == set(read_rule(method).subjects)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_what_changes_something_takes_more_than_looking(method):
    """VIEW is for calls without side effects."""
    rule = read_rule(method)

    assert rule.only_reads or rule.permission is not Permission.VIEW
    assert rule.only_reads == (method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS)


def test_permissions_are_those_of_the_contract():
    """Both lists are written by hand."""
    assert {f"PERMISSION_{permission}" for permission in Permission} | {"PERMISSION_UNSPECIFIED"} == set(access_pb2.Permission.keys())


def test_every_role_may_look_and_admin_may_everything():
    """And no other role may register or purge."""
    assert set(PERMITS) == set(Role)
    assert all(Permission.VIEW in permitted for permitted in PERMITS.values())
    assert [role for role, permitted in PERMITS.items() if Permission.ADMINISTER in permitted] == [Role.ADMIN]
    assert PERMITS[Role.ADMIN] == set(Permission)


def test_nobody_both_makes_plans_and_approves_them():
    """But for admin: that takes two roles, given on purpose."""
    both = {Permission.PLAN, Permission.APPROVE}

    assert [role for role, permitted in PERMITS.items() if both <= permitted] == [Role.ADMIN]


def test_a_method_that_states_nothing_has_no_rule():
    """Deny by default."""
    from grpc_health.v1 import health_pb2

    assert read_rules(health_pb2.DESCRIPTOR.services_by_name.values()) == {}
