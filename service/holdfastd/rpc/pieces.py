"""Files as streams: clients refuse messages above 4 MiB unless told otherwise."""

from collections.abc import Iterator

#: Characters; each takes four bytes at most.
_PIECE = 128 * 1024


def pieces(text: str) -> Iterator[str]:
    """Yield a text piece by piece; an empty one is one empty piece."""
    for start in range(0, max(len(text), 1), _PIECE):
        yield text[start : start + _PIECE]
