"""Why rows are orphan rows: each cause, and everything that must not be mistaken for one."""

import asyncpg
import pytest

from holdfastd.names import ColumnSet, TableName
from integration.evidence.looks import causes, look, reading

_ROWS = "CREATE TABLE r (id {key}); CREATE TABLE t (id serial PRIMARY KEY, r_id {own});"


def script(keys: str, values: str, *, key: str = "serial PRIMARY KEY", own: str = "bigint", then: str = "") -> str:
    made = _ROWS.format(key=key, own=own).replace("TABLE r", "TABLE public.r").replace("TABLE t", "TABLE public.t")
    return f"{made} {keys}; INSERT INTO public.t (r_id) VALUES {', '.join(f'({value})' for value in values.split())}; {then}"


GIVEN_OUT = "INSERT INTO public.r SELECT FROM generate_series(1, 20); DELETE FROM public.r WHERE id IN (3, 4, 20)"


async def test_sequence_tells_deleted_from_never_existed(any_database: str) -> None:
    """Up to the highest value the sequence gave out a row was there, also the last one; above it none was, below it none begins."""
    values = "3 3 4 20 21 9223372036854775807 -5 -9223372036854775808 1 NULL 0 -1 -1"

    async with reading(any_database, sql=script(GIVEN_OUT, values)) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (4, 3), "NEVER_EXISTED": (4, 4), "SENTINEL": (3, 2)}
    assert details.share == pytest.approx(11 / 13)
    assert details.unknown == ""


@pytest.mark.parametrize(
    "identity",
    ["int GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "bigint PRIMARY KEY DEFAULT nextval('public.numbers')", "smallserial PRIMARY KEY"],
)
async def test_every_kind_of_sequence_is_found(database: str, identity: str) -> None:
    """Identity, a default on somebody's sequence, and serial all give values out."""
    made = "CREATE SEQUENCE public.numbers; " + script(GIVEN_OUT, "20 21", key=identity)

    async with reading(database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (1, 1), "NEVER_EXISTED": (1, 1)}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        # Given out up to 20, deleted at the top.
        ("SELECT setval('public.r_id_seq', 20)", {"DELETED": (2, 2), "NEVER_EXISTED": (1, 1)}),
        # The next one will be 20: 19 is the highest.
        ("SELECT setval('public.r_id_seq', 20, false)", {"DELETED": (1, 1), "NEVER_EXISTED": (2, 2)}),
        # Never asked, behind the rows, or beginning again: then it tells nothing, and the range tells only what is inside.
        ("ALTER SEQUENCE public.r_id_seq RESTART", {"DELETED": (1, 1), "UNKNOWN": (2, 2)}),
        ("SELECT setval('public.r_id_seq', 12)", {"DELETED": (1, 1), "UNKNOWN": (2, 2)}),
        ("ALTER SEQUENCE public.r_id_seq CYCLE", {"DELETED": (1, 1), "UNKNOWN": (2, 2)}),
        ("ALTER SEQUENCE public.r_id_seq INCREMENT -1 MINVALUE -100", {"DELETED": (1, 1), "UNKNOWN": (2, 2)}),
    ],
)
async def test_sequence_tells_only_in_a_state_that_can_be_trusted(database: str, state: str, expected: dict[str, tuple[int, int]]) -> None:
    """A sequence that was set back or never used gives no ground to say "never existed"."""
    async with reading(database, sql=script(GIVEN_OUT, "4 20 21", then=state)) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == expected


async def test_shared_sequence_does_not_tell_deleted(database: str) -> None:
    """A value that a sequence gave to another table was never one of this key."""
    keys = "CREATE TABLE public.s (id int DEFAULT nextval('public.r_id_seq')); " + GIVEN_OUT

    async with reading(database, sql=script(keys, "4 21")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (1, 1), "NEVER_EXISTED": (1, 1)}


