"""Words whose meaning does not depend on the schema: roles, people, outsiders, bookkeeping. The words are data, in vocabulary.json."""

import json
from importlib.resources import files

_ENTRIES: dict[str, dict[str, str]] = json.loads(
    files("holdfastd.inference.naming").joinpath("vocabulary.json").read_text(encoding="utf-8")
)


def _words(entry: str) -> tuple[str, ...]:
    return tuple(_ENTRIES[entry]["words"].split())


def _pairs(entry: str) -> tuple[tuple[str, str], ...]:
    return tuple((left, right) for left, _, right in (word.partition(":") for word in _words(entry)))


#: A column named so points into its own table.
SELF_WORDS = frozenset(_words("self"))
#: People in relation to another person: customers.referred_by is a customer.
KINSHIP_WORDS = frozenset(_words("kinship"))
#: What a person is to a row: owner_id, reviewer_id.
AGENT_WORDS = frozenset(_words("agent"))
#: Places in a pair or a chain; alone they name no table.
PLACE_WORDS = frozenset(_words("place"))
#: Tables of people, the plainest word first.
PERSON_WORDS = _words("person")
#: Tables whose rows are people in the business, if not users of the application.
PERSON_LIKE = frozenset(_words("person_like"))
#: Ids given by others; they point at nothing here.
EXTERNAL_WORDS = frozenset(_words("external"))
#: Things that have ids and are often kept nowhere.
OPAQUE_WORDS = frozenset(_words("opaque"))
#: The other half of a polymorphic reference.
TYPE_WORDS = frozenset(_words("type"))
#: Tables of rows that must outlive what they mention: often without keys on purpose.
ASIDE_WORDS = frozenset(_words("aside"))
#: Tables that own what references them.
OWNER_WORDS = frozenset(_words("owner"))
#: Tables of reference data.
LOOKUP_WORDS = frozenset(_words("lookup"))
#: Columns by which people recognise reference data.
LABEL_WORDS = frozenset(_words("label"))
#: Tables that tell what happened.
HISTORY_WORDS = frozenset(_words("history"))
#: Tables whose rows are owed to a tax office.
FINANCIAL_WORDS = frozenset(_words("financial"))
#: Tables in which migration tools keep their books.
BOOKKEEPING = frozenset(_words("bookkeeping"))
#: Words before `by`: `created_by`, `last_updated_by`.
BY = "by"
#: What tables of people have columns for: sign -> spellings.
PERSON_SIGNS = {sign: frozenset(word for other, word in _pairs("person_sign") if other == sign) for sign, _ in _pairs("person_sign")}
#: Words that end in s and are singular.
NEVER_PLURAL = frozenset(_words("never_plural"))
#: Plurals that no rule makes.
IRREGULAR_PLURALS = dict(_pairs("irregular_plural"))
#: Tables with these at the start or the end of their name belong to a tool or copy another table.
BOOKKEEPING_PREFIXES = ("flyway_", "knex_", "_backup_", "backup_", "bak_", "__drizzle", "_prisma_")
BOOKKEEPING_SUFFIXES = ("_backup", "_bak")
