"""Files of a source: in comes a file or a folder, out come names and texts. Bounded in number and size; nothing is executed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.intent.model import IntentError

MOST_BYTES = 4 * 1024 * 1024
MOST_FILES = 5_000
MOST_IN_ALL = 16 * MOST_BYTES
#: Folders and files looked at before a folder counts as too large.
_MOST_SEEN = 200_000
_ELSEWHERE = frozenset({"node_modules", "dist", "build", "vendor", "__pycache__", "venv"})


class Source(NamedTuple):
    """One file."""

    #: As the caller would name it.
    path: str
    text: str


def read_sources(path: Path, suffixes: tuple[str, ...]) -> list[Source]:
    """Return the files of a folder with these suffixes, or the one file, whatever its suffix; IntentError when there are none."""
    if path.is_dir():
        paths = sorted(_below(path, suffixes))
        if not paths:
            raise IntentError(f"{path} holds no file that ends with {' or '.join(suffixes)}.")
    else:
        paths = [path]
    if len(paths) > MOST_FILES:
        raise IntentError(f"{path} holds more than {MOST_FILES} files; name the folder of the schema itself.")
    sources: list[Source] = []
    size = 0
    for each in paths:
        sources.append(Source(shown(each), read_text(each)))
        size += len(sources[-1].text)
        if size > MOST_IN_ALL:
            raise IntentError(f"{path} holds more than {MOST_IN_ALL // 1024 // 1024} MB; name the folder of the schema itself.")
    return sources


def read_text(path: Path) -> str:
    """Return the text of a file; IntentError when it is none, or too large."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is malformed"
        raise IntentError(f"{path} cannot be read: {why}.") from error
    if len(content) > MOST_BYTES:
        raise IntentError(f"{path} is larger than {MOST_BYTES // 1024 // 1024} MB; name the file of the schema itself.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise IntentError(f"{path} is not UTF-8.") from error


def shown(path: Path) -> str:
    """Return a path as seen from the current folder, where it is below it: what is above is nobody's business."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    seen = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _ELSEWHERE and not name.startswith("."))
        seen += len(folders) + len(files)
        if seen > _MOST_SEEN:
            raise IntentError(f"{folder} holds too many files; name the folder of the schema itself.")
        for name in files:
            # Links to nowhere are what editors lock files with; a pipe would be waited for.
            if name.endswith(suffixes) and not name.endswith(".d.ts") and (found := Path(root, name)).is_file():
                yield found
