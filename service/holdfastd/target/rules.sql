-- name: list_checks
-- CHECK constraints that a table enforces. conenforced came with 18: read by name, so that one query serves all versions.
SELECT check_.conname AS name, pg_catalog.pg_get_expr(check_.conbin, check_.conrelid) AS expression
FROM pg_catalog.pg_constraint AS check_
WHERE check_.conrelid = $1::oid AND check_.contype = 'c'
  AND coalesce((pg_catalog.to_jsonb(check_) ->> 'conenforced')::boolean, true)
ORDER BY check_.conname;

-- name: list_required
-- Columns of a table that accept no NULL.
SELECT attribute.attname AS name
FROM pg_catalog.pg_attribute AS attribute
WHERE attribute.attrelid = $1::oid AND attribute.attnum > 0 AND attribute.attnotnull AND NOT attribute.attisdropped
ORDER BY attribute.attnum;

-- name: list_uniques
-- Unique indexes and exclusion constraints of a table, columns as expressions, with the operators that tell equal keys.
SELECT
  relation.relname AS name,
  ARRAY(
    SELECT pg_catalog.pg_get_indexdef(index_.indexrelid, position, false)
    FROM pg_catalog.generate_series(1, index_.indnkeyatts) AS position ORDER BY position
  ) AS expressions,
  ARRAY(
    SELECT pg_catalog.format('OPERATOR(%I.%s)', namespace.nspname, operator_.oprname)
    FROM pg_catalog.generate_series(1, index_.indnkeyatts) AS position
    JOIN pg_catalog.pg_opclass AS class_ ON class_.oid = index_.indclass[position - 1]
    LEFT JOIN pg_catalog.pg_amop AS member
      ON member.amopfamily = class_.opcfamily AND member.amopstrategy = 3 AND member.amoppurpose = 's'
      AND member.amoplefttype = class_.opcintype AND member.amoprighttype = class_.opcintype
    JOIN pg_catalog.pg_operator AS operator_ ON operator_.oid = coalesce(exclusion.conexclop[position], member.amopopr)
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = operator_.oprnamespace
    ORDER BY position
  ) AS operators,
  coalesce(pg_catalog.pg_get_expr(index_.indpred, index_.indrelid), '') AS predicate,
  coalesce((pg_catalog.to_jsonb(index_) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
  exclusion.oid IS NOT NULL AS is_exclusion
FROM pg_catalog.pg_index AS index_
JOIN pg_catalog.pg_class AS relation ON relation.oid = index_.indexrelid
LEFT JOIN pg_catalog.pg_constraint AS exclusion
  ON exclusion.conindid = index_.indexrelid AND exclusion.conrelid = index_.indrelid AND exclusion.conexclop IS NOT NULL
WHERE index_.indrelid = $1::oid AND (index_.indisunique OR exclusion.oid IS NOT NULL) AND index_.indisready
ORDER BY relation.relname;

-- name: list_expressions
-- What is computed when a row is written: generated columns, expressions and predicates of indexes, CHECK constraints.
SELECT 'the generated column ' || attribute.attname AS owner, pg_catalog.pg_get_expr(given.adbin, given.adrelid) AS expression
FROM pg_catalog.pg_attribute AS attribute
JOIN pg_catalog.pg_attrdef AS given ON given.adrelid = attribute.attrelid AND given.adnum = attribute.attnum
WHERE attribute.attrelid = $1::oid AND attribute.attgenerated <> '' AND NOT attribute.attisdropped
UNION ALL
SELECT 'the index ' || relation.relname, pg_catalog.pg_get_indexdef(index_.indexrelid, position, false)
FROM pg_catalog.pg_index AS index_
JOIN pg_catalog.pg_class AS relation ON relation.oid = index_.indexrelid
CROSS JOIN pg_catalog.generate_series(1, index_.indnkeyatts) AS position
WHERE index_.indrelid = $1::oid AND index_.indkey[position - 1] = 0 AND index_.indisready
UNION ALL
SELECT 'the index ' || relation.relname, pg_catalog.pg_get_expr(index_.indpred, index_.indrelid)
FROM pg_catalog.pg_index AS index_
JOIN pg_catalog.pg_class AS relation ON relation.oid = index_.indexrelid
WHERE index_.indrelid = $1::oid AND index_.indpred IS NOT NULL AND index_.indisready
UNION ALL
SELECT 'the CHECK ' || check_.conname, pg_catalog.pg_get_expr(check_.conbin, check_.conrelid)
FROM pg_catalog.pg_constraint AS check_
WHERE check_.conrelid = $1::oid AND check_.contype = 'c'
  AND coalesce((pg_catalog.to_jsonb(check_) ->> 'conenforced')::boolean, true)
ORDER BY 1, 2;

-- name: list_loose_functions
-- Functions that expressions of a table call and that set no search_path of their own.
SELECT DISTINCT function_.oid::pg_catalog.regprocedure::text AS function
FROM pg_catalog.pg_depend AS needed
JOIN pg_catalog.pg_proc AS function_ ON function_.oid = needed.refobjid
JOIN pg_catalog.pg_language AS language ON language.oid = function_.prolang
WHERE needed.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND language.lanname <> ALL ('{internal,c}')
  AND NOT EXISTS (SELECT FROM unnest(function_.proconfig) AS setting WHERE pg_catalog.starts_with(setting, 'search_path='))
  AND (
    needed.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND needed.objid IN (SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = $1::oid)
    OR needed.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND needed.objid = $1::oid
    OR needed.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND needed.objid IN (SELECT oid FROM pg_catalog.pg_attrdef WHERE adrelid = $1::oid)
    OR needed.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
      AND needed.objid IN (SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid))
ORDER BY 1;
