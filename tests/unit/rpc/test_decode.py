"""Requests that can be meant, and those that cannot, with the path of what is wrong."""

from datetime import timedelta

import pytest

from holdfast.v1 import audit_service_pb2, backup_service_pb2, core_pb2, database_service_pb2, plan_service_pb2
from holdfastd.catalog.model import OnDelete
from holdfastd.errors import InvalidField
from holdfastd.flows.context import Caller, DsnSource
from holdfastd.jobs.model import Throttle
from holdfastd.plan.model import OrphanAction, Override
from holdfastd.rpc import decode, tokens
from holdfastd.store.model import DatabaseSettings, DsnKind

ID = "audit-0650a1b2c3d4e5f60718"
REQUEST = "123e4567-e89b-12d3-a456-426614174000"


def policy(*overrides):
    return plan_service_pb2.Policy(overrides=[plan_service_pb2.Override(**override) for override in overrides])


def refused_field(function, *arguments):
    with pytest.raises(InvalidField) as refused:
        function(*arguments)
    return refused.value.field


@pytest.mark.parametrize("kind", DsnKind)
def test_a_dsn_comes_from_one_place(kind):
    """A variable, a file, or the request."""
    message = database_service_pb2.DsnSource(**{kind.value: "SHOP_DSN"})

    assert decode.dsn_source(message) == DsnSource(kind=kind, value="SHOP_DSN")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({}, "dsn"),
        ({"env": ""}, "dsn.env"),
        ({"env": "A B"}, "dsn.env"),
        ({"env": "2A"}, "dsn.env"),
        ({"env": "A\n"}, "dsn.env"),
        ({"env": "A" * 5000}, "dsn.env"),
        ({"file": ""}, "dsn.file"),
        ({"file": "a\0b"}, "dsn.file"),
        ({"inline": "  "}, "dsn.inline"),
        ({"inline": "x" * 5000}, "dsn.inline"),
    ],
)
def test_a_dsn_from_nowhere_is_refused(source, field):
    """The path names the branch; the value is never repeated, it may be a password."""
    assert refused_field(decode.dsn_source, database_service_pb2.DsnSource(**source)) == field


def test_an_override_decides_what_it_states():
    """What is unset stays Holdfast's decision."""
    stated = {"relationship_id": "a->b", "include": False, "on_delete": core_pb2.ON_DELETE_SET_NULL}
    repointed = {"relationship_id": "c->d", "orphan_action": core_pb2.ORPHAN_ACTION_REPOINT, "repoint_to": ["7", ""]}

    assert decode.overrides(policy(stated, repointed, {"relationship_id": "e->f"})) == (
        Override(relationship_id="a->b", include=False, on_delete=OnDelete.SET_NULL),
        Override(relationship_id="c->d", orphan_action=OrphanAction.REPOINT, repoint_to=("7", "")),
        Override(relationship_id="e->f"),
    )


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ({"relationship_id": ""}, "relationship_id"),
        ({"relationship_id": "x" * 4097}, "relationship_id"),
        ({"relationship_id": "a"}, "relationship_id"),
        ({"relationship_id": "b", "on_delete": 99}, "on_delete"),
        ({"relationship_id": "b", "orphan_action": 99}, "orphan_action"),
        ({"relationship_id": "b", "repoint_to": ["7"]}, "repoint_to"),
        ({"relationship_id": "b", "repoint_to": ["7"], "orphan_action": core_pb2.ORPHAN_ACTION_DELETE}, "repoint_to"),
        ({"relationship_id": "b", "orphan_action": core_pb2.ORPHAN_ACTION_REPOINT}, "repoint_to"),
        ({"relationship_id": "b", "orphan_action": core_pb2.ORPHAN_ACTION_REPOINT, "repoint_to": ["1", "\0"]}, "repoint_to[1]"),
    ],
)
def test_a_senseless_override_is_refused_with_its_path(override, field):
    """The second of two overrides is wrong here, and the path says so."""
    assert refused_field(decode.overrides, policy({"relationship_id": "a"}, override)) == f"policy.overrides[1].{field}"


def test_a_policy_has_a_size():
    """4 MiB of empty overrides are not a policy."""
    assert refused_field(decode.overrides, policy(*[{"relationship_id": "a"}] * 10_001)) == "policy.overrides"


@pytest.mark.parametrize(("asked", "limit"), [(0, 20), (1, 1), (1000, 1000), (5000, 1000)])
def test_sample_limits(asked, limit):
    """As the contract says."""
    assert decode.sample_limit(asked) == limit


def test_negative_sample_limits_are_refused():
    """There is no such sample."""
    assert refused_field(decode.sample_limit, -1) == "limit"


