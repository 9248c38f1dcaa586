"""Tokens come back as they went out, and nothing else comes back."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfastd.errors import InvalidField
from holdfastd.rpc import tokens

JOB = "job-0650a1b2c3d4e5f60718"


@given(scope=st.lists(st.text()).map(tuple), cursor=st.lists(st.text(max_size=100), max_size=3).map(tuple))
def test_a_page_token_gives_its_cursor_back(scope, cursor):
    """Whatever ids and filters hold."""
    assert tokens.page_cursor(tokens.page_token(scope, cursor), scope) == cursor


@given(sequence=st.integers(0, 2**63 - 1))
def test_a_resume_token_gives_its_sequence_back(sequence):
    """For every sequence a store can hold."""
    assert tokens.resume_sequence(tokens.resume_token(JOB, sequence), JOB) == sequence


def test_without_a_token_a_watch_begins_at_the_beginning():
    """An empty token means all events."""
    assert tokens.resume_sequence("", JOB) == 0


@given(scope=st.lists(st.text(max_size=5), max_size=3).map(tuple), other=st.lists(st.text(max_size=5), max_size=3).map(tuple))
def test_a_page_token_is_good_for_its_own_list_only(scope, other):
    """Another method, or the same with other filters, would skip or repeat items."""
    if scope != other:
        with pytest.raises(InvalidField) as refused:
            tokens.page_cursor(tokens.page_token(scope, ("a",)), other)

        assert refused.value.field == "page_token"


def test_a_resume_token_is_good_for_its_own_job_only():
    """The sequence of another job means nothing."""
    with pytest.raises(InvalidField) as refused:
        tokens.resume_sequence(tokens.resume_token(JOB, 7), JOB.replace("a", "b"))

    assert refused.value.field == "resume_token"


def test_page_and_resume_tokens_are_not_each_other():
    """Both are well-formed, neither means the other."""
    with pytest.raises(InvalidField):
        tokens.page_cursor(tokens.resume_token(JOB, 7), ("ListJobs",))
    with pytest.raises(InvalidField):
        tokens.resume_sequence(tokens.page_token(("ListJobs",), (JOB,)), JOB)


@given(token=st.text(min_size=1))
def test_invented_tokens_are_refused(token):
    """Nothing that a caller types ends as a fault of ours."""
    with pytest.raises(InvalidField):
        tokens.page_cursor(token, ("ListJobs",))


@given(position=st.integers(0, 10_000), replacement=st.sampled_from("ABCxyz019-_=+/ é"))
def test_damaged_tokens_are_refused(position, replacement):
    """A checksum notices a changed character."""
    good = tokens.page_token(("ListJobs",), (JOB,))
    position %= len(good)
    damaged = good[:position] + replacement + good[position + 1 :]
    try:
        assert tokens.page_cursor(damaged, ("ListJobs",)) == (JOB,)
    except InvalidField:
        return
    # The last character of base64 may hold bits that mean nothing.
    assert damaged == good or position == len(good) - 1


@pytest.mark.parametrize("token", ["A" * 5000, "AAAA", "e30", base64.urlsafe_b64encode(b"[" * 3000).decode()])
def test_hostile_tokens_are_refused(token):
    """Long, short, empty and deeply nested ones."""
    with pytest.raises(InvalidField):
        tokens.resume_sequence(token, JOB)


def packed(content):
    body = json.dumps(content).encode()
    return base64.urlsafe_b64encode(tokens._checksum(body) + body).decode()


@pytest.mark.parametrize(
    "content",
    [[], "x", 7, None, {}, {"v": 1}, {"v": 2, "watch": JOB, "sequence": 1}, {"v": 1, "watch": JOB, "sequence": -1}]
    + [{"v": 1, "watch": JOB, "sequence": sequence} for sequence in ("1", 1.5, None, 2**63, True)],
)
def test_well_made_tokens_with_senseless_content_are_refused(content):
    """The checksum authenticates nobody."""
    with pytest.raises(InvalidField):
        tokens.resume_sequence(packed(content), JOB)


@pytest.mark.parametrize("cursor", [None, 7, "text", {"a": 1}])
def test_well_made_page_tokens_with_senseless_cursors_are_refused(cursor):
    """A cursor is a list of texts."""
    scope = ("ListJobs",)
    content = {"v": 1, "page": tokens._digest(scope), "cursor": cursor}

    with pytest.raises(InvalidField):
        tokens.page_cursor(packed(content), scope)
