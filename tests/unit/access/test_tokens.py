"""Bearer tokens: what they look like, and that only their hashes are kept."""

import pytest

from holdfastd.access.tokens import digest_of_token, is_digest
from holdfastd.identity.new_token import new_token


def test_a_new_token_is_long_and_random_and_has_a_hash():
    """256 bits, so that a plain hash tells nothing."""
    (first, digest), (second, _) = new_token(), new_token()

    assert first != second
    assert len(first) == len("holdfast_") + 43
    assert is_digest(digest)
    assert digest_of_token(first) == digest


@pytest.mark.parametrize(
    "text", ["", "hunter2", "holdfast_", "holdfast_" + "x" * 42, "holdfast_" + "x" * 44, "x" * 52, "holdfast_" + "é" * 43]
)
def test_other_texts_are_no_tokens(text):
    """What people choose themselves can be guessed from its hash."""
    assert digest_of_token(text) == ""


@pytest.mark.parametrize("text", ["", "ab" * 32, "sha256:" + "AB" * 32, "sha256:" + "ab" * 31, "md5:" + "ab" * 32, f"sha256:{'ab' * 32}\n"])
def test_other_texts_are_no_hashes(text):
    """A token in place of its hash would be a secret in the file."""
    assert not is_digest(text)
