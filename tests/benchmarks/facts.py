"""Build a catalog from the facts of a corpus schema: tables, types, keys and indexes, no database needed.

What `corpus.py load` would create is what appears here: plain btree and hash indexes only, and no foreign keys.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from holdfastd.catalog.model import Catalog, Column, ForeignKey, Index, Table, TableKind
from holdfastd.names import TableName
from support.builders import a_catalog, a_foreign_key, a_type, an_index, columns

Facts = dict[str, Any]


def read_facts(path: Path) -> Facts:
    """Return the facts of a corpus file or of a data folder."""
    return json.loads((path / "facts.json" if path.is_dir() else path).read_text(encoding="utf-8"))


def build_catalog(facts: Facts, declared: Collection[str] = ()) -> Catalog:
    """Return the catalog that these facts describe, with the foreign keys on columns named `schema.table.column` declared."""
    keys: dict[str, list[ForeignKey]] = {}
    for key in facts.get("foreign_keys", []):
        if len(key["child_columns"]) == 1 and f"{key['child_table']}.{key['child_columns'][0]}" in declared:
            keys.setdefault(key["child_table"], []).append(
                a_foreign_key(columns(key["child_table"], *key["child_columns"]), columns(key["parent_table"], *key["parent_columns"]))
            )
    named = ((f"{table['schema']}.{table['name']}", table) for table in facts["tables"])
    return a_catalog(*(_table(number, table, keys.get(name, [])) for number, (name, table) in enumerate(named, start=1)))


def _table(number: int, table: Facts, keys: list[ForeignKey]) -> Table:
    primary = {name for key in table["keys"] if key["kind"] == "p" for name in key["columns"]}
    made = tuple(
        Column(
            name=column["name"],
            number=place,
            type=a_type(column["type"]),
            not_null=bool(column.get("not_null")) or column["name"] in primary,
            identity=column.get("identity") or "",
        )
        for place, column in enumerate(table["columns"], start=1)
    )
    return Table(
        oid=number,
        name=TableName(table["schema"], table["name"]),
        kind=TableKind.TABLE,
        columns=made,
        indexes=tuple(_indexes(table, {column.name: column for column in made})),
        foreign_keys=tuple(keys),
    )


def _indexes(table: Facts, by_name: dict[str, Column]) -> list[Index]:
    made = [
        an_index(
            *key["columns"],
            name=key["name"],
            types=[by_name[name].type for name in key["columns"]],
            unique=True,
            primary=key["kind"] == "p",
        )
        for key in table["keys"]
    ]
    for index in table["indexes"]:
        if index.get("expression") or index.get("partial") or index["method"] not in ("btree", "hash") or not index.get("columns"):
            continue
        names = index["columns"][: index["key_count"]]
        types = [by_name[name].type for name in names]
        made.append(an_index(*names, name=index["name"], types=types, unique=bool(index.get("is_unique")), method=index["method"]))
    return made
