"""The same schema in another style: renamed, retyped, without indexes. The truth is renamed along.

Real schemas come in few styles; fitting on variants as well keeps the coefficients from learning one schema's habits by heart.
"""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

Facts = dict[str, Any]
Names = dict[tuple[str, str], dict[str, str]]

_SUFFIX = re.compile(r"(?<=[a-z0-9])_?(id|uuid|fk|ID|Id)_?$")
_KEY_LIKE = re.compile(r"(id|Id|ID|key|by)_?$")
_WHOLE = ("integer", "bigint", "uuid", "smallint")


def without_indexes(facts: Facts) -> Facts:
    """Drop every index that is not unique."""
    changed = copy.deepcopy(facts)
    for table in changed["tables"]:
        table["indexes"] = [index for index in table["indexes"] if index.get("is_unique")]
    return changed


def without_suffixes(facts: Facts) -> Facts:
    """`artist_id` → `artist`."""
    columns: Names = {}
    for table in facts["tables"]:
        taken = {column["name"] for column in table["columns"]}
        renamed: dict[str, str] = {}
        for column in table["columns"]:
            name = _SUFFIX.sub("", column["name"])
            if len(name) > 1 and name not in taken | set(renamed.values()):
                renamed[column["name"]] = name
        columns[_key(table)] = renamed
    return _rename(facts, {}, columns)


def with_module(facts: Facts) -> Facts:
    """`users` → `app_users`."""
    return _rename(facts, {_key(table): "app_" + table["name"] for table in facts["tables"]}, {})


def glued(facts: Facts) -> Facts:
    """`work_order_id` → `workorderid`, tables as well."""
    tables: dict[tuple[str, str], str] = {}
    columns: Names = {}
    for table in facts["tables"]:
        name = table["name"].replace("_", "").lower()
        tables[_key(table)] = table["name"] if name in tables.values() else name
        names = [column["name"] for column in table["columns"]]
        short = [each.replace("_", "").lower() or each for each in names]
        columns[_key(table)] = {old: new for old, new in zip(names, short, strict=True) if short.count(new) == 1}
    return _rename(facts, tables, columns)


def with_column_prefixes(facts: Facts) -> Facts:
    """`orders.customer_id` → `orders.o_customer_id`, as TPC-H does."""
    columns: Names = {}
    for table in facts["tables"]:
        letters = "".join(word[0] for word in table["name"].split("_") if word).lower()
        columns[_key(table)] = {column["name"]: f"{letters}_{column['name']}" for column in table["columns"]}
    return _rename(facts, {}, columns)


def with_named_keys(facts: Facts) -> Facts:
    """`users.id` → `users.user_id`."""
    columns: Names = {}
    for table in facts["tables"]:
        primary = [key["columns"] for key in table["keys"] if key["kind"] == "p"]
        name = table["name"].removesuffix("s") + "_id"
        if primary == [["id"]] and name not in {column["name"] for column in table["columns"]}:
            columns[_key(table)] = {"id": name}
    return _rename(facts, {}, columns)


def with_text_keys(facts: Facts) -> Facts:
    """Keys and references as character varying(36)."""
    changed = copy.deepcopy(facts)
    keys = {
        (key[f"{side}_table"], name) for key in facts["foreign_keys"] for side in ("child", "parent") for name in key[f"{side}_columns"]
    }
    for table in changed["tables"]:
        for column in table["columns"]:
            place = (f"{table['schema']}.{table['name']}", column["name"])
            if column["type"] in _WHOLE and (place in keys or _KEY_LIKE.search(column["name"])):
                column["type"] = "character varying(36)"
                column.pop("identity", None)
    return changed


VARIANTS: tuple[Callable[[Facts], Facts], ...] = (
    without_indexes,
    without_suffixes,
    with_module,
    glued,
    with_column_prefixes,
    with_named_keys,
    with_text_keys,
)


def _key(table: Facts) -> tuple[str, str]:
    return table["schema"], table["name"]


def _rename(facts: Facts, tables: Mapping[tuple[str, str], str], columns: Names) -> Facts:
    """Rename tables and columns everywhere, the true keys included."""
    changed = copy.deepcopy(facts)
    for key in changed["foreign_keys"] + (changed.get("undeclared") or {}).get("undeclared", []):
        for side in ("child", "parent"):
            schema, name = key[f"{side}_table"].split(".", 1)
            renamed = columns.get((schema, name), {})
            key[f"{side}_columns"] = [renamed.get(column, column) for column in key[f"{side}_columns"]]
            key[f"{side}_table"] = f"{schema}.{tables.get((schema, name), name)}"
    for table in changed["tables"]:
        renamed = columns.get(_key(table), {})
        for column in table["columns"]:
            column["name"] = renamed.get(column["name"], column["name"])
        for index in (*table["keys"], *(index for index in table["indexes"] if index.get("columns"))):
            index["columns"] = [renamed.get(column, column) for column in index["columns"]]
        table["name"] = tables.get(_key(table), table["name"])
    return changed
