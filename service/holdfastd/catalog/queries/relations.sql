-- name: list_tables
-- Tables that Holdfast looks at: this is the only place that tells them from system, temporary and extension tables and partitions.
-- A partition or an extension's table comes along only when a key of an ordinary table points at it; partitions also when asked
-- for, with their whole trees ($1). Sizes are those of the last
-- VACUUM or ANALYZE: asking the file system would wait for the locks of whoever rewrites a table just now.
WITH member AS (
    SELECT dependency.objid AS oid
    FROM pg_catalog.pg_depend AS dependency
    WHERE dependency.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND dependency.deptype = 'e'
),
pointed_at AS (
    SELECT fk.confrelid AS oid
    FROM pg_catalog.pg_constraint AS fk
    JOIN pg_catalog.pg_class AS referencing ON referencing.oid = fk.conrelid
    WHERE fk.contype = 'f'
      AND fk.conparentid = 0
      AND NOT referencing.relispartition
      AND NOT EXISTS (SELECT FROM member WHERE member.oid = referencing.oid)
)
SELECT relation.oid AS oid,
       namespace.nspname AS schema,
       relation.relname AS name,
       relation.relkind::pg_catalog.text AS kind,
       relation.relnatts::pg_catalog.int4 AS width,
       CASE WHEN relation.relkind = 'p' THEN leaves.row_estimate ELSE relation.reltuples END::pg_catalog.float8 AS row_estimate,
       CASE WHEN relation.relkind = 'p' THEN leaves.pages ELSE relation.relpages + coalesce(toast.relpages, 0) END::pg_catalog.int8
           * pg_catalog.current_setting('block_size')::pg_catalog.int8 AS size_bytes,
       coalesce(pg_catalog.obj_description(relation.oid, 'pg_class'), '') AS comment,
       relation.relpersistence::pg_catalog.text AS persistence,
       relation.relrowsecurity AS row_security,
       relation.relkind <> 'p' AND NOT relation.relispartition AND EXISTS (
           SELECT FROM pg_catalog.pg_inherits AS inheritance WHERE relation.oid IN (inheritance.inhrelid, inheritance.inhparent)
       ) AS inherits,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite AS rule WHERE rule.ev_class = relation.oid AND rule.rulename <> '_RETURN') AS has_rules,
       pg_catalog.pg_get_userbyid(relation.relowner) AS owner,
       relation.relispartition OR EXISTS (SELECT FROM member WHERE member.oid = relation.oid) AS only_referenced
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = relation.reltoastrelid
LEFT JOIN LATERAL (
    SELECT CASE
               WHEN bool_or(leaf.reltuples >= 0) OR count(leaf.oid) = 0 THEN coalesce(sum(greatest(leaf.reltuples, 0)), 0)
               ELSE -1
           END AS row_estimate,
           coalesce(sum(leaf.relpages + coalesce(leaf_toast.relpages, 0)), 0) AS pages
    FROM pg_catalog.pg_partition_tree(relation.oid) AS node
    JOIN pg_catalog.pg_class AS leaf ON leaf.oid = node.relid
    LEFT JOIN pg_catalog.pg_class AS leaf_toast ON leaf_toast.oid = leaf.reltoastrelid
    WHERE node.isleaf
      AND leaf.relkind <> 'p'
) AS leaves ON relation.relkind = 'p'
WHERE relation.relkind IN ('r', 'p', 'f')
  AND relation.relpersistence <> 't'
  AND namespace.nspname !~ '^pg_'
  AND namespace.nspname NOT IN ('information_schema', 'holdfast')
  AND (
      NOT relation.relispartition AND NOT EXISTS (SELECT FROM member WHERE member.oid = relation.oid)
      OR EXISTS (SELECT FROM pointed_at WHERE pointed_at.oid = relation.oid)
      OR $1::pg_catalog.bool AND relation.relispartition
  )
ORDER BY namespace.nspname, relation.relname;

-- name: list_relation_names
-- All names taken in the schemas of the given tables: tables, indexes, sequences, views and composite types share one name space.
SELECT namespace.nspname AS schema,
       pg_catalog.array_agg(relation.relname::pg_catalog.text) AS names
FROM pg_catalog.pg_class AS relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.oid IN (
    SELECT chosen.relnamespace FROM pg_catalog.pg_class AS chosen WHERE chosen.oid = ANY ($1::pg_catalog.oid[])
)
GROUP BY namespace.nspname;

