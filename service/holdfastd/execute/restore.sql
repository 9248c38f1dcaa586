-- name: tables_of_plan
-- Tables of which the backup of a plan holds rows that are to come back, with the columns that cleanups changed in some of them.
SELECT saved.table_schema, saved.table_name, array_remove(array_agg(DISTINCT changed.name), NULL) AS changed_columns
FROM holdfast.backup AS saved
JOIN holdfast.ledger AS entry ON entry.id = saved.batch
LEFT JOIN LATERAL unnest(saved.changed_columns) AS changed (name) ON true
WHERE entry.plan_id = $1 AND saved.restored_by IS NULL
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: tables_of_batch
-- The same of one batch.
SELECT saved.table_schema, saved.table_name, array_remove(array_agg(DISTINCT changed.name), NULL) AS changed_columns
FROM holdfast.backup AS saved
LEFT JOIN LATERAL unnest(saved.changed_columns) AS changed (name) ON true
WHERE saved.batch = $1 AND saved.restored_by IS NULL
GROUP BY 1, 2
ORDER BY 1, 2;