async def test_without_a_sequence_only_a_well_filled_range_tells(database: str) -> None:
    """Ids 1 to 20 with two gaps were counted up; ids scattered over billions were not; above the highest nobody knows."""
    dense = script("INSERT INTO public.r SELECT g FROM generate_series(1, 20) g WHERE g NOT IN (3, 4)", "3 4 21 -7", key="int PRIMARY KEY")
    async with reading(database, sql=dense) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (2, 2), "UNKNOWN": (2, 2)}

    sparse = "TRUNCATE public.r; INSERT INTO public.r SELECT g * 1000 FROM generate_series(1, 20) g"
    async with reading(database, sql=sparse) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (4, 4)}


async def test_zero_is_no_sentinel_where_ids_begin_below_it(database: str) -> None:
    """Keys from -5 on: 0 is a number like any other."""
    keys = "INSERT INTO public.r SELECT g FROM generate_series(-5, 20) g WHERE g <> 0"

    async with reading(database, sql=script(keys, "0 0", key="int PRIMARY KEY")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (2, 1)}


async def test_empty_key_tells_nothing_but_sentinels(database: str) -> None:
    """An empty table may have been loaded and truncated: only 0 is told."""
    async with reading(database, sql=script("SELECT", "0 1 2")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (2, 2), "SENTINEL": (1, 1)}


async def test_unreadable_sequence_is_said_with_the_grant(database: str) -> None:
    """Without SELECT on the sequence the value above all others stays unknown, and the answer names what would help."""
    made = (
        script(GIVEN_OUT, "21")
        + "GRANT pg_monitor TO CURRENT_USER; CREATE ROLE looker_of_details; GRANT USAGE ON SCHEMA public TO looker_of_details;"
    )
    made += "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker_of_details"

    try:
        async with reading(database, sql=made) as connection:
            await connection.execute("SET ROLE looker_of_details")
            details = await look(connection, "t(r_id)", "r(id)")
    finally:
        async with reading(database, sql="DROP OWNED BY looker_of_details; DROP ROLE looker_of_details"):
            pass

    assert causes(details) == {"UNKNOWN": (1, 1)}
    assert 'GRANT SELECT ON SEQUENCE "public"."r_id_seq" TO "looker_of_details"' in details.unknown


async def test_text_keys_tell_sentinels_and_other_kinds_of_ids(any_database: str) -> None:
    """Digits in a column of uuids are another kind of id; blanks and words for nothing are sentinels; another uuid tells nothing."""
    keys = "INSERT INTO public.r SELECT gen_random_uuid()::text FROM generate_series(1, 12)"
    values = "'' E'\\t' 'N/A' 'null' '00000000-0000-0000-0000-000000000000' '42' '4242' '0' 'x@example.com' gen_random_uuid()::text"

    async with reading(any_database, sql=script(keys, values, key="text PRIMARY KEY", own="varchar(60)")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"SENTINEL": (6, 6), "WRONG_TYPE": (3, 3), "UNKNOWN": (1, 1)}


async def test_few_keys_are_no_way_of_writing(database: str) -> None:
    """Four keys do not show how keys are written."""
    keys = "INSERT INTO public.r SELECT 'k' || g FROM generate_series(1, 4) g"

    async with reading(database, sql=script(keys, "'42'", key="text PRIMARY KEY", own="text")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (1, 1)}


async def test_large_keys_are_sampled_all_over(database: str) -> None:
    """Ids were digits once and are uuids now: the sample must see both, so neither is another kind."""
    keys = (
        "INSERT INTO public.r SELECT g::text FROM generate_series(1, 40000) g;"
        "INSERT INTO public.r SELECT gen_random_uuid()::text FROM generate_series(1, 10000); ANALYZE public.r"
    )

    async with reading(database, sql=script(keys, "'99999' gen_random_uuid()::text 'x'", key="text PRIMARY KEY", own="text")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (2, 2), "WRONG_TYPE": (1, 1)}


