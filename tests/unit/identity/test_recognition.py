"""Who is known by a token or a certificate, and who is not. The issuer is real: it signs, and tells its keys over HTTP."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from holdfastd.access.model import Grant, Role
from holdfastd.access.roster import read_roster
from holdfastd.errors import Unauthenticated
from holdfastd.identity.access_file import AccessFile
from holdfastd.identity.key_sets import KeySet
from holdfastd.identity.new_token import new_token
from holdfastd.identity.recognition import HOW, Recognition
from support.issuer import Issuer, ec_key, rsa_key

TOKEN, DIGEST = new_token()
NOBODY = frozenset()


@pytest.fixture
def issuer():
    started = Issuer()
    yield started
    started.close()


def provider(issuer):
    return read_roster(f"oidc: [{{issuer: '{issuer.url}', audience: holdfast}}]").providers[issuer.url]


@pytest.fixture
def recognition(tmp_path, issuer):
    path = tmp_path / "access.yaml"
    path.write_text(f"""
principals:
  ada: {{roles: [admin], tokens: [{DIGEST}]}}
  ci: {{roles: [auditor], certificates: ["spiffe://example.org/ci", "dns:ci.example.org"]}}
  mesh: {{roles: [viewer], certificates: ["dns:mesh.example.org"]}}
oidc:
  - {{issuer: "{issuer.url}", audience: holdfast, leeway_seconds: 5, algorithms: [RS256, ES256], roles: {{dba: [planner]}}}}
""")
    return Recognition(AccessFile(path))


async def refuse(recognition, bearer, identities=NOBODY):
    with pytest.raises(Unauthenticated) as refused:
        await recognition.recognise(bearer, identities)
    assert refused.value.message == HOW


async def test_a_token_of_the_file_is_known(recognition):
    """For as long as the file says so."""
    recognised = await recognition.recognise(TOKEN, NOBODY)

    assert recognised.principal.name == "ada"
    assert recognised.expires is None


@pytest.mark.parametrize(
    "bearer",
    [None, "", "x", DIGEST, DIGEST.removeprefix("sha256:"), new_token()[0], "a.b.c", "a.b", "..", "é", "{}.{}."],
    ids=("none", "empty", "x", "digest", "hash", "new", "a.b.c", "a.b", "dots", "accent", "braces"),
)
async def test_other_texts_are_nobody(recognition, bearer):
    """The hash from the file is no token, and no text is a fault of ours."""
    await refuse(recognition, bearer)


@pytest.mark.parametrize("header", [{"alg": "RS256"}, {"alg": ["RS256"]}, {"alg": None}, {"alg": "RS256", "kid": {"a": 1}}, [], 5, "["])
async def test_malformed_headers_are_nobody(recognition, issuer, header):
    """Anybody can make up anything."""
    payload = issuer.token().split(".")[1]
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")

    await refuse(recognition, f"{text}.{payload}.AAAA")


async def test_deep_nesting_is_nobody(recognition):
    """Not even what overflows the parser."""
    deep = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")

    await refuse(recognition, f"{deep}.{deep}.AAAA")


async def test_certificates_are_known_by_what_they_name(recognition):
    """A URI or a DNS name; two names of one principal are one."""
    for identities in ({"spiffe://example.org/ci"}, {"dns:ci.example.org", "dns:other"}, {"dns:ci.example.org", "spiffe://example.org/ci"}):
        assert (await recognition.recognise(None, frozenset(identities))).principal.name == "ci"


@pytest.mark.parametrize(
    "identities",
    [set(), {"dns:other"}, {"ci.example.org"}, {"dns:spiffe://example.org/ci"}, {"dns:ci.example.org", "dns:mesh.example.org"}],
)
async def test_other_certificates_are_nobody(recognition, identities):
    """Neither a name of another kind nor one that leads to two principals."""
    await refuse(recognition, None, frozenset(identities))


async def test_a_token_wins_over_a_certificate(recognition):
    """The certificate may be a proxy's; a wrong token is not passed over."""
    ci = frozenset({"dns:ci.example.org"})

    assert (await recognition.recognise(TOKEN, ci)).principal.name == "ada"
    await refuse(recognition, "wrong", ci)


async def test_a_token_of_an_issuer_is_known(recognition, issuer):
    """With the roles that its groups grant, until it expires."""
    recognised = await recognition.recognise(issuer.token(roles=["dba", "cook"]), NOBODY)

    assert recognised.principal.name == "olga"
    assert recognised.principal.grants == {Grant(role=Role.PLANNER)}
    assert 60 < recognised.expires - time.time() < 66


