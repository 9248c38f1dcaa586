"""The contract's reasons and ours are the same, and every family of errors has a status."""

import grpc

from holdfast.v1 import error_reason_pb2
from holdfastd import errors
from holdfastd.rpc.status import CODES


def families() -> list[type[errors.HoldfastError]]:
    return [
        member
        for member in vars(errors).values()
        if isinstance(member, type) and issubclass(member, errors.HoldfastError) and member is not errors.HoldfastError
    ]


def test_reasons_are_those_of_the_contract():
    """Clients tell errors apart by the names in error_reason.proto."""
    ours = {reason.name for reason in errors.Reason}
    contract = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 (no dict)

    assert ours == contract - {"UNSPECIFIED"}
    assert all(reason.name == reason.value for reason in errors.Reason)


def test_every_family_has_a_status():
    """A family without a line in the table would reach callers as INTERNAL."""
    assert {family.__name__ for family in families()} <= {kind.__name__ for kind in CODES}


def test_the_docstring_tells_the_truth():
    """errors.py draws the families with their codes."""
    drawing = {line.split()[1]: line.split()[2] for line in (errors.__doc__ or "").splitlines() if line.startswith(("    ├", "    └"))}

    assert drawing == {kind.__name__: code.name for kind, code in CODES.items() if kind in families()}


def test_no_family_is_a_fault_of_ours():
    """INTERNAL is for what nobody foresaw."""
    assert grpc.StatusCode.INTERNAL not in CODES.values()
