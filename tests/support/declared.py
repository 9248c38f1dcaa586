"""What a database declares, as PostgreSQL prints it: to compare a database with one made from an exported schema."""

import re

import asyncpg

#: A number is the same default whether it is written as a number or as text that is cast to one.
_QUOTED_NUMBER = re.compile(r"DEFAULT '(-?[0-9.]+)'::(?:numeric|integer|double precision)")

_SCHEMAS = "NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'holdfast', 'drizzle')"
_QUERIES = (
    f"""
    SELECT 'column ' || a.attrelid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
           || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(CASE a.attgenerated WHEN '' THEN ' DEFAULT ' ELSE ' GENERATED ' || a.attgenerated::text || ' ' END
              || pg_get_expr(d.adbin, d.adrelid), '')
           || CASE WHEN a.attidentity <> '' THEN ' IDENTITY ' || a.attidentity::text ELSE '' END
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace::regnamespace::text {_SCHEMAS}
    """,
    f"""
    SELECT 'constraint ' || c.conrelid::regclass || ' ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid)
    FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
    WHERE c.contype IN ('p', 'u', 'f', 'c', 'x') AND c.connamespace::regnamespace::text {_SCHEMAS}
    """,
    f"SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname {_SCHEMAS}",
    f"""
    SELECT 'enum ' || t.oid::regtype || ' ' || string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
    FROM pg_type AS t JOIN pg_enum AS e ON e.enumtypid = t.oid WHERE t.typnamespace::regnamespace::text {_SCHEMAS} GROUP BY t.oid
    """,
    f"""
    SELECT 'sequence ' || s.seqrelid::regclass || format(' %s %s %s %s %s %s', seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
    FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid WHERE c.relnamespace::regnamespace::text {_SCHEMAS}
    """,
)


async def declared(dsn: str) -> set[str]:
    """Return a line per column, constraint, index, enum and sequence of a database, schema `holdfast` aside."""
    connection = await asyncpg.connect(dsn)
    try:
        return {_QUOTED_NUMBER.sub(r"DEFAULT \1", row[0]) for query in _QUERIES for row in await connection.fetch(query)}
    finally:
        await connection.close()


async def execute(dsn: str, script: str) -> None:
    """Run a script."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(script)
    finally:
        await connection.close()
