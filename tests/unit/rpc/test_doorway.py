"""Which ways a call over HTTP may come, from this machine and from others."""

import pytest

from holdfast.v1.audit_service_pb2 import SampleOrphansRequest
from holdfastd.errors import Forbidden, Unauthenticated
from holdfastd.rpc.connect.context import HttpContext, Way, is_loopback
from holdfastd.rpc.connect.doorway import Doorway, Openness
from holdfastd.rpc.guard import Visitor
from holdfastd.rpc.listener import _SERVICES
from holdfastd.rpc.rules import read_rules

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"
SAMPLE = "/holdfast.v1.AuditService/SampleOrphans"


class NobodyKnown:
    """An access file with nobody in it: whoever gets as far as it was let through the door."""

    async def recognise(self, *_):
        raise Unauthenticated("who are you?")


async def write(_):
    """Nothing is streamed here."""


def doorway(recognition=None, **openness):
    return Doorway(None, read_rules(_SERVICES), recognition, Openness(**openness))


def call(address, *, encrypted=False, host="localhost"):
    return HttpContext(Way(address=address, port=5, is_encrypted=encrypted, host=host), (), None, write)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.7", False),
        ("192.0.2.7", False),
        ("", False),
    ],
)
def test_this_machine_is_told_by_its_address(address, expected):
    """An address that cannot be told is one of another machine."""
    assert is_loopback(address) is expected


async def test_strangers_elsewhere_are_refused():
    """Metrics may be scraped from other machines, so HTTP may listen there; that alone lets nobody read."""
    with pytest.raises(Forbidden, match="HOLDFAST_ALLOW_ANONYMOUS"):
        await doorway().recognise(call(ELSEWHERE, host=ELSEWHERE))


async def test_strangers_elsewhere_read_where_that_was_allowed():
    """By its name; not under a host name that somebody made up."""
    assert await doorway(anonymous=True).recognise(call(ELSEWHERE, host=ELSEWHERE)) == Visitor(name="anonymous")
    with pytest.raises(Forbidden, match="host name"):
        await doorway(anonymous=True).recognise(call(ELSEWHERE, host="evil.example"))


async def test_the_name_that_it_listens_on_is_its_own():
    """Who wrote it into --http meant it."""
    assert await doorway(host="Db-Tools.example").recognise(call(HERE, host="db-tools.example"))


@pytest.mark.parametrize(
    ("address", "encrypted", "openness"), [(HERE, False, {}), (ELSEWHERE, True, {}), (ELSEWHERE, False, {"plaintext": True})]
)
async def test_tokens_come_where_nobody_listens(address, encrypted, openness):
    """From this machine, over TLS, or where it was allowed by its name: then it is looked at."""
    with pytest.raises(Unauthenticated):
        await doorway(NobodyKnown(), **openness).recognise(call(address, encrypted=encrypted, host="any.example"))


async def test_tokens_in_plaintext_from_elsewhere_are_refused():
    """Before they are looked at: the answer does not tell whether they are good."""
    with pytest.raises(Forbidden, match="HOLDFAST_HTTP_TLS"):
        await doorway(NobodyKnown()).recognise(call(ELSEWHERE))


async def test_strangers_see_shapes_of_keys_only():
    """Whatever they ask for."""
    request = SampleOrphansRequest(database="shop", relationship_id="r")

    await doorway().admit(SAMPLE, request, Visitor(name="anonymous"))

    assert request.masked
    with pytest.raises(Forbidden, match="more than keys"):
        await doorway().admit(SAMPLE, SampleOrphansRequest(columns=["email"]), Visitor(name="anonymous"))


@pytest.mark.parametrize(
    ("address", "host", "recognition", "expected"),
    [
        (HERE, "evil.example", None, True),
        (HERE, "localhost:7480", None, False),
        # Prometheus asks from elsewhere, by the name that it was told.
        (ELSEWHERE, "holdfast:7480", None, False),
        # A proxy on this machine hands on the name that it was asked by.
        (HERE, "holdfast.example", NobodyKnown(), False),
    ],
)
def test_what_shows_nobody_may_be_a_foreign_page(address, host, recognition, expected):
    """In a browser of this machine, under a name that it made up."""
    scope = {"client": (address, 5), "scheme": "http", "headers": [(b"host", host.encode())]}

    assert doorway(recognition).is_suspect(scope) is expected
