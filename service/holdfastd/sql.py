"""Static SQL by name. In comes a package with .sql files; out go its queries.

Each query starts with a line `-- name: verb_noun` and at least one comment line that says, in a sentence, what it returns.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_QUERY = re.compile(r"^-- name: (?P<name>\S+)\n(?P<sentence>(?:-- .+\n)+)(?P<sql>(?:(?!-- name:).*\n?)+)", re.MULTILINE)


def load_queries(package: str, *names: str) -> Mapping[str, str]:
    """Return the queries of the given files of a package; ValueError when a name is used twice or a query says nothing about itself."""
    queries: dict[str, str] = {}
    for file_name in names:
        text = files(package).joinpath(file_name).read_text(encoding="utf-8")
        found = list(_QUERY.finditer(text))
        if len(found) != text.count("-- name:"):
            raise ValueError(f"{file_name}: a query lacks its sentence")
        for match in found:
            if match["name"] in queries:
                raise ValueError(f"{file_name}: {match['name']} is there twice")
            queries[match["name"]] = match["sql"].strip().removesuffix(";")
    return MappingProxyType(queries)