async def test_uuids_of_nothing_are_sentinels(database: str) -> None:
    """All zeros and all ones mean none; another uuid tells nothing."""
    values = "'00000000-0000-0000-0000-000000000000' 'ffffffff-ffff-ffff-ffff-ffffffffffff' '7f3c2f6e-0000-4000-8000-000000000001'"

    async with reading(database, sql=script("SELECT", values, key="uuid PRIMARY KEY", own="uuid")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"SENTINEL": (2, 2), "UNKNOWN": (1, 1)}


async def test_numeric_keys_are_numbers(database: str) -> None:
    """Integers that reference numeric are judged as numbers; NaN, infinity and fractions tell nothing."""
    keys = "INSERT INTO public.r SELECT g FROM generate_series(1, 20) g WHERE g <> 7; INSERT INTO public.r VALUES (2.5)"
    values = "7 0 7.5 'NaN' 'Infinity' '-Infinity'"

    async with reading(database, sql=script(keys, values, key="numeric PRIMARY KEY", own="numeric")) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (1, 1), "SENTINEL": (1, 1), "UNKNOWN": (4, 4)}


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        ("date", "'2024-01-01'", "'infinity'"),
        ("double precision", "1", "'NaN'"),
        ("bytea", "''", "'\\x00'"),
        ("boolean", "true", "false"),
        ("int[]", "'{1}'", "'{}'"),
    ],
)
async def test_other_types_are_unknown_and_no_error(database: str, kind: str, keys: str, value: str) -> None:
    """What no rule speaks about is UNKNOWN."""
    made = script(f"INSERT INTO public.r VALUES ({keys})", value, key=f"{kind} PRIMARY KEY", own=kind)

    async with reading(database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (1, 1)}
    assert details.unknown == ""


async def test_domains_and_enums(database: str) -> None:
    """A domain over integer is an integer; an enum is judged as text."""
    made = (
        "CREATE DOMAIN public.number AS int; CREATE TYPE public.mood AS ENUM ('a', 'none', 'b');"
        "CREATE TABLE public.r (id public.number PRIMARY KEY, mood public.mood UNIQUE);"
        "CREATE TABLE public.t (r_id public.number, mood public.mood);"
        "INSERT INTO public.r (id) SELECT g FROM generate_series(1, 20) g WHERE g <> 5;"
        "INSERT INTO public.t VALUES (5, 'none'), (0, 'b')"
    )

    async with reading(database, sql=made) as connection:
        by_number = await look(connection, "t(r_id)", "r(id)")
        by_mood = await look(connection, "t(mood)", "r(mood)")

    assert causes(by_number) == {"DELETED": (1, 1), "SENTINEL": (1, 1)}
    assert causes(by_mood) == {"SENTINEL": (1, 1), "UNKNOWN": (1, 1)}


async def test_composite_keys_tell_what_one_column_tells(any_database: str) -> None:
    """A sentinel or a value never given out in one column is told; a pair whose values both exist is unknown; NULL is no orphan."""
    made = (
        "CREATE TABLE public.r (region text, id serial, PRIMARY KEY (region, id)); CREATE TABLE public.t (r_id int, region text);"
        "INSERT INTO public.r (region) SELECT chr(97 + g % 3) || '' FROM generate_series(1, 20) g; INSERT INTO public.r (region) VALUES ('');"
        "INSERT INTO public.t VALUES (1, 'a'), (2, 'zz'), (0, 'a'), (99, 'a'), (99, ''), (99, NULL), (NULL, 'zz'), (2, 'zz')"
    )

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "t(region, r_id)", "r(region, id)")

    # 'b1' is the pair of id 1: 1 % 3. A blank region exists, so a blank is no sentinel here.
    assert causes(details) == {"UNKNOWN": (3, 2), "SENTINEL": (1, 1), "NEVER_EXISTED": (2, 2)}


async def test_key_operator_decides_who_is_an_orphan(any_database: str) -> None:
    """A text that references character(n) is compared without trailing spaces: only one of three is an orphan."""
    made = (
        "CREATE TABLE public.r (id char(4) PRIMARY KEY); CREATE TABLE public.t (r_id text);"
        "INSERT INTO public.r VALUES ('A'), ('B'), ('C'); INSERT INTO public.t VALUES ('B  '), ('C    '), ('D'), ('D ')"
    )

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (2, 2)}


