-- name: list_table_statistics
-- Rows, pages and the share of all-visible pages of the given tables, as last noted; reads no user table.
SELECT relation.oid AS oid,
       relation.reltuples::pg_catalog.float8 AS rows,
       relation.relpages AS pages,
       least(relation.relallvisible::pg_catalog.float8 / greatest(relation.relpages, 1), 1) AS visible
FROM pg_catalog.pg_class AS relation
WHERE relation.oid = ANY ($1::pg_catalog.oid[]);

-- name: list_column_statistics
-- What was last noted about columns of these names in tables of these names. A role that may not read a column sees nothing of it.
-- The histogram of an integer begins and ends with its extremes; of other types no value leaves the server.
-- Asked by name and put together by the caller: joined to anything, the view is scanned once for each row.
SELECT statistic.schemaname AS schema,
       statistic.tablename AS name,
       statistic.attname AS column,
       statistic.null_frac::pg_catalog.float8 AS null_share,
       statistic.n_distinct::pg_catalog.float8 AS distinct_values,
       CASE WHEN bounds.list[1] ~ '^-?[0-9]{1,19}$' THEN bounds.list[1] END AS lowest,
       CASE WHEN bounds.list[1] ~ '^-?[0-9]{1,19}$' THEN bounds.list[pg_catalog.array_upper(bounds.list, 1)] END AS highest,
       coalesce(pg_catalog.array_upper(bounds.list, 1), 1) - 1 AS buckets
FROM pg_catalog.pg_stats AS statistic
CROSS JOIN LATERAL (SELECT statistic.histogram_bounds::pg_catalog.text::pg_catalog.text[] AS list) AS bounds
WHERE statistic.tablename = ANY ($1::pg_catalog.name[])
  AND statistic.attname = ANY ($2::pg_catalog.name[])
  AND NOT statistic.inherited;

-- name: list_ordered_indexes
-- Whole btree indexes of the given tables that begin with a column in its own order and collation.
SELECT index.indexrelid AS oid,
       index.indrelid AS relation,
       index.indkey[0] AS number
FROM pg_catalog.pg_index AS index
JOIN pg_catalog.pg_opclass AS class ON class.oid = index.indclass[0]
JOIN pg_catalog.pg_am AS method ON method.oid = class.opcmethod
JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
WHERE index.indrelid = ANY ($1::pg_catalog.oid[])
  AND index.indisvalid
  AND index.indisready
  AND index.indpred IS NULL
  AND method.amname = 'btree'
  AND class.opcdefault
  AND index.indcollation[0] = attribute.attcollation
  -- Ascending with nulls last, or its mirror: what ORDER BY without more words can walk.
  AND index.indoption[0] IN (0, 3);
