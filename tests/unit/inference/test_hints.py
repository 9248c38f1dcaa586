"""What joins and partitions change in what names made us think."""

from dataclasses import replace

import pytest

from holdfastd.catalog.model import Catalog, Partition
from holdfastd.inference.candidates import conclude
from holdfastd.inference.hints.joins import find_joins
from holdfastd.inference.hints.weigh import weigh_joins, weigh_partitions
from holdfastd.inference.model import Hypothesis, Target
from support.builders import a_catalog, a_foreign_key, a_function, a_table, a_view, columns, table_name, with_definitions

PERSON = columns("person", "id")
WRITTEN = columns("letter", "penned")


@pytest.fixture
def post() -> Catalog:
    """Letters that point at people by a column that no rule of naming knows."""
    return a_catalog(
        a_table("person", "name text"),
        a_table("town", "name text"),
        a_table("letter", "penned integer", "town integer", "thing_id integer", "thing_type text"),
        a_table("profile", "person_id integer", key="person_id"),
    )


def joined(catalog: Catalog, *conditions: str, before: tuple[Hypothesis, ...] = ()) -> dict[str, Hypothesis]:
    """Weigh joins of all tables under each condition; by referencing columns."""
    tables = ", ".join(f"public.{name.name}" for name in catalog.tables)
    views = [a_view(f"v{number}", f"SELECT 1 FROM {tables} WHERE {condition}") for number, condition in enumerate(conditions)]
    weighed = weigh_joins(catalog, before, find_joins(with_definitions(catalog, *views)))
    return {str(each.referencing): each for each in weighed}


def thought(*targets: tuple[str, float], reference: float = 0.5) -> Hypothesis:
    """Return what names made us think of letter.penned."""
    return Hypothesis(
        referencing=WRITTEN,
        reference_probability=reference,
        targets=tuple(Target(referenced=columns(table, "id"), probability=share) for table, share in targets),
    )


def test_a_join_makes_a_hypothesis_where_names_are_silent(post: Catalog) -> None:
    """It is worth a look, and says why."""
    (found,) = joined(post, "letter.penned = person.id").values()

    assert (found.referencing, [target.referenced for target in found.targets]) == (WRITTEN, [PERSON])
    assert [(each.rule, each.text) for each in found.targets[0].evidence] == [("joined", "joined so in the view public.v0")]
    (candidate,) = conclude(post, (found,))
    assert 0.6 < candidate.confidence < 0.85


def test_a_join_strengthens_a_hypothesis(post: Catalog) -> None:
    """About two in the logit of being a reference, and the joined table comes first."""
    found = joined(post, "letter.penned = person.id", before=(thought(("town", 0.6), ("person", 0.3)),))["public.letter(penned)"]

    assert found.reference_probability == pytest.approx(0.88, abs=0.01)
    assert [target.referenced.table.name for target in found.targets] == ["person", "town"]
    assert found.targets[0].probability > 0.85
    assert sum(target.probability for target in found.targets) <= 1


def test_a_join_adds_the_table_that_names_did_not_propose(post: Catalog) -> None:
    """The one joined is likelier than the one guessed."""
    found = joined(post, "letter.penned = person.id", before=(thought(("town", 0.9)),))["public.letter(penned)"]

    assert [target.referenced.table.name for target in found.targets] == ["person", "town"]


def test_more_views_make_it_more_certain(post: Catalog) -> None:
    """And the evidence counts them."""
    (one,) = joined(post, "letter.penned = person.id").values()
    (two,) = joined(post, *["letter.penned = person.id"] * 2).values()
    (many,) = joined(post, *["letter.penned = person.id"] * 5).values()

    assert one.reference_probability < two.reference_probability < many.reference_probability < 0.95
    assert two.targets[0].evidence[0].text == "joined so in the view public.v0 and 1 other"
    assert many.targets[0].evidence[0].text == "joined so in the view public.v0 and 4 others"