async def test_nondeterministic_collation_is_read_as_text(any_database: str) -> None:
    """Regular expressions refuse such collations; the judgement must not."""
    made = (
        "CREATE COLLATION public.blunt (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE TABLE public.r (id text COLLATE public.blunt PRIMARY KEY); CREATE TABLE public.t (r_id text COLLATE public.blunt);"
        "INSERT INTO public.r SELECT 'k' || g FROM generate_series(1, 12) g; INSERT INTO public.t VALUES ('K1'), ('X'), ('x'), ('42'), ('')"
    )
    try:
        async with reading(any_database, sql="CREATE COLLATION public.probe (provider = icu, locale = 'und')"):
            pass
    except asyncpg.FeatureNotSupportedError:
        pytest.skip("this server has no ICU")

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"UNKNOWN": (2, 1), "WRONG_TYPE": (1, 1), "SENTINEL": (1, 1)}


async def test_inherited_rows_neither_count_nor_help(database: str) -> None:
    """ONLY on both sides, in the range of the key, too."""
    keys = (
        "INSERT INTO public.r SELECT g FROM generate_series(1, 20) g WHERE g <> 5; CREATE TABLE public.r_more () INHERITS (public.r);"
        "INSERT INTO public.r_more SELECT g FROM generate_series(21, 40) g WHERE g <> 30"
    )
    then = "CREATE TABLE public.t_more () INHERITS (public.t); INSERT INTO public.t_more (r_id) VALUES (5), (99)"

    async with reading(database, sql=script(keys, "5 21 30", key="int PRIMARY KEY", then=then)) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (1, 1), "UNKNOWN": (2, 2)}
    assert details.share == 1.0


async def test_partitioned_tables_are_read_whole(any_database: str) -> None:
    """Rows of all partitions on both sides, and the sequence of the root."""
    made = (
        "CREATE TABLE public.r (id serial PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE public.t (r_id bigint) PARTITION BY HASH (r_id);"
        "CREATE TABLE public.r1 PARTITION OF public.r FOR VALUES FROM (1) TO (10); CREATE TABLE public.r2 PARTITION OF public.r DEFAULT;"
        "CREATE TABLE public.t1 PARTITION OF public.t FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE public.t2 PARTITION OF public.t FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "INSERT INTO public.r SELECT FROM generate_series(1, 20); DELETE FROM public.r WHERE id IN (3, 20);"
        "INSERT INTO public.t SELECT g FROM generate_series(1, 25) g"
    )

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, "t(r_id)", "r(id)")

    assert causes(details) == {"DELETED": (2, 2), "NEVER_EXISTED": (5, 5)}
    assert details.share == pytest.approx(7 / 25)
    assert [(taken.rows, taken.share) for taken in details.taken] == [(7, pytest.approx(7 / 25))]


async def test_hostile_names(any_database: str) -> None:
    """Quotes, newlines, keywords and percent signs in every name, the sequence's included."""
    schema, table, column = 's"; DROP TABLE x; --', "ta'b\nle %s $1", "i d\\"
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in (schema, table, column)}
    where = f"{quoted[schema]}.{quoted[table]}"
    made = (
        f'CREATE SCHEMA {quoted[schema]}; CREATE TABLE {where} ({quoted[column]} serial PRIMARY KEY, "select" int, "created at" timestamptz);'
        f'INSERT INTO {where} ("select") SELECT g + 5 FROM generate_series(1, 10) g'
    )
    name = TableName(schema, table)

    async with reading(any_database, sql=made) as connection:
        details = await look(connection, ColumnSet(name, ("select",)), ColumnSet(name, (column,)))

    assert causes(details) == {"NEVER_EXISTED": (5, 5)}
    assert details.unknown == ""
