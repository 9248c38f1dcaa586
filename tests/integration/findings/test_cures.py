"""The SQL in the cure of a finding: PostgreSQL takes it as it stands, and the finding is gone."""

import asyncpg
import pytest

from holdfastd.findings.model import FindingKind
from integration.findings.audits import audit, found, statements
from integration.findings.test_pages import run, writing
from support.postgres import Server

_SHOP = """
CREATE TABLE public.users (id integer PRIMARY KEY, "Tenant" integer NOT NULL DEFAULT 1, UNIQUE ("Tenant", id));
CREATE TABLE public."Orders" (id integer PRIMARY KEY, user_id integer, "Tenant" integer NOT NULL DEFAULT 1);
CREATE INDEX by_user ON public."Orders" (user_id, "Tenant");
INSERT INTO public.users VALUES (1), (2);
INSERT INTO public."Orders" VALUES (1, 1), (2, 2), (3, NULL);
"""
_KEY = 'ALTER TABLE public."Orders" ADD CONSTRAINT "placed by" FOREIGN KEY (user_id) REFERENCES public.users'
_BOTH = 'ALTER TABLE public."Orders" ADD FOREIGN KEY ("Tenant", user_id) REFERENCES public.users ("Tenant", id)'
_PARTITIONED = """
CREATE TABLE public.visits (user_id integer NOT NULL, "At" integer NOT NULL) PARTITION BY RANGE ("At");
CREATE TABLE public."Visits 1" PARTITION OF public.visits FOR VALUES FROM (0) TO (10);
CREATE TABLE public."Visits 2" PARTITION OF public.visits FOR VALUES FROM (10) TO (20);
"""

#: What is done to the shop -> the kind of finding that it makes, and how many statements its cure names.
CASES = {
    "not validated": (f"{_KEY} NOT VALID", FindingKind.NOT_VALIDATED_KEY, 1),
    "not enforced": (f"{_KEY} NOT ENFORCED", FindingKind.NOT_ENFORCED_KEY, 1),
    "disabled": (f'{_KEY}; ALTER TABLE public."Orders" DISABLE TRIGGER ALL', FindingKind.DISABLED_KEY, 2),
    "disabled on the referenced side": (f"{_KEY}; ALTER TABLE public.users DISABLE TRIGGER ALL", FindingKind.DISABLED_KEY, 2),
    "duplicate": (f"{_KEY}; {_KEY.replace('placed by', 'again')} NOT VALID", FindingKind.DUPLICATE_KEY, 1),
    "set null": (
        f'DELETE FROM public."Orders" WHERE id = 3; ALTER TABLE public."Orders" ALTER user_id SET NOT NULL; {_KEY} ON DELETE SET NULL',
        FindingKind.SET_NULL_ON_NOT_NULL,
        1,
    ),
    "redundant": ('CREATE INDEX "One" ON public."Orders" (user_id)', FindingKind.REDUNDANT_INDEX, 1),
    "redundant on a root": (
        _PARTITIONED + 'CREATE INDEX "One" ON public.visits (user_id); CREATE INDEX ON public.visits (user_id, "At")',
        FindingKind.REDUNDANT_INDEX,
        1,
    ),
    "near miss": (f'{_BOTH}; DROP INDEX public.by_user; CREATE INDEX ON public."Orders" (user_id)', FindingKind.UNINDEXED_KEY, 1),
    "unindexed on a root": (
        _PARTITIONED + "ALTER TABLE public.visits ADD FOREIGN KEY (user_id) REFERENCES public.users",
        FindingKind.UNINDEXED_KEY,
        1,
    ),
    "type": ('ALTER TABLE public."Orders" ALTER user_id TYPE text', FindingKind.TYPE_MISMATCH, 1),
    "type, with a default": (
        """ALTER TABLE public."Orders" ALTER user_id TYPE text, ALTER user_id SET DEFAULT '1'""",
        FindingKind.TYPE_MISMATCH,
        1,
    ),
    "not unique": ("DROP TABLE public.users; CREATE TABLE public.users (id integer)", FindingKind.REFERENCED_NOT_UNIQUE, 1),
    "unique, not primary": (
        'CREATE TABLE public.codes ("Code" text NOT NULL); CREATE UNIQUE INDEX "By code" ON public.codes ("Code")',
        FindingKind.NO_PRIMARY_KEY,
        1,
    ),
    "unique, descending": (
        'CREATE TABLE public.codes ("Code" text NOT NULL); CREATE UNIQUE INDEX ON public.codes ("Code" DESC)',
        FindingKind.NO_PRIMARY_KEY,
        1,
    ),
    "unique constraint, not primary": ('CREATE TABLE public.codes ("Code" text NOT NULL UNIQUE)', FindingKind.NO_PRIMARY_KEY, 1),
    "partition": (
        _PARTITIONED + 'ALTER TABLE public."Visits 1" ADD FOREIGN KEY (user_id) REFERENCES public.users ON DELETE CASCADE',
        FindingKind.PARTITION_WITHOUT_KEY,
        1,
    ),
}
_NOT_ENFORCED_SINCE = 18


