"""Where an application declares its relationships: in comes a path or a specification as people type it, out comes what is declared there.

    schema.prisma · db/schema.rb · src/db/schema.ts · a folder of one kind · prisma:PATH · drizzle:PATH · rails:PATH
    sqlalchemy:package.module:Base.metadata · django:project.settings

Files are parsed, never run. Only the last two import the application's code, because the caller names it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.intent.files import Source, read_sources, shown
from holdfast.intent.model import Intent, IntentError

_ENDINGS = {
    "prisma": (".prisma",),
    "drizzle": (".ts", ".mts", ".cts", ".tsx", ".js", ".mjs"),
    "rails": (".rb",),
}
_CODE = ("sqlalchemy", "django")
#: What tells the kind of a file whose name does not.
_MARKS = {"drizzle": "drizzle-orm", "rails": "ActiveRecord::Schema", "prisma": "datasource "}
_KINDS = "prisma:PATH, drizzle:PATH, rails:PATH, sqlalchemy:MODULE:NAME or django:SETTINGS"


def read_intent(spec: str | Path) -> Intent:
    """Return what a source declares; IntentError, in one sentence, when it cannot be read or is of no known kind."""
    kind, colon, rest = str(spec).partition(":")
    if isinstance(spec, str) and colon and kind in _CODE:
        # Only now: most who read a file have neither of the two.
        from holdfast.intent import code  # noqa: PLC0415

        return code.read_sqlalchemy(rest) if kind == "sqlalchemy" else code.read_django(rest)
    if isinstance(spec, str) and colon and kind in _ENDINGS:
        return _read(kind, Path(rest))
    path = Path(spec)
    return _read(_kind_of(path), path)


def _read(kind: str, path: Path) -> Intent:
    if kind == "rails" and path.is_dir():
        path = next((each for each in (path / "db" / "schema.rb", path / "schema.rb") if each.is_file()), path)
    try:
        intent = _reader(kind)(read_sources(path, _ENDINGS[kind]), name=f"{kind}:{shown(path)}")
    except RecursionError as error:
        raise IntentError(f"{path} is nested too deeply to be read.") from error
    if not intent.relationships and not intent.unread:
        raise IntentError(f"{path} declares no relationship that could be read as {kind}; say what it is: {_KINDS}.")
    return intent


def _reader(kind: str) -> Callable[..., Intent]:
    # Parsers of TypeScript and Ruby take a moment to load.
    if kind == "prisma":
        from holdfast.intent.prisma import from_prisma  # noqa: PLC0415

        return from_prisma
    if kind == "drizzle":
        from holdfast.intent.drizzle.read import from_drizzle  # noqa: PLC0415

        return from_drizzle
    from holdfast.intent.rails import from_rails  # noqa: PLC0415

    return from_rails


def _kind_of(path: Path) -> str:
    """Tell the kind of a file or folder by names, then by what the files say."""
    if not path.exists():
        raise IntentError(f"There is no file or folder {path}; name one, or say {_KINDS}.")
    if path.is_dir():
        for marker, kind in (("schema.prisma", "prisma"), ("db/schema.rb", "rails"), ("schema.rb", "rails"), ("prisma", "prisma")):
            if (path / marker).exists():
                return kind
    elif path.name.endswith(".prisma") or path.name == "schema.rb":
        return "prisma" if path.name.endswith(".prisma") else "rails"
    for kind, endings in _ENDINGS.items():
        if path.is_dir() or path.name.endswith(endings):
            sources = _sources(path, endings)
            if kind == "prisma" and sources:
                return kind
            if any(_MARKS[kind] in source.text for source in sources):
                return kind
    raise IntentError(f"{path} is of no kind that can be told; say which: {_KINDS}.")


def _sources(path: Path, endings: tuple[str, ...]) -> Sequence[Source]:
    try:
        return read_sources(path, endings)
    except IntentError:
        if path.is_dir():
            return ()
        raise
