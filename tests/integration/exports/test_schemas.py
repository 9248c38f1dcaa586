"""Schemas of object mappers, made from a catalog that has one of everything: the tools that read them are the judges."""

from datetime import UTC, datetime
from pathlib import Path

from holdfastd.catalog.outline import outline
from holdfastd.catalog.read import read_catalog
from holdfastd.exports.drizzle.schema import render_drizzle
from holdfastd.exports.prisma.schema import render_prisma
from holdfastd.report.facts import Facts, Subject
from holdfastd.target.session import connect
from support.declared import declared, execute
from support.node import compile_typescript, drizzle_kit, judge_prisma, lay_out, require_node, resolve_relations
from support.postgres import Server

HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_DOMAIN = "CREATE DOMAIN amount AS numeric(12, 2) CHECK (VALUE >= 0)"
_INDEX = "index CREATE INDEX customers_name ON sales.customers USING btree (name DESC, tenant NULLS FIRST)"
_REFERENCES = "REFERENCES sales.customers(tenant, id)"
#: What Drizzle has no words for; each is told in the file.
LOST_BY_DRIZZLE = {
    'column sales.customers.mark "char"': "column sales.customers.mark character(1)",
    "constraint people people_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED": (
        "constraint people people_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE"
    ),
    f"constraint sales.orders orders_agent FOREIGN KEY (tenant, agent) {_REFERENCES} MATCH FULL ON DELETE RESTRICT": (
        f"constraint sales.orders orders_agent FOREIGN KEY (tenant, agent) {_REFERENCES} ON DELETE RESTRICT"
    ),
    f"constraint sales.orders orders_customer FOREIGN KEY (tenant, customer) {_REFERENCES} ON DELETE SET NULL (customer)": (
        f"constraint sales.orders orders_customer FOREIGN KEY (tenant, customer) {_REFERENCES} ON DELETE SET NULL"
    ),
    "constraint sales.orders orders_apart EXCLUDE USING gist (range WITH &&)": "",
    "index CREATE INDEX orders_apart ON sales.orders USING gist (range)": "",
    "constraint secrets secrets_number_key UNIQUE (number) DEFERRABLE": "constraint secrets secrets_number_key UNIQUE (number)",
    f"{_INDEX} INCLUDE (code) WITH (fillfactor='70')": f"{_INDEX} WITH (fillfactor='70')",
}
#: What Prisma Migrate would do to the database because its language has no words for what is there.
TOUCHED_BY_PRISMA = ("customers_name", "customers_pattern", '"mark"', '"moods"', '"numbers"', '"quoted"', '"thousands"', '"total"')


async def facts_of(dsn: str, file: str) -> Facts:
    """Make the tables of a file and read them as an audit does."""
    await execute(dsn, (HERE / file).read_text(encoding="utf-8"))
    connection = await connect(dsn, application_name="test", read_only=True)
    try:
        tables = outline(await read_catalog(connection))
    finally:
        await connection.close()
    subject = Subject(name="shop", host="db", port=5432, database_name="shop", role="app", server_version="18")
    return Facts(subject=subject, audit_id="audit-1", create_time=NOW, end_time=NOW, tables=tables, relationships=(), findings=())


async def test_drizzle_makes_the_same_database_or_says_what_is_missing(database: str, postgres: Server, tmp_path: Path) -> None:
    """Every type, default, key, index and check survives drizzle-kit; what does not is named at the top of the file."""
    require_node()
    files = dict(render_drizzle(await facts_of(database, "types.sql")))
    lay_out(tmp_path, files)
    compiled = await compile_typescript(tmp_path)
    other = await postgres.create_database()
    await execute(other, _DOMAIN)
    await execute(other, (await drizzle_kit(tmp_path, "export")).output)
    before, after = await declared(database), await declared(other)
    head = files["schema.ts"].partition("\nimport")[0]

    assert (compiled.code, compiled.output) == (0, "")
    assert before - after == set(LOST_BY_DRIZZLE)
    assert after - before == {line for line in LOST_BY_DRIZZLE.values() if line}
    for told in ('"char"', "DEFERRABLE INITIALLY DEFERRED", "MATCH FULL", "SET NULL (customer)", "EXCLUDE", "INCLUDE (code)", "COLLATE"):
        assert told in head


async def test_relations_lead_both_ways(database: str, tmp_path: Path) -> None:
    """Each key can be queried from either side, also where several join the same tables, or a table itself."""
    require_node()
    facts = await facts_of(database, "types.sql")
    resolved = await resolve_relations(lay_out(tmp_path, dict(render_drizzle(facts))))
    keys = [(key.referencing, key.referenced) for table in facts.tables for key in table.foreign_keys]
    ways = [*keys, *((referenced, referencing) for referencing, referenced in keys)]

    assert sorted((each["table"], each["columns"], each["references"]) for each in resolved) == sorted(
        (start.table.name, list(start.columns), list(end.columns)) for start, end in ways
    )


async def test_prisma_takes_everything_or_says_what_is_missing(database: str, tmp_path: Path) -> None:
    """The schema is valid and laid out as Prisma does; Prisma Migrate would touch only what the file names at its top."""
    require_node()
    files = dict(render_prisma(await facts_of(database, "types.sql")))
    verdict = await judge_prisma(lay_out(tmp_path, files), database)
    statements = [line for line in verdict["missing"].splitlines() if line.startswith(("CREATE", "DROP", "ALTER"))]

    assert verdict["formatted"] == files["schema.prisma"]
    assert [line for line in statements if line.startswith("ALTER COLUMN") and not any(name in line for name in TOUCHED_BY_PRISMA)] == []
    assert not any("CONSTRAINT" in line for line in statements)
    assert len([line for line in statements if "INDEX" in line]) == 3


async def test_hostile_names_stay_inert(database: str, tmp_path: Path) -> None:
    """Both files are well formed, nothing invisible is in them, and Prisma reads every name back as it is in the database."""
    require_node()
    facts = await facts_of(database, "names.sql")
    files = {**render_drizzle(facts), **render_prisma(facts)}
    compiled = await compile_typescript(lay_out(tmp_path, files))
    verdict = await judge_prisma(tmp_path, database)
    names = {table.name.name: {column.name for column in table.columns} for table in facts.tables}
    text = "".join(files.values())

    assert (compiled.code, compiled.output) == (0, "")
    assert [letter for letter in text if not (letter.isprintable() or letter == "\n")] == []
    assert {
        model["dbName"]: {field.get("dbName") or field["name"] for field in model["fields"] if field["kind"] != "object"}
        for model in verdict["models"]
    } == {name: columns for name, columns in names.items() if not name.endswith("backwards")}
