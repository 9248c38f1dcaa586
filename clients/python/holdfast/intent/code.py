"""Running an application's own code to ask it for its models: only for whoever names it, from the current folder."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from holdfast.intent.django_models import from_models
from holdfast.intent.model import Intent, IntentError
from holdfast.intent.sqlalchemy_metadata import from_metadata


def read_sqlalchemy(spec: str) -> Intent:
    """Return what `package.module:Base.metadata` declares; a declarative base or a registry in its place will do."""
    module, _, path = spec.partition(":")
    if not module or not path:
        raise IntentError("sqlalchemy: needs a module and a name in it, such as sqlalchemy:shop.models:Base.metadata.")
    _need("sqlalchemy", "SQLAlchemy")
    with _running(f"{module} cannot be imported from {_here()}"):
        found: Any = importlib.import_module(module)
    # Names of a module may be computed, and mappers are configured when they are asked: code runs here, too.
    with _running(f"{spec} cannot be read"):
        owner: Any = None
        for name in path.split("."):
            owner, found = found, getattr(found, name, None)
        metadata = found if hasattr(found, "tables") else getattr(found, "metadata", None)
        if not hasattr(metadata, "tables"):
            raise IntentError(f"{spec} is no MetaData of SQLAlchemy; name one, such as {module}:Base.metadata.")
        return from_metadata(metadata, _mappers(found, owner, metadata), name=f"sqlalchemy:{spec}")


def _mappers(found: Any, owner: Any, metadata: Any) -> Iterable[Any]:
    """Return the mapped classes behind a metadata: those of the base that it belongs to."""
    for each in (found, owner):
        registry = each if hasattr(each, "mappers") else getattr(each, "registry", None)
        if registry is not None and hasattr(registry, "mappers") and registry.metadata is metadata:
            return tuple(registry.mappers)
    return ()


def read_django(settings: str) -> Intent:
    """Return what the models of a project declare, given the module of its settings."""
    if not settings:
        raise IntentError("django: needs the module of the settings, such as django:shop.settings.")
    _need("django", "Django")
    with _running(f"{settings} cannot be imported from {_here()}"):
        importlib.import_module(settings)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    with _running(f"Django cannot be set up with {settings}"):
        importlib.import_module("django").setup()
        models = importlib.import_module("django.apps").apps.get_models(include_auto_created=True)
        return from_models(models, name=f"django:{settings}")


def _need(package: str, name: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise IntentError(f"{name} is not installed beside holdfast; install it there, or run holdfast where the application runs.")


def _here() -> str:
    """Return the current folder, from which Python imports from now on."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return here


@contextmanager
def _running(failure: str) -> Iterator[None]:
    """Run an application's code: whatever goes wrong is one sentence, and what it prints is not part of our output."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except IntentError:
        raise
    except (Exception, SystemExit) as error:
        raise IntentError(f"{failure}: {_first_line(error)}.") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
