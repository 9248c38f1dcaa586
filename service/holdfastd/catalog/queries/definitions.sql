-- name: list_definitions
-- Views and SQL or PL/pgSQL functions of user schemas with about the size of their text, the smallest first; extensions' own are left out.
-- The rule of a view is stored as a parse tree, which is some ten times as long as its SQL.
WITH member AS (
    SELECT dependency.classid AS classid,
           dependency.objid AS oid
    FROM pg_catalog.pg_depend AS dependency
    WHERE dependency.deptype = 'e'
),
found AS (
    SELECT relation.oid AS oid,
           CASE WHEN relation.relkind = 'v' THEN 'view' ELSE 'materialized view' END AS kind,
           relation.relnamespace AS namespace_oid,
           relation.relname AS name,
           pg_catalog.octet_length(rule.ev_action::pg_catalog.text) / 10 AS size
    FROM pg_catalog.pg_class AS relation
    JOIN pg_catalog.pg_rewrite AS rule ON rule.ev_class = relation.oid AND rule.rulename = '_RETURN'
    WHERE relation.relkind IN ('v', 'm')
      AND relation.relpersistence <> 't'
      AND NOT EXISTS (
          SELECT FROM member WHERE member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND member.oid = relation.oid
      )
    UNION ALL
    SELECT function.oid,
           'function',
           function.pronamespace,
           function.proname,
           pg_catalog.octet_length(function.prosrc) + coalesce(pg_catalog.octet_length(function.prosqlbody::pg_catalog.text) / 10, 0)
    FROM pg_catalog.pg_proc AS function
    JOIN pg_catalog.pg_language AS language ON language.oid = function.prolang
    WHERE language.lanname IN ('sql', 'plpgsql')
      AND function.prokind IN ('f', 'p')
      AND NOT EXISTS (
          SELECT FROM member WHERE member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND member.oid = function.oid
      )
)
SELECT found.oid AS oid,
       found.kind AS kind,
       namespace.nspname AS schema,
       found.name AS name,
       found.size AS size
FROM found
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = found.namespace_oid
WHERE namespace.nspname !~ '^pg_'
  AND namespace.nspname NOT IN ('information_schema', 'holdfast')
ORDER BY found.size, namespace.nspname, found.name, found.oid;

-- name: read_views
-- The SQL of the given views. To print it, PostgreSQL takes ACCESS SHARE on every table that a view reads.
SELECT relation.oid AS oid,
       pg_catalog.pg_get_viewdef(relation.oid, true) AS sql
FROM pg_catalog.pg_class AS relation
WHERE relation.oid = ANY ($1::pg_catalog.oid[]);

-- name: read_functions
-- The bodies of the given functions.
SELECT function.oid AS oid,
       coalesce(pg_catalog.pg_get_function_sqlbody(function.oid), function.prosrc) AS sql
FROM pg_catalog.pg_proc AS function
WHERE function.oid = ANY ($1::pg_catalog.oid[]);
