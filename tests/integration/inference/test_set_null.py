"""What PostgreSQL does when ON DELETE SET NULL meets a column that looks nullable, and what the catalog lets us say beforehand."""

import asyncpg
import pytest

from holdfastd.catalog.read import read_catalog
from holdfastd.inference.advice.feasibility import why_never_null, why_null_is_risky
from holdfastd.inference.advice.on_delete import advise
from holdfastd.names import ColumnSet, TableName
from holdfastd.target.session import connect

TABLES = """
CREATE TABLE public.owners (id integer PRIMARY KEY);
CREATE TABLE public.rows (id integer PRIMARY KEY, "ownerId" integer, other integer);
INSERT INTO public.owners VALUES (1), (2);
"""
ROWS = "INSERT INTO public.rows VALUES (1, 1, NULL), (2, 2, NULL);"
KEY = 'ALTER TABLE public.rows ADD FOREIGN KEY ("ownerId") REFERENCES public.owners ON DELETE SET NULL;'
ROW = TableName("public", "rows")


def check(condition: str) -> str:
    return f"ALTER TABLE public.rows ADD CHECK ({condition}); {ROWS}"


REFUSED = {
    "a check": check('"ownerId" IS NOT NULL'),
    "one of two": check('"ownerId" IS NOT NULL OR other IS NOT NULL'),
    "exactly one": check('num_nonnulls("ownerId", other) = 1'),
    "at least one": check('num_nonnulls(other, "ownerId") >= 1'),
    "not too few": check('num_nulls(other, "ownerId") < 2'),
    "either or": check('("ownerId" IS NULL) <> (other IS NULL)'),
    "not nothing": check('NOT ("ownerId" IS NULL AND other IS NULL)'),
    "what is there": check('COALESCE("ownerId", other) IS NOT NULL'),
    "counted by hand": check('CASE WHEN "ownerId" IS NULL THEN 0 ELSE 1 END + CASE WHEN other IS NULL THEN 0 ELSE 1 END = 1'),
    "a domain": f'CREATE DOMAIN public.some AS integer NOT NULL; ALTER TABLE public.rows ALTER "ownerId" TYPE public.some; {ROWS}',
    "one row without": f'CREATE UNIQUE INDEX ON public.rows ("ownerId") NULLS NOT DISTINCT; {ROWS}',
    "required": f'{ROWS} ALTER TABLE public.rows ALTER "ownerId" SET NOT NULL;',
}
RISKY = {
    "a trigger": """
        CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER keep BEFORE UPDATE ON public.rows FOR EACH ROW EXECUTE FUNCTION public.keep();
        """
    + ROWS,
    "one default": f'CREATE UNIQUE INDEX ON public.rows ((1)) WHERE "ownerId" IS NULL; {ROWS}',
    "equal nulls": f'CREATE UNIQUE INDEX ON public.rows (other, "ownerId") NULLS NOT DISTINCT; {ROWS}',
}
ALLOWED = {
    "nothing": ROWS,
    "a comparison": check('"ownerId" > 0'),
    "at most one": check('NOT ("ownerId" IS NOT NULL AND other IS NOT NULL)'),
    "at most one, counted": check('num_nonnulls("ownerId", other) <= 1'),
    "only with": check('"ownerId" IS NULL OR other IS NULL'),
    "of another": check("id IS NOT NULL"),
    "in a text": check("""'"ownerId" IS NOT NULL' <> ''"""),
}


@pytest.fixture
async def connection(database: str):
    """A connection to an empty database."""
    opened = await connect(database, application_name="test", read_only=False)
    yield opened
    await opened.close()


async def deletion_fails(connection: asyncpg.Connection, sql: str) -> bool:
    """Build the tables, declare the key, delete what is referenced."""
    await connection.execute(TABLES + sql + KEY)
    try:
        await connection.execute("DELETE FROM public.owners")
    except asyncpg.PostgresError:
        return True
    return False


@pytest.mark.parametrize("name", REFUSED)
async def test_what_never_accepts_null_is_known_beforehand(name: str, connection: asyncpg.Connection) -> None:
    """The deletion fails, the catalog says why, and SET NULL is neither advised nor offered."""
    if "NULLS NOT DISTINCT" in REFUSED[name] and connection.get_server_version().major < 15:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    assert await deletion_fails(connection, REFUSED[name])
    catalog = await read_catalog(connection)
    assert why_never_null(catalog.tables[ROW], ("ownerId",))
    found = advise(catalog, ColumnSet(ROW, ("ownerId",)), ColumnSet(TableName("public", "owners"), ("id",)), [])
    assert "SET NULL" not in {found.on_delete, *(other.on_delete for other in found.alternatives)}


@pytest.mark.parametrize("name", RISKY)
async def test_what_may_refuse_null_is_a_caution(name: str, connection: asyncpg.Connection) -> None:
    """It fails with these rows, and need not with others."""
    if "NULLS NOT DISTINCT" in RISKY[name] and connection.get_server_version().major < 15:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    assert await deletion_fails(connection, RISKY[name])
    table = (await read_catalog(connection)).tables[ROW]
    assert why_null_is_risky(table, ("ownerId",))
    assert not why_never_null(table, ("ownerId",))


@pytest.mark.parametrize("name", ALLOWED)
async def test_what_accepts_null_is_not_accused(name: str, connection: asyncpg.Connection) -> None:
    """The deletion works, and nothing is said against it."""
    assert not await deletion_fails(connection, ALLOWED[name])
    table = (await read_catalog(connection)).tables[ROW]
    assert why_never_null(table, ("ownerId",)) == why_null_is_risky(table, ("ownerId",)) == ""
