-- name: list_column_statistics
-- What the server last noted about the given columns (table OIDs and column numbers, in pairs) and their tables; reads no user table.
-- A role that may not read a column sees nothing of it in pg_stats. The histogram of an integer begins and ends with its extremes.
SELECT wanted.relation AS relation,
       wanted.number AS number,
       relation.reltuples::pg_catalog.float8 AS rows,
       relation.relpages AS pages,
       least(relation.relallvisible::pg_catalog.float8 / greatest(relation.relpages, 1), 1) AS visible,
       coalesce(noted.null_frac, 0)::pg_catalog.float8 AS null_share,
       coalesce(CASE WHEN noted.n_distinct < 0 THEN -noted.n_distinct * greatest(relation.reltuples, 0) ELSE noted.n_distinct END, 0)
           ::pg_catalog.float8 AS distinct_values,
       CASE WHEN attribute.atttypid IN (20, 21, 23) THEN noted.bounds[1]::pg_catalog.int8 END AS lowest,
       CASE WHEN attribute.atttypid IN (20, 21, 23) THEN noted.bounds[pg_catalog.array_upper(noted.bounds, 1)]::pg_catalog.int8 END AS highest,
       ARRAY(
           SELECT index.indexrelid::pg_catalog.int8
           FROM pg_catalog.pg_index AS index
           JOIN pg_catalog.pg_class AS its_relation ON its_relation.oid = index.indexrelid
           JOIN pg_catalog.pg_am AS method ON method.oid = its_relation.relam
           JOIN pg_catalog.pg_opclass AS class ON class.oid = index.indclass[0]
           WHERE index.indrelid = wanted.relation
             AND index.indkey[0] = wanted.number
             AND index.indisvalid
             AND index.indisready
             AND index.indpred IS NULL
             AND method.amname = 'btree'
             AND class.opcdefault
             AND index.indcollation[0] = attribute.attcollation
             -- Ascending with nulls last, or its mirror: what ORDER BY without more words can walk.
             AND index.indoption[0] IN (0, 3)
       ) AS ordered_indexes
FROM unnest($1::pg_catalog.oid[], $2::pg_catalog.int2[]) AS wanted (relation, number)
JOIN pg_catalog.pg_class AS relation ON relation.oid = wanted.relation
JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = wanted.relation AND attribute.attnum = wanted.number
LEFT JOIN LATERAL (
    SELECT statistic.null_frac,
           statistic.n_distinct,
           CASE WHEN attribute.atttypid IN (20, 21, 23) THEN statistic.histogram_bounds::pg_catalog.text::pg_catalog.text[] END AS bounds
    FROM pg_catalog.pg_stats AS statistic
    WHERE statistic.schemaname = namespace.nspname
      AND statistic.tablename = relation.relname
      AND statistic.attname = attribute.attname
      AND NOT statistic.inherited
) AS noted ON true;
