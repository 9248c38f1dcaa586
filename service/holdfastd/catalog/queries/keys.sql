-- name: list_indexes
-- Indexes of the given tables; key and included columns as attribute numbers, 0 for an expression.
-- Columns that newer versions added to pg_index are read by name from its JSON form, so that one query serves all versions.
SELECT index_.indrelid AS table_oid,
       index_.indexrelid AS oid,
       relation.relname AS name,
       method.amname AS method,
       index_.indkey::pg_catalog.int2[] AS columns,
       index_.indnkeyatts AS key_count,
       index_.indclass::pg_catalog.oid[] AS operator_classes,
       index_.indisunique AS is_unique,
       index_.indisprimary AS is_primary,
       index_.indisvalid AND index_.indisready AND index_.indislive AS is_usable,
       index_.indimmediate AS is_immediate,
       coalesce((pg_catalog.to_jsonb(index_) ->> 'indnullsnotdistinct')::pg_catalog.bool, false) AS nulls_not_distinct,
       pg_catalog.pg_get_expr(index_.indpred, index_.indrelid) AS predicate,
       coalesce(constraint_.conname, '') AS constraint_name,
       pg_catalog.pg_get_indexdef(index_.indexrelid) AS definition
FROM pg_catalog.pg_index AS index_
JOIN pg_catalog.pg_class AS relation ON relation.oid = index_.indexrelid
JOIN pg_catalog.pg_am AS method ON method.oid = relation.relam
LEFT JOIN pg_catalog.pg_constraint AS constraint_
    ON constraint_.conindid = index_.indexrelid
   AND constraint_.conrelid = index_.indrelid
   AND constraint_.contype IN ('p', 'u')
WHERE index_.indrelid = ANY ($1::pg_catalog.oid[])
ORDER BY index_.indrelid, relation.relname;

-- name: list_constraints
-- Names of all constraints of the given tables, and the SQL of their CHECK constraints.
SELECT constraint_.conrelid AS table_oid,
       constraint_.conname AS name,
       CASE WHEN constraint_.contype = 'c' THEN pg_catalog.pg_get_constraintdef(constraint_.oid) END AS check_sql
FROM pg_catalog.pg_constraint AS constraint_
WHERE constraint_.conrelid = ANY ($1::pg_catalog.oid[])
ORDER BY constraint_.conrelid, constraint_.conname;

-- name: list_foreign_keys
-- Foreign keys between the given tables; the copies that partitions inherit are left out.
-- conenforced came with 18 and confdelsetcols with 15: read by name from the JSON form, so that one query serves all versions.
SELECT fk.conrelid AS table_oid,
       fk.confrelid AS referenced_oid,
       fk.oid AS oid,
       fk.conname AS name,
       fk.conkey AS referencing_columns,
       fk.confkey AS referenced_columns,
       fk.confdeltype::pg_catalog.text AS on_delete,
       fk.confupdtype::pg_catalog.text AS on_update,
       fk.confmatchtype::pg_catalog.text AS match,
       fk.convalidated AS validated,
       coalesce((pg_catalog.to_jsonb(fk) ->> 'conenforced')::pg_catalog.bool, true) AS enforced,
       fk.condeferrable AS deferrable,
       fk.conpfeqop AS operators,
       ARRAY(
           SELECT pg_catalog.jsonb_array_elements_text(nullif(pg_catalog.to_jsonb(fk) -> 'confdelsetcols', 'null'))::pg_catalog.int2
       ) AS set_null_columns,
       NOT EXISTS (
           SELECT FROM pg_catalog.pg_trigger AS trigger_
           WHERE trigger_.tgconstraint = fk.oid
             AND trigger_.tgenabled NOT IN ('O', 'A')
       ) AS triggers_enabled
FROM pg_catalog.pg_constraint AS fk
WHERE fk.contype = 'f'
  AND fk.conparentid = 0
  AND fk.conrelid = ANY ($1::pg_catalog.oid[])
  AND fk.confrelid = ANY ($1::pg_catalog.oid[])
ORDER BY fk.conrelid, fk.conname;