async def execute(connection: asyncpg.Connection, sql: str) -> None:
    await run(connection, [statement for statement in sql.split(";") if statement.strip()])


@pytest.mark.parametrize("case", CASES)
async def test_the_cure_runs_and_the_finding_is_gone(case: str, any_postgres: Server, any_database: str) -> None:
    """Names that need quotes included."""
    problem, kind, count = CASES[case]
    if "NOT ENFORCED" in problem and any_postgres.major < _NOT_ENFORCED_SINCE:
        pytest.skip("NOT ENFORCED came with PostgreSQL 18")
    async with writing(any_database) as connection:
        await execute(connection, _SHOP + problem)
        (finding,) = await found(connection, kind)
        cure = statements(finding)
        await run(connection, cure)
        after = await found(connection, kind)

    assert len(cure) == count, finding.cure
    assert after == []


async def test_a_failed_build_is_rebuilt(any_database: str) -> None:
    """Dropped and built again from its own definition; a missing index is not reported beside it twice."""
    async with writing(any_database) as connection:
        await execute(connection, _SHOP + "INSERT INTO public.users VALUES (3), (4)")
        await run(connection, ['CREATE UNIQUE INDEX CONCURRENTLY "One" ON public.users ("Tenant")'])
        (finding,) = await found(connection, FindingKind.INVALID_INDEX)
        await connection.execute('UPDATE public.users SET "Tenant" = id')
        drop, create = statements(finding)
        await run(connection, [drop])
        dropped = await found(connection, FindingKind.INVALID_INDEX)
        await run(connection, [create])
        names = await connection.fetchval("SELECT array_agg(relname::text) FROM pg_class WHERE relname = 'One'")
        after = await found(connection, FindingKind.INVALID_INDEX)

    assert (dropped, after, names) == ([], [], ["One"])


@pytest.mark.parametrize("way", ["replica", "trigger"])
async def test_orphans_under_a_valid_key_are_those_of_the_select(way: str, any_database: str) -> None:
    """A replica session writes past the key, and a trigger swallows its cascade; VALIDATE does not notice, the audit does."""
    async with writing(any_database) as connection:
        await execute(connection, f"{_SHOP} {_KEY} ON DELETE CASCADE")
        if way == "replica":
            await execute(
                connection, "SET session_replication_role = replica; DELETE FROM public.users WHERE id = 1; RESET session_replication_role"
            )
        else:
            await connection.execute(
                "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
                'CREATE TRIGGER keep BEFORE DELETE ON public."Orders" FOR EACH ROW EXECUTE FUNCTION public.keep();'
                "DELETE FROM public.users WHERE id = 1"
            )
        await connection.execute('ALTER TABLE public."Orders" VALIDATE CONSTRAINT "placed by"')
        (finding,) = await found(connection, FindingKind.ORPHANS_UNDER_VALID_KEY)
        (select,) = statements(finding)
        rows = await connection.fetch(select)
        others = [other.kind for other in await audit(connection)]

    assert [row["id"] for row in rows] == [1]
    assert finding.message.startswith('1 row of public."Orders" references nothing in public.users(id) through user_id, though')
    assert FindingKind.ORPHAN_ROWS not in others
    assert ('"keep" kept ON DELETE CASCADE from what it does' in finding.consequence) == (way == "trigger")