async def test_clocks_may_differ_by_the_leeway(recognition, issuer):
    """And not by more."""
    await recognition.recognise(issuer.token(lifetime=-2), NOBODY)
    await refuse(recognition, issuer.token(lifetime=-6))


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.org"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 2**40},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "ada"},
        {"key_id": "second", "key": rsa_key(2)},
        {"key": rsa_key(2)},
        {"key": ec_key(1), "algorithm": "ES256"},
        {"algorithm": "RS512"},
    ],
    ids=",".join,
)
async def test_wrong_tokens_are_nobody(recognition, issuer, wrong):
    """Another issuer, another audience, no expiry, another key, another algorithm, or a name that the file gives to somebody."""
    await refuse(recognition, issuer.token(**wrong))


async def test_an_unsigned_token_is_nobody(recognition, issuer):
    """`alg: none`, in every spelling."""
    _, payload, _ = issuer.token().split(".")
    for algorithm in ("none", "None", "NONE", ""):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "first"}).encode()).decode().rstrip("=")
        await refuse(recognition, f"{header}.{payload}.")


async def test_the_public_key_is_no_secret(recognition, issuer):
    """HS256 over the public key, which everybody has, signs nothing."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "first"}).encode()).decode().rstrip("=")
    signed = f"{header}.{issuer.token().split('.')[1]}"
    signature = hmac.new(issuer.public_pem("first"), signed.encode(), hashlib.sha256).digest()

    await refuse(recognition, f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}")


async def test_a_key_that_is_said_to_be_for_something_else_is_not_used(recognition, issuer):
    """For encryption, or for another algorithm."""
    issuer.told = {"use": "enc"}

    await refuse(recognition, issuer.token())


async def test_a_token_that_names_no_key_is_fine_where_there_is_one(issuer):
    """And is nobody's where there are two."""
    assert await KeySet(provider(issuer)).key({"alg": "RS256"}) is not None

    issuer.keys["second"] = rsa_key(2)

    assert await KeySet(provider(issuer)).key({"alg": "RS256"}) is None


async def test_keys_are_fetched_once_for_many_tokens(recognition, issuer):
    """Checking a token asks nobody, and made-up keys do not make us ask again and again."""
    for number in range(20):
        await recognition.recognise(issuer.token(sub=f"olga{number}"), NOBODY)
        await refuse(recognition, issuer.token(key=rsa_key(2), key_id=f"made-up-{number}"))

    assert issuer.fetches == 1


async def test_a_new_key_is_fetched_when_a_token_names_it(issuer):
    """Issuers change their keys without telling; withdrawn ones are forgotten."""
    keys = KeySet(provider(issuer), pause_seconds=0)
    assert await keys.key({"alg": "RS256", "kid": "first"}) is not None
    generation = keys.generation

    issuer.keys = {"second": rsa_key(2)}

    assert await keys.key({"alg": "RS256", "kid": "second"}) is not None
    assert await keys.key({"alg": "RS256", "kid": "first"}) is None
    assert keys.generation == generation + 1


async def test_an_issuer_that_does_not_answer_is_believed_by_its_last_keys(issuer):
    """Its breakdown is not ours."""
    keys = KeySet(provider(issuer), pause_seconds=0)
    assert await keys.key({"alg": "RS256", "kid": "first"}) is not None
    issuer.answers = False

    assert await keys.key({"alg": "RS256", "kid": "second"}) is None
    assert await keys.key({"alg": "RS256", "kid": "first"}) is not None


async def test_keys_that_were_not_confirmed_for_a_day_are_believed_no_longer(recognition, issuer):
    """Not for new tokens, and not for those that were checked before: the issuer may have withdrawn them since."""
    token = issuer.token()
    await recognition.recognise(token, NOBODY)
    issuer.answers = False
    (keys,) = recognition._key_sets.values()

    keys._fetched -= 24 * 3600 + 1

    await refuse(recognition, issuer.token(sub="another"))
    await refuse(recognition, token)


async def test_a_changed_file_ends_what_was_recognised(recognition, tmp_path):
    """Whoever waits for that is told."""
    recognised = await recognition.recognise(TOKEN, NOBODY)
    assert recognised.is_current()

    (tmp_path / "access.yaml").write_text("principals: {ada: {roles: []}}")
    await recognition._access.look()
    await recognised.outdated()

    assert not recognised.is_current()
    await refuse(recognition, TOKEN)
