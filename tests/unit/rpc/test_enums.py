"""Both sides of every enum have the same members."""

import pytest

from holdfast.v1 import audit_service_pb2, core_pb2
from holdfastd.errors import InvalidField
from holdfastd.jobs.model import JobKind, JobState
from holdfastd.rpc.enums import PAIRS, UNSPECIFIED, audit_state, from_proto, to_proto
from holdfastd.rpc.listener import _SERVICES

#: Enums that only exist on the wire.
WIRE_ONLY = {"RelationshipState", "FindingState", "AuditState", "DatabaseState", "CheckState"}


@pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: kind.__name__)
def test_members_are_the_same(kind):
    """A member that one side lacks cannot be sent, or cannot be understood."""
    wire, prefix = PAIRS[kind]
    ours = {prefix + member.name for member in kind if member not in UNSPECIFIED}

    assert ours | {f"{prefix}UNSPECIFIED"} == set(wire.keys())


@pytest.mark.parametrize("kind", PAIRS, ids=lambda kind: kind.__name__)
def test_members_come_back(kind):
    """What is encoded is decoded to the same member."""
    for member in kind:
        assert from_proto(kind, to_proto(member), "field") is (None if member in UNSPECIFIED else member)


def test_every_enum_of_the_contract_has_a_side_here():
    """A new enum is paired, or said to live on the wire only."""
    files = (core_pb2.DESCRIPTOR, *(service.file for service in _SERVICES))
    contract = {name for file in files for name in file.enum_types_by_name}

    assert contract == {wire.DESCRIPTOR.name for wire, _ in PAIRS.values()} | WIRE_ONLY


def test_audits_have_the_states_of_their_jobs():
    """An audit is what its job makes of it."""
    names = {audit_service_pb2.AuditState.Name(audit_state(state)).removeprefix("AUDIT_STATE_") for state in JobState}

    assert names == {state.name for state in JobState}
    assert len(audit_service_pb2.AuditState.keys()) == len(JobState) + 1


@pytest.mark.parametrize("value", [5, 99, -1, 2**31 - 1])
def test_values_of_a_newer_contract_are_refused(value):
    """proto3 lets unknown numbers through."""
    with pytest.raises(InvalidField, match="is not a JobKind") as refused:
        from_proto(JobKind, value, "kind")

    assert refused.value.field == "kind"
