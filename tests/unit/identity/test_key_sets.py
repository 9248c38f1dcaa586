"""Fetching the keys of an issuer: what is believed, and what is not."""

import asyncio

import pytest

from holdfastd.access.roster import read_roster
from holdfastd.identity import fetching
from holdfastd.identity.key_sets import KeySet
from support.issuer import Issuer, ec_key

HEADER = {"alg": "RS256", "kid": "first"}


@pytest.fixture
def issuer():
    started = Issuer()
    yield started
    started.close()


def keys_of(issuer, more=""):
    return KeySet(read_roster(f"oidc: [{{issuer: '{issuer.url}', audience: holdfast{more}}}]").providers[issuer.url])


async def test_keys_are_found_by_the_configuration_of_the_issuer(issuer):
    """Where no jwks_url is stated."""
    assert await keys_of(issuer).key(HEADER) is not None


async def test_keys_are_found_where_it_is_stated(issuer):
    """Then nobody needs to look."""
    assert await keys_of(issuer, f", jwks_url: '{issuer.url}/keys'").key(HEADER) is not None
    assert issuer.paths == ["/keys"]


@pytest.mark.parametrize(
    "configuration",
    [
        {"issuer": "https://login.example.org"},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.example.org"},
        {"jwks_uri": 5},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=",".join,
)
async def test_a_configuration_that_leads_elsewhere_is_not_followed(issuer, configuration):
    """To another issuer, or to keys that anybody on the way could change."""
    issuer.configuration = configuration

    assert await keys_of(issuer).key(HEADER) is None
    assert "/keys" not in issuer.paths


async def test_redirects_are_not_followed(issuer):
    """Where they lead was trusted by nobody."""
    issuer.redirects = True

    assert await keys_of(issuer).key(HEADER) is None
    assert issuer.paths == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"keys": 5}', b'{"keys": [5, {}, {"kty": "RSA", "kid": "first"}]}', b"[" * 100_000, b"\xff"],
    ids=lambda body: body[:20],
)
async def test_an_answer_that_holds_no_keys_is_none(issuer, body):
    """And is no fault of ours."""
    issuer.body = body

    assert await keys_of(issuer, f", jwks_url: '{issuer.url}/keys'").key(HEADER) is None


async def test_an_answer_that_drips_is_given_up(issuer, monkeypatch):
    """Otherwise nobody else's keys would be fetched, and the service could not stop: the library's limit is for each byte."""
    monkeypatch.setattr(fetching, "LIMIT_SECONDS", 0.3)
    issuer.pause = 0.1

    async with asyncio.timeout(5):
        assert await keys_of(issuer, f", jwks_url: '{issuer.url}/keys'").key(HEADER) is None


async def test_an_answer_that_is_too_large_is_none(issuer):
    """However good its beginning is."""
    issuer.body = b'{"keys": []}' + b" " * fetching.MAX_BYTES

    keys = keys_of(issuer, f", jwks_url: '{issuer.url}/keys'")

    assert await keys.key(HEADER) is None
    assert not keys.are_known()


async def test_a_key_of_another_kind_does_not_fit(issuer):
    """The header decides the algorithm, and the key must be of its kind."""
    issuer.keys = {"first": ec_key(1)}
    keys = keys_of(issuer)

    assert await keys.key(HEADER) is None
    assert await keys.key({"alg": "ES256", "kid": "first"}) is not None
    assert await keys.key({"alg": "HS256", "kid": "first"}) is None
