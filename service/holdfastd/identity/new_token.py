"""A new bearer token. Whoever calls with it sends the token; the access file holds its hash."""

import secrets

from holdfastd.access.tokens import PREFIX, RANDOM_BYTES, digest_of_token


def new_token() -> tuple[str, str]:
    """Return a token and its hash."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return token, digest_of_token(token)
