"""The access file: what it may say, and how it is complained about."""

import re
from pathlib import Path

import pytest

from holdfastd.access.document import AccessError
from holdfastd.access.model import PERMITS, Grant, Permission, Role
from holdfastd.access.roster import read_roster

HASH = "sha256:" + "ab" * 32
FILE = f"""
principals:
  ada@example.org:
    roles: [planner, approver@shop]
    tokens:
      - {HASH}
      - sha256:{"cd" * 32}
  ci:
    roles: auditor
    certificates: ["spiffe://example.org/ns/build/sa/ci", "dns:ci.example.org"]
oidc:
  - issuer: https://login.example.org
    audience: [holdfast, other]
    algorithms: [ES256]
    leeway_seconds: 10
    name_claim: email
    roles_claim: realm_access.roles
    roles:
      dba: [admin]
      developers: [viewer, planner@shop]
"""
PROVIDER = "oidc:\n  - issuer: https://login.example.org\n    audience: holdfast\n"


def test_principals_have_roles_tokens_and_certificates():
    """Several tokens lead to one principal, so that one can replace the other."""
    roster = read_roster(FILE)

    assert roster.principals["ada@example.org"].grants == {Grant(role=Role.PLANNER), Grant(role=Role.APPROVER, database="shop")}
    assert set(roster.tokens.values()) == {"ada@example.org"}
    assert len(roster.tokens) == 2
    assert roster.certificates == {"spiffe://example.org/ns/build/sa/ci": "ci", "dns:ci.example.org": "ci"}


def test_a_role_on_a_database_permits_nothing_elsewhere():
    """`approver@shop` approves for shop."""
    ada = read_roster(FILE).principals["ada@example.org"]

    assert ada.may(Permission.APPROVE, "shop")
    assert not ada.may(Permission.APPROVE, "crm")
    assert not ada.may(Permission.APPROVE)
    assert ada.databases(Permission.APPROVE) == {"shop"}
    assert ada.databases(Permission.VIEW) is None


def test_an_issuer_says_what_its_claims_mean():
    """The groups of a token become roles; those that mean nothing grant nothing."""
    provider = read_roster(FILE).providers["https://login.example.org"]

    principal = provider.principal(
        {"email": "bob@example.org", "email_verified": True, "realm_access": {"roles": ["developers", "cooks", 7]}}
    )

    assert principal is not None
    assert principal.name == "bob@example.org"
    assert principal.grants == {Grant(role=Role.VIEWER), Grant(role=Role.PLANNER, database="shop")}
    assert (provider.audiences, provider.algorithms, provider.leeway_seconds) == (("holdfast", "other"), ("ES256",), 10)


@pytest.mark.parametrize(
    "claims",
    [{}, {"email": ""}, {"email": 5}, {"email": "a\nb"}, {"email": "x" * 201}, {"email": " a@b"}, {"email": "schedule:shop"}],
)
def test_claims_that_name_nobody_are_nobody(claims):
    """Not an empty name, not half a name, not one that looks like another, and not one that the audit log gives to no caller."""
    assert read_roster(FILE).providers["https://login.example.org"].principal({"email_verified": True} | claims) is None


@pytest.mark.parametrize(
    ("stated", "is_believed"), [({}, False), (False, False), ("false", False), (None, False), (True, True), ("true", True)]
)
def test_only_a_verified_address_is_a_name(stated, is_believed):
    """Issuers that say nothing of it let anybody type in any address."""
    claims = {"email": "a@b"} | ({} if stated == {} else {"email_verified": stated})

    assert (read_roster(FILE).providers["https://login.example.org"].principal(claims) is not None) is is_believed


def test_an_issuer_gives_no_name_that_is_anothers():
    """With `` and `corp:` as prefixes, `corp:ada` is whom the second one calls ada."""
    other = PROVIDER.removeprefix("oidc:\n").replace("login", "other") + "    name_prefix: 'corp:'\n"
    providers = read_roster(PROVIDER + other).providers

    assert providers["https://login.example.org"].principal({"sub": "corp:ada"}) is None
    assert providers["https://login.example.org"].principal({"sub": "ada"}).name == "ada"
    assert providers["https://other.example.org"].principal({"sub": "ada"}).name == "corp:ada"


