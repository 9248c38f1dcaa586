"""What callers state beside the request."""

import uuid

import pytest

from holdfastd.errors import InvalidField
from holdfastd.rpc import metadata


@pytest.mark.parametrize("stated", ["a", "x" * 64, "with space ~"])
def test_a_usable_request_id_is_kept(stated):
    """Callers follow their own ids."""
    assert metadata.request_id((("other", "y"), ("x-request-id", stated))) == stated


@pytest.mark.parametrize("stated", ["", "x" * 65, "a\tb", "a\n", "é", b"bytes"])
def test_an_unusable_request_id_is_replaced(stated):
    """It would break lines or headers."""
    assert uuid.UUID(metadata.request_id((("x-request-id", stated),)))


def test_request_ids_made_here_differ():
    """One id is one call."""
    assert metadata.request_id(()) != metadata.request_id(())


@pytest.mark.parametrize(
    ("stated", "name"),
    [("ada", "ada"), ("", "anonymous"), ("Zo%C3%AB", "Zoë"), ("a%20b", "a b"), ("100%", "100%"), ("%E2%86%92" * 200, "→" * 200)],
)
def test_a_principal_is_percent_decoded(stated, name):
    """Headers hold ASCII only; the limit counts characters, not bytes."""
    assert metadata.principal((("x-holdfast-principal", stated),)) == name


def test_nobody_is_anonymous():
    """Without the header."""
    assert metadata.principal(()) == "anonymous"


@pytest.mark.parametrize("stated", ["x" * 201, "%E2%86%92" * 201, "a%0Ab", "a%00", "%ff", "%E2%80%AE"])
def test_other_principals_are_refused(stated):
    """Too long, unprintable or no UTF-8."""
    with pytest.raises(InvalidField):
        metadata.principal((("x-holdfast-principal", stated),))


@pytest.mark.parametrize(
    ("stated", "token"),
    [
        ((), None),
        ((("authorization", "Bearer abc"),), "abc"),
        ((("authorization", "bearer  abc "),), "abc"),
        ((("authorization", "Basic abc"),), ""),
        ((("authorization", ""),), ""),
        ((("authorization", "Bearer a"), ("authorization", "Bearer b")), ""),
    ],
)
def test_a_bearer_token_is_what_follows_the_word(stated, token):
    """A header of another kind, or two of them, is a wrong token and not none."""
    assert metadata.bearer(stated) == token


def test_identities_of_a_certificate_keep_their_kind():
    """A DNS name that looks like a URI is none, and the common name says nothing."""
    shown = {
        "x509_common_name": [b"admin"],
        "x509_subject_alternative_name": [b"spiffe://example.org/ci", b"spiffe://fake/x"],
        "peer_uri": [b"spiffe://example.org/ci"],
        "peer_dns": [b"CI.example.org", b"spiffe://fake/x", b"\xff"],
    }

    assert metadata.certificate_identities(shown) == {
        "spiffe://example.org/ci",
        "dns:ci.example.org",
        "dns:spiffe://fake/x",
        "dns:\ufffd",
    }
