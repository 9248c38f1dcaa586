-- name: measure_table
-- Blocks of a table and all its partitions, of the largest of them, and how many partitions are foreign.
SELECT coalesce(pg_catalog.sum(part.blocks), 0)::pg_catalog.int8 AS blocks,
       coalesce(pg_catalog.max(part.blocks), 0) AS largest,
       pg_catalog.count(*) FILTER (WHERE part.kind = 'f') AS foreign_partitions
FROM (
    SELECT relation.relkind AS kind,
           pg_catalog.pg_relation_size(relation.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8 AS blocks
    FROM (
        SELECT $1::pg_catalog.text::pg_catalog.regclass::pg_catalog.oid AS oid
        UNION
        SELECT tree.relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.text::pg_catalog.regclass) AS tree
    ) AS named
    JOIN pg_catalog.pg_class AS relation ON relation.oid = named.oid
) AS part;