async def test_leaves_below_other_partitions_are_compared_too(any_database: str) -> None:
    """A key of a partition that has partitions itself is one of its leaves; a key to a partitioned table is one key all the same."""
    async with writing(any_database) as connection:
        await execute(
            connection,
            """
            CREATE TABLE public.users (id integer PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE public.users_1 PARTITION OF public.users DEFAULT;
            CREATE TABLE public.visits (user_id integer, at integer) PARTITION BY RANGE (at);
            CREATE TABLE public.old PARTITION OF public.visits FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (user_id);
            CREATE TABLE public.old_1 PARTITION OF public.old DEFAULT;
            CREATE TABLE public.new_1 PARTITION OF public.visits FOR VALUES FROM (10) TO (20);
            CREATE TABLE public.new_2 PARTITION OF public.visits FOR VALUES FROM (20) TO (30);
            ALTER TABLE public.old ADD FOREIGN KEY (user_id) REFERENCES public.users;
            ALTER TABLE public.new_1 ADD FOREIGN KEY (user_id) REFERENCES public.users
            """,
        )
        (finding,) = await found(connection, FindingKind.PARTITION_WITHOUT_KEY)

    assert finding.part == "new_2"
    assert "from (user_id) to public.users(id), which both siblings declare" in finding.message


async def test_the_index_of_an_exclusion_constraint_stays(any_database: str) -> None:
    """It is neither unique nor superfluous; what is built like it is."""
    async with writing(any_database) as connection:
        await execute(
            connection,
            "CREATE TABLE public.t (id integer PRIMARY KEY, a integer, EXCLUDE USING btree (a WITH =)); CREATE INDEX mine ON public.t (a)",
        )
        findings = await found(connection, FindingKind.REDUNDANT_INDEX)

    assert [finding.part for finding in findings] == ["mine"]


async def test_a_sound_database_has_no_findings(any_database: str) -> None:
    """Declared, validated, indexed, without orphan rows; partitions inherit what their root declares."""
    async with writing(any_database) as connection:
        await execute(
            connection,
            f"{_SHOP} {_KEY}; {_PARTITIONED} ALTER TABLE public.visits ADD FOREIGN KEY (user_id) REFERENCES public.users;"
            'CREATE INDEX ON public.visits (user_id); ALTER TABLE public.visits ADD PRIMARY KEY (user_id, "At")',
        )
        findings = await audit(connection)

    assert [finding.message for finding in findings if finding.severity.name != "INFO"] == []


async def test_what_only_hangs_on_keys_is_not_judged(any_database: str) -> None:
    """A partition comes along when a key points at it; its indexes and its lack of a primary key are its root's matter."""
    async with writing(any_database) as connection:
        await execute(
            connection,
            _PARTITIONED + 'ALTER TABLE public."Visits 1" ADD UNIQUE (user_id);'
            'CREATE INDEX "One" ON public."Visits 1" (user_id);'
            'CREATE TABLE public.notes (id integer PRIMARY KEY, user_id integer REFERENCES public."Visits 1" (user_id));'
            "CREATE INDEX ON public.notes (user_id)",
        )
        findings = [(finding.kind, str(finding.table)) for finding in await audit(connection)]

    assert findings == [(FindingKind.NO_PRIMARY_KEY, "public.visits")]
