"""Words that tell what a table is for: logs, queues, settings, votes. The words are data, in words.json."""

import json
from importlib.resources import files

_ENTRIES: dict[str, dict[str, str]] = json.loads(files("holdfastd.inference.purposes").joinpath("words.json").read_text(encoding="utf-8"))


def _words(entry: str) -> frozenset[str]:
    return frozenset(_ENTRIES[entry]["words"].split())


LOGS = _words("log")
QUEUES = _words("queue")
TRIES = _words("tries")
SETTINGS = _words("settings")
TRANSLATIONS = _words("translation")
VOTES = _words("vote")
CHANGES = _words("change")
FILES = _words("file")
USUAL = _words("usual")
CODES = _words("code")
SAID = _words("said")
MASSES = _words("mass")
WORK = _words("work")
NO_PEOPLE = _words("no_people")