def test_a_caller_may_choose_a_request_id():
    """A UUID, or none."""
    assert decode.caller() == Caller(principal="anonymous", request_id="")
    assert decode.caller(REQUEST).request_id == REQUEST
    assert refused_field(decode.caller, "again") == "request_id"


def test_later_pages_stay_with_the_audit_of_the_first():
    """An audit that succeeds between two pages must not mix its findings in."""
    request = audit_service_pb2.ListFindingsRequest(database="shop", page_size=2)
    audit_id, page = decode.audit_page(request, "ListFindings", None)
    assert (audit_id, page.position) == ("", 0)

    _, token = page.cut([1, 2, 3], lambda position: (ID, str(position)))
    request.page_token = token
    audit_id, page = decode.audit_page(request, "ListFindings", None)

    assert (audit_id, page.position) == (ID, 2)


def test_a_page_token_goes_with_its_filters():
    """Another severity or database is another list."""
    request = audit_service_pb2.ListFindingsRequest(database="shop", page_token=tokens.page_token(("x",), (ID, "2")))

    assert refused_field(decode.audit_page, request, "ListFindings", None) == "page_token"


def test_backups_are_kept_for_thirty_days_unless_said_otherwise():
    """Unset is not zero: zero purges all that there is."""
    request = backup_service_pb2.PurgeBackupsRequest()
    assert decode.older_than(request) == timedelta(days=30)
    request.older_than.FromTimedelta(timedelta())
    assert decode.older_than(request) == timedelta()
    request.older_than.seconds = -1
    assert refused_field(decode.older_than, request) == "older_than"
    request.older_than.seconds, request.older_than.nanos = 0, -500
    assert refused_field(decode.older_than, request) == "older_than", "rounded, it would be nothing, and purge everything"


def test_relationships_are_named_once_and_not_empty():
    """Naming one twice is naming it once; an empty name is a mistake at its place."""
    assert decode.relationship_ids(["a", "b", "a"]) == ("a", "b")
    assert refused_field(decode.relationship_ids, ["a", " "]) == "relationship_ids[1]"


def test_a_throttle_that_is_not_given_minds_replicas_only():
    """10 s of lag, and no other limit."""
    assert decode.throttle(core_pb2.Throttle()) == Throttle(max_replica_lag_seconds=10, max_active_sessions=0, max_wal_bytes_per_second=0)


def test_a_throttle_is_what_was_asked_for():
    message = core_pb2.Throttle(max_active_sessions=40, max_wal_bytes_per_second=50_000_000)
    message.max_replica_lag.FromTimedelta(timedelta(seconds=1.5))

    assert decode.throttle(message) == Throttle(max_replica_lag_seconds=1.5, max_active_sessions=40, max_wal_bytes_per_second=50_000_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_replica_lag", {"seconds": 0}),
        ("max_replica_lag", {"seconds": -1}),
        ("max_replica_lag", {"seconds": 2**62}),
        ("max_replica_lag", {"seconds": 1, "nanos": -5}),
        ("max_replica_lag", {"nanos": 2**31 - 1}),
        ("max_active_sessions", -1),
        ("max_wal_bytes_per_second", -1),
    ],
)
def test_a_throttle_that_cannot_be_meant(name, value):
    """Refused with its path."""
    assert refused_field(decode.throttle, core_pb2.Throttle(**{name: value})) == f"throttle.{name}"


@pytest.mark.parametrize("number", [-1, 1001, 2**31 - 1])
def test_settings_that_cannot_be_meant(number):
    """Refused with their path."""
    assert refused_field(decode.settings, database_service_pb2.DatabaseSettings(max_running_jobs=number)) == "settings.max_running_jobs"


def test_what_is_absent_of_an_update_stays():
    """A DSN, settings, or both; settings that are there and empty are the defaults."""
    dsn, settings = database_service_pb2.DsnSource(env="SHOP"), database_service_pb2.DatabaseSettings()
    update = database_service_pb2.UpdateDatabaseRequest

    assert decode.database_changes(update(dsn=dsn)) == (DsnSource(kind=DsnKind.ENV, value="SHOP"), None)
    assert decode.database_changes(update(settings=settings)) == (None, DatabaseSettings())
    assert refused_field(decode.database_changes, update()) == "dsn"


def test_a_page_token_for_another_audit_is_refused():
    """It can be made up, and the caller was let in for the audit that is stated."""
    scope = ("ListFindings", "", ID)
    token = tokens.page_token(scope, ("audit-other", "5"))
    request = audit_service_pb2.ListFindingsRequest(audit_id=ID, page_token=token)

    assert refused_field(decode.audit_page, request, "ListFindings") == "page_token"
