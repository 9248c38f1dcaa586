-- name: saved_tables
-- Tables of which the backup of a plan holds rows to put back.
SELECT DISTINCT saved.table_schema, saved.table_name
FROM holdfast.backup AS saved
JOIN holdfast.ledger AS entry ON entry.id = saved.batch
WHERE entry.plan_id = $1 AND saved.restored_by IS NULL
ORDER BY 1, 2;