def test_a_function_is_called_one(post: Catalog) -> None:
    """So that the reader knows where to look."""
    body = "BEGIN RETURN QUERY SELECT 1 FROM letter JOIN person ON letter.penned = person.id; END"
    (found,) = weigh_joins(post, (), find_joins(with_definitions(post, a_function("f", body))))

    assert found.targets[0].evidence[0].text == "joined so in the function public.f"


@pytest.mark.parametrize(
    "condition",
    ["letter.thing_id = person.id", "letter.id = person.id", "person.id = profile.person_id", "letter.thing_type = person.id::text"],
)
def test_a_join_alone_does_not_make_what_is_no_reference(post: Catalog, condition: str) -> None:
    """The id of an (id, type) pair, a key with a key, and types that cannot be compared need more than a join."""
    assert joined(post, condition) == {}


def test_a_declared_key_is_left_alone(post: Catalog) -> None:
    """What is declared needs no hypothesis, and no second one to another table."""
    letter = post.tables[table_name("letter")]
    declared = replace(letter, foreign_keys=(a_foreign_key(WRITTEN, PERSON),))
    catalog = replace(post, tables={**post.tables, letter.name: declared})

    assert joined(catalog, "letter.penned = person.id", "letter.penned = town.id") == {}


def test_a_join_with_a_satellite_speaks_for_its_root(post: Catalog) -> None:
    """letter.penned = profile.person_id means a person: that is whom a profile's key names."""
    to_root = Hypothesis(
        referencing=columns("profile", "person_id"), reference_probability=0.9, targets=(Target(referenced=PERSON, probability=1.0),)
    )
    found = joined(post, "letter.penned = profile.person_id", before=(to_root, thought(("person", 0.5), ("town", 0.4))))

    assert found["public.letter(penned)"].targets[0].referenced == PERSON
    assert [target.referenced.table.name for target in found["public.letter(penned)"].targets] == ["person", "town"]


def test_a_column_joined_with_two_tables_needs_a_name_as_well(post: Catalog) -> None:
    """A join does not say which of them; what names proposed becomes more certain."""
    joins = ("letter.penned = person.id", "letter.penned = town.id")

    assert joined(post, *joins) == {}
    found = joined(post, *joins, before=(thought(("person", 0.6)),))["public.letter(penned)"]
    assert [target.referenced for target in found.targets] == [PERSON]


def test_a_column_joined_with_everything_says_nothing(post: Catalog) -> None:
    """A number that is compared with three keys means something else every time."""
    catalog = replace(post, tables={**post.tables, table_name("item"): a_table("item", "name text")})
    before = thought(("person", 0.6))

    found = joined(catalog, "letter.penned = person.id", "letter.penned = town.id", "letter.penned = item.id", before=(before,))
    assert found == {"public.letter(penned)": before}


@pytest.fixture
def parted(post: Catalog) -> Catalog:
    """Letters by year: three of four partitions point at people, one at a town."""
    letter = post.tables[table_name("letter")]

    def partition(name: str, *foreign_keys: str) -> Partition:
        keys = tuple(a_foreign_key(columns(name, "penned"), columns(table, "id")) for table in foreign_keys)
        return Partition(name=table_name(name), foreign_keys=keys)

    partitions = (partition("y1", "person"), partition("y2", "person"), partition("y3", "person", "town"), partition("y4"))
    return replace(post, tables={**post.tables, letter.name: replace(letter, partitions=partitions)})


def test_a_key_of_most_partitions_is_meant_for_the_root(parted: Catalog) -> None:
    """It is believed, whatever the names say, and the evidence counts the partitions."""
    (found,) = weigh_partitions(parted, (thought(("town", 0.9), reference=0.1),))

    assert found.targets[0].referenced == PERSON
    assert [(each.rule, each.text) for each in found.targets[0].evidence] == [("partitions", "declared on 3 of 4 partitions")]
    assert found.reference_probability > 0.8


def test_a_key_of_partitions_makes_a_hypothesis(parted: Catalog) -> None:
    """Where names are silent, too."""
    (found,) = weigh_partitions(parted, ())

    assert (found.referencing, found.targets[0].referenced) == (WRITTEN, PERSON)
    assert found.reference_probability * found.targets[0].probability > 0.7
