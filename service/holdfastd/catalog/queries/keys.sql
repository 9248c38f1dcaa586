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
       ARRAY(
           SELECT coalesce(attribute.attcollation = part.collation_oid, true)
           FROM ROWS FROM (pg_catalog.unnest(index_.indcollation::pg_catalog.oid[]), pg_catalog.unnest(index_.indkey::pg_catalog.int2[]))
               WITH ORDINALITY AS part (collation_oid, number, place)
           LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index_.indrelid AND attribute.attnum = part.number
           WHERE part.place <= index_.indnkeyatts
           ORDER BY part.place
       ) AS own_collations,
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
-- Names of all constraints of the given tables, and the SQL of their CHECK and exclusion constraints.
SELECT constraint_.conrelid AS table_oid,
       constraint_.conname AS name,
       CASE WHEN constraint_.contype = 'c' THEN pg_catalog.pg_get_constraintdef(constraint_.oid) END AS check_sql,
       CASE WHEN constraint_.contype = 'x' THEN pg_catalog.pg_get_constraintdef(constraint_.oid) END AS exclusion_sql
FROM pg_catalog.pg_constraint AS constraint_
WHERE constraint_.conrelid = ANY ($1::pg_catalog.oid[])
ORDER BY constraint_.conrelid, constraint_.conname;

-- name: list_foreign_keys
-- Foreign keys of the given tables that point at given tables, and the given keys of partitions; what partitions inherit is left out.
-- conenforced came with 18 and confdelsetcols with 15: read by name from the JSON form, so that one query serves all versions.
SELECT fk.conrelid AS table_oid,
       fk.confrelid AS referenced_oid,
       fk.oid AS oid,
       fk.conname AS name,
       named.referencing_columns AS referencing_columns,
       named.referenced_columns AS referenced_columns,
       fk.confdeltype::pg_catalog.text AS on_delete,
       fk.confupdtype::pg_catalog.text AS on_update,
       fk.confmatchtype::pg_catalog.text AS match,
       fk.convalidated AS validated,
       coalesce((json.fields ->> 'conenforced')::pg_catalog.bool, true) AS enforced,
       fk.condeferrable AS deferrable,
       fk.condeferred AS deferred,
       fk.conparentid <> 0 AS is_inherited,
       fk.conpfeqop AS operators,
       ARRAY(
           SELECT attribute.attname::pg_catalog.text
           FROM pg_catalog.jsonb_array_elements_text(nullif(json.fields -> 'confdelsetcols', 'null')) WITH ORDINALITY AS chosen (number, place)
           JOIN pg_catalog.pg_attribute AS attribute
               ON attribute.attrelid = fk.conrelid AND attribute.attnum = chosen.number::pg_catalog.int2
           ORDER BY chosen.place
       ) AS set_null_columns,
       NOT EXISTS (
           SELECT FROM pg_catalog.pg_trigger AS trigger_
           WHERE trigger_.tgconstraint = fk.oid
             AND trigger_.tgenabled NOT IN ('O', 'A')
       ) AS triggers_enabled,
       CASE WHEN fk.convalidated AND NOT relation.relispartition THEN '' ELSE pg_catalog.pg_get_constraintdef(fk.oid) END AS definition,
       CASE WHEN fk.convalidated AND NOT relation.relispartition THEN '' ELSE coalesce(pg_catalog.obj_description(fk.oid, 'pg_constraint'), '') END AS comment
FROM pg_catalog.pg_constraint AS fk
JOIN pg_catalog.pg_class AS relation ON relation.oid = fk.conrelid
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(fk) AS fields) AS json
CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(referencing.attname::pg_catalog.text ORDER BY pair.place) AS referencing_columns,
           pg_catalog.array_agg(referenced.attname::pg_catalog.text ORDER BY pair.place) AS referenced_columns
    FROM ROWS FROM (pg_catalog.unnest(fk.conkey), pg_catalog.unnest(fk.confkey)) WITH ORDINALITY
        AS pair (referencing_number, referenced_number, place)
    JOIN pg_catalog.pg_attribute AS referencing
        ON referencing.attrelid = fk.conrelid AND referencing.attnum = pair.referencing_number
    JOIN pg_catalog.pg_attribute AS referenced
        ON referenced.attrelid = fk.confrelid AND referenced.attnum = pair.referenced_number
) AS named
WHERE fk.contype = 'f'
  AND (fk.conparentid = 0 AND fk.conrelid = ANY ($1::pg_catalog.oid[]) OR fk.oid = ANY ($2::pg_catalog.oid[]))
  AND fk.confrelid = ANY ($1::pg_catalog.oid[])
ORDER BY fk.conrelid, fk.conname;

-- name: list_partitions
-- Leaf partitions of those given tables of which one has a foreign key that does not come from the root, with the OIDs of such keys.
-- A key that points at a partitioned table is there once more per partition of that: those rows have a parent on the same table.
WITH RECURSIVE inherited (oid) AS (
    SELECT fk.oid
    FROM pg_catalog.pg_constraint AS fk
    JOIN pg_catalog.pg_class AS root ON root.oid = fk.conrelid AND root.relkind = 'p'
    WHERE fk.contype = 'f'
      AND fk.conrelid = ANY ($1::pg_catalog.oid[])
    UNION
    SELECT fk.oid
    FROM inherited
    JOIN pg_catalog.pg_constraint AS fk ON fk.conparentid = inherited.oid
),
leaf AS (
    SELECT root.oid AS root_oid,
           node.relid::pg_catalog.oid AS oid
    FROM pg_catalog.pg_class AS root
    CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid) AS node
    WHERE root.relkind = 'p'
      AND root.oid = ANY ($1::pg_catalog.oid[])
      AND node.isleaf
      AND node.relid <> root.oid
),
own AS (
    SELECT leaf.root_oid AS root_oid,
           leaf.oid AS leaf_oid,
           pg_catalog.array_agg(fk.oid) AS key_oids
    FROM leaf
    JOIN pg_catalog.pg_constraint AS fk ON fk.conrelid = leaf.oid AND fk.contype = 'f'
    LEFT JOIN pg_catalog.pg_constraint AS parent ON parent.oid = fk.conparentid
    WHERE parent.conrelid IS DISTINCT FROM fk.conrelid
      AND NOT EXISTS (SELECT FROM inherited WHERE inherited.oid = fk.oid)
    GROUP BY leaf.root_oid, leaf.oid
)
SELECT leaf.root_oid AS table_oid,
       leaf.oid AS oid,
       namespace.nspname AS schema,
       relation.relname AS name,
       coalesce(own.key_oids, '{}') AS key_oids
FROM leaf
JOIN pg_catalog.pg_class AS relation ON relation.oid = leaf.oid
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
LEFT JOIN own ON own.leaf_oid = leaf.oid
WHERE leaf.root_oid IN (SELECT own.root_oid FROM own)
ORDER BY leaf.root_oid, namespace.nspname, relation.relname;
