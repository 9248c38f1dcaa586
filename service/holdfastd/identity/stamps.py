"""Whether files changed, without reading them."""

from pathlib import Path

Stamp = tuple[int, ...]


def stamp_of(*paths: Path) -> Stamp:
    """Return what differs as soon as one of the files was written or replaced; OSError when one cannot be looked at.

    Symbolic links are followed, because orchestrators replace the link and not the file.
    """
    found: list[int] = []
    for path in paths:
        status = path.stat()
        found += (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return tuple(found)