@pytest.mark.parametrize("claims", [{}, {"roles": None}, {"roles": {"dba": 1}}, {"roles": [["dba"]]}, {"roles": 1}])
def test_claims_without_groups_grant_nothing(claims):
    """Whatever an issuer puts there."""
    roster = read_roster(PROVIDER + "    roles: {dba: admin}\n")

    principal = roster.providers["https://login.example.org"].principal({"sub": "eve"} | claims)

    assert principal is not None
    assert not principal.grants


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is empty"),
        ("principals: [", "line 1: it is no YAML"),
        ("principal: {}", "line 1: principal: is unknown here; known are principals, oidc"),
        ("principals: {}", "it names nobody"),
        ("principals:\n  ada:\n    roles: [reader]", "line 3: principals.ada.roles[0]: 'reader' is no role; roles are viewer, auditor"),
        ("principals:\n  ada:\n    roles: [viewer@Shop]", "line 3: principals.ada.roles[0]: 'Shop' is not the name of a database"),
        ("principals:\n  ada:\n    roles: [viewer@]", "principals.ada.roles[0]: '' is not the name"),
        ("principals:\n  ada:\n    tokens: []", "roles is missing"),
        ("principals:\n  ada:\n    roles: []\n    token: x", "line 4: principals.ada.token: is unknown here"),
        ("principals:\n  ada:\n    roles: []\n    tokens: [hunter2]", "line 4: principals.ada.tokens[0]: is not the hash of a token"),
        ("principals:\n  ada: {roles: []}\n  ada: {roles: []}", "line 3: principals.ada: stands here twice"),
        ("principals:\n  7: {roles: []}", "line 2: principals: must be a text; put it in quotes"),
        ("principals:\n  anonymous: {roles: []}", "line 2: principals.anonymous: a name has"),
        ("principals:\n  'ada ': {roles: []}", "a name has"),
        ("principals:\n  schedule:shop: {roles: []}", "a name has"),
        ("principals:\n  local:root: {roles: []}", "a name has"),
        ("principals:\n  ada: {roles: [], certificates: [ci.example.org]}", "is neither `spiffe://domain/path` nor `dns:"),
        ("principals:\n  ada: {roles: [], certificates: ['CN=ci']}", "is neither"),
        (
            f"principals:\n  ada: {{roles: [], tokens: {HASH}}}\n  eve: {{roles: [], tokens: {HASH}}}",
            "line 3: principals.eve.tokens: stands here twice, the first time for ada",
        ),
        ("oidc:\n  - issuer: https://a.example", "line 2: oidc[0]: audience is missing"),
        ("oidc:\n  - {issuer: https://a.example, audience: []}", "oidc[0].audience: names nobody"),
        ("oidc:\n  - {issuer: http://a.example, audience: h}", "oidc[0].issuer: must be a URL with https"),
        (PROVIDER + "    jwks_url: http://keys.example", "line 4: oidc[0].jwks_url: must be a URL with https"),
        (PROVIDER + "    algorithms: [HS256]", "line 4: oidc[0].algorithms[0]: must be one of RS256"),
        (PROVIDER + "    algorithms: [none]", "must be one of RS256"),
        (PROVIDER + "    leeway_seconds: 61", "line 4: oidc[0].leeway_seconds: must be a number from 0 to 60"),
        (PROVIDER + "    leeway_seconds: -1", "must be a number from 0 to 60"),
        (PROVIDER + PROVIDER.removeprefix("oidc:\n"), "this issuer stands here twice"),
        (PROVIDER + PROVIDER.removeprefix("oidc:\n").replace("login", "other"), "line 4: oidc[1]: two issuers need different texts"),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(text, complaint):
    """Whoever edits the file finds the place."""
    with pytest.raises(AccessError) as refused:
        read_roster(text)

    assert complaint in str(refused.value)


def test_a_roster_does_not_show_hashes():
    """It may be printed somewhere."""
    assert "abab" not in repr(read_roster(FILE))


def test_the_example_of_the_documentation_can_be_meant():
    """It is what people copy."""
    page = Path(__file__).parents[3] / "docs" / "security.md"
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert set(read_roster(example).principals) == {"ada@example.org", "ci"}


def test_the_roles_of_the_documentation_are_those_of_the_service():
    """The table says what each role permits."""
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", page, re.MULTILINE)
    columns = [column.strip() for column in re.findall(r"^\| role \|(.*)\|$", page, re.MULTILINE)[0].split("|")]
    told = {
        name: {column for column, cell in zip(columns, cells.split("|"), strict=True) if cell.strip()}
        for name, cells in rows
        if name in set(Role)
    }

    assert told == {str(role): {str(permission) for permission in permitted} for role, permitted in PERMITS.items()}
