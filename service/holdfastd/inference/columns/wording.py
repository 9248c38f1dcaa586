"""Evidence in words: what a trait means, said about this column and this table. Traits without words stay silent."""

from collections.abc import Iterator

from holdfastd.inference.columns.cases import Case, Option
from holdfastd.inference.model import Evidence
from holdfastd.names import readable

#: Rule (the trait's name) -> sentence about {column}, {table} and {key}. The first of each group that fits is told.
_SENTENCES = (
    {
        "comment": "the comment on {column} speaks of {table}",
        "exact": "{column} is named after {table}",
        "module": "{column} is named after {table}, its module's prefix aside",
        "context_whole": "{column} and the referencing table's name together name {table}",
        "qualified": "{column} is the name of {table} and of its key together",
        "key_name": "{column} is called like the primary key of {table}",
        "key_name_role": "{column} ends like the primary key of {table}",
        "numbered": "the referencing table's name lists {table}, and numbered columns follow that order",
        "near": "{column} is named after {table}, whose other words the referencing table shares",
        "context_part": "{column} and a part of the referencing table's name together name {table}",
        "unique_name": "{column} is called like a unique key of {table}",
        "unique_name_role": "{column} ends like a unique key of {table}",
        "kinship": "{column} relates people of {table} to each other",
        "self": "{column} names a row of the same table",
        "self_weak": "{column} may name a row of the same table",
        "extends": "the referencing table is named after {table} and shares its key",
        "tail_1": "{column} is named after the end of {table}",
        "tail_2": "{column} is named after the end of {table}",
        "head": "{column} is named after the beginning of {table}",
        "abbreviation": "{column} abbreviates {table}",
    },
    {
        "by": "{column} says who did something, and {table} holds the people here",
        "agent": "{column} is a role of a person, and {table} holds the people here",
    },
    {
        "declared_all": "keys declared on columns of this name point at {table}",
        "declared_most": "most keys declared on columns of this name point at {table}",
        "only_siblings": "columns of this name in other tables point at {table}",
        "voted_all": "columns of this name in other tables point at {table}, too",
        "voted_most": "most columns of this name in other tables point at {table}",
    },
    {"index_names_table": "an index on {column} is named after {table}"},
    {
        "fit_same": "its type is that of {key}",
        "fit_family": "its type compares with that of {key}",
        "fit_mismatch": "its type differs from that of {key}, though ids may be written in it",
    },
)
_COLUMN_SENTENCES = (
    {"index_says_key": "the name of an index on {column} speaks of a foreign key"},
    {"indexed_alone": "an index serves {column}", "indexed_first": "an index starts with {column}"},
    {"in_primary_key": "{column} is part of the primary key", "unique": "{column} is unique"},
    {"external": "its name speaks of an outside system"},
)


def evidence_for(case: Case, option: Option) -> tuple[Evidence, ...]:
    """Return what speaks for, and against, an option of a case."""
    return tuple(_told(case, option))


def _told(case: Case, option: Option) -> Iterator[Evidence]:
    table, key = option.referenced.table, option.key.column.name
    words = {"column": readable(case.column.name), "table": str(table), "key": f"{table}({readable(key)})"}
    for traits, groups in ((option.traits, _SENTENCES), (case.traits, _COLUMN_SENTENCES)):
        for group in groups:
            rule = next((rule for rule in group if rule in traits), None)
            if rule is not None:
                yield Evidence(rule=rule, text=group[rule].format(**words))