-- name: list_columns
-- Columns of the given tables in their order; the default of a generated column is its expression.
-- An ordinary default speaks of no column, so it is printed without naming its table, which would be locked for the moment.
SELECT attribute.attrelid AS table_oid,
       attribute.attname AS name,
       attribute.attnum AS number,
       attribute.atttypid AS type_oid,
       pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) AS formatted,
       attribute.attnotnull AS not_null,
       pg_catalog.pg_get_expr(
           expression.adbin, CASE WHEN attribute.attgenerated = '' THEN 0 ELSE expression.adrelid END
       ) AS default_expression,
       attribute.attgenerated::pg_catalog.text AS generated,
       attribute.attidentity::pg_catalog.text AS identity,
       collation_namespace.nspname AS collation_schema,
       collation_.collname AS collation_name,
       coalesce(collation_.collisdeterministic, true) AS is_deterministic,
       coalesce(pg_catalog.col_description(attribute.attrelid, attribute.attnum), '') AS comment
FROM pg_catalog.pg_attribute AS attribute
LEFT JOIN pg_catalog.pg_attrdef AS expression ON expression.adrelid = attribute.attrelid AND expression.adnum = attribute.attnum
LEFT JOIN pg_catalog.pg_collation AS collation_ ON collation_.oid = attribute.attcollation
LEFT JOIN pg_catalog.pg_namespace AS collation_namespace ON collation_namespace.oid = collation_.collnamespace
WHERE attribute.attrelid = ANY ($1::pg_catalog.oid[])
  AND attribute.attnum > 0
  AND NOT attribute.attisdropped
ORDER BY attribute.attrelid, attribute.attnum;

-- name: list_sequences
-- Sequences that columns of the given tables own: those of serial and identity columns.
SELECT dependency.refobjid AS table_oid,
       dependency.refobjsubid AS number,
       namespace.nspname AS schema,
       relation.relname AS name,
       sequence.seqstart AS start,
       sequence.seqincrement AS increment,
       sequence.seqmin AS minimum,
       sequence.seqmax AS maximum,
       sequence.seqcache AS cache,
       sequence.seqcycle AS cycles
FROM pg_catalog.pg_sequence AS sequence
JOIN pg_catalog.pg_depend AS dependency
    ON dependency.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND dependency.objid = sequence.seqrelid
   AND dependency.objsubid = 0
   AND dependency.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND dependency.deptype IN ('a', 'i')
JOIN pg_catalog.pg_class AS relation ON relation.oid = sequence.seqrelid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE dependency.refobjid = ANY ($1::pg_catalog.oid[])
ORDER BY dependency.refobjid, dependency.refobjsubid;

-- name: list_triggers
-- User triggers of the given tables; the server's own (of foreign keys, say) are left out.
SELECT trigger_.tgrelid AS table_oid,
       trigger_.tgname AS name,
       trigger_.tgenabled IN ('O', 'A') AS enabled,
       trigger_.tgtype AS type_bits
FROM pg_catalog.pg_trigger AS trigger_
WHERE trigger_.tgrelid = ANY ($1::pg_catalog.oid[])
  AND NOT trigger_.tgisinternal
ORDER BY trigger_.tgrelid, trigger_.tgname;

-- name: list_partition_places
-- Where the given tables stand in their partition trees: parent and bound of a partition, key columns of a partitioned table.
-- The columns of an expression in the key are those that the table itself depends on.
SELECT relation.oid AS oid,
       inheritance.inhparent AS parent_oid,
       coalesce(pg_catalog.pg_get_expr(relation.relpartbound, relation.oid), '') AS bound,
       ARRAY(
           SELECT attribute.attname::pg_catalog.text
           FROM pg_catalog.pg_attribute AS attribute
           WHERE attribute.attrelid = relation.oid
             AND (attribute.attnum = ANY (key.partattrs::pg_catalog.int2[]) OR key.partexprs IS NOT NULL AND EXISTS (
                 SELECT FROM pg_catalog.pg_depend AS dependency
                 WHERE dependency.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND dependency.objid = relation.oid
                   AND dependency.objsubid = 0
                   AND dependency.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND dependency.refobjid = relation.oid
                   AND dependency.refobjsubid = attribute.attnum
             ))
           ORDER BY attribute.attnum
       ) AS key_columns
FROM pg_catalog.pg_class AS relation
LEFT JOIN pg_catalog.pg_inherits AS inheritance ON inheritance.inhrelid = relation.oid AND relation.relispartition
LEFT JOIN pg_catalog.pg_partitioned_table AS key ON key.partrelid = relation.oid
WHERE relation.oid = ANY ($1::pg_catalog.oid[])
  AND (relation.relispartition OR relation.relkind = 'p')
ORDER BY relation.oid;
