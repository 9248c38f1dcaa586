-- name: list_backups
-- Plans that saved rows here, the last one to do so first: where each stands in the ledger, when it saved and when it was purged.
SELECT
  batch.plan_id,
  max(batch.id) AS position,
  min(batch.written_at) AS first_time,
  max(batch.written_at) AS last_time,
  (SELECT max(purge.written_at) FROM holdfast.ledger AS purge WHERE purge.plan_id = batch.plan_id AND purge.entry = 'PURGED') AS purge_time
FROM holdfast.ledger AS batch
WHERE batch.entry = 'BATCH' AND ($1 = '' OR batch.plan_id = $1)
GROUP BY batch.plan_id
HAVING $2::bigint = 0 OR max(batch.id) < $2::bigint
ORDER BY max(batch.id) DESC
LIMIT $3;

-- name: count_rows
-- Rows in the backup of some plans, per plan and table: those that are not back, and those that are.
SELECT
  entry.plan_id,
  saved.table_schema,
  saved.table_name,
  count(*) FILTER (WHERE saved.restored_by IS NULL) AS kept,
  count(*) FILTER (WHERE saved.restored_by IS NOT NULL) AS restored
FROM holdfast.backup AS saved
JOIN holdfast.ledger AS entry ON entry.id = saved.batch
WHERE entry.plan_id = ANY ($1::text[])
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: read_clock
-- What the clock of this server shows.
SELECT clock_timestamp();

-- name: take_lock
-- Take, until the transaction ends, the lock that every job holds which changes this database; false when one holds it.
SELECT pg_try_advisory_xact_lock($1, $2);

-- name: batches_to_purge
-- The first batches of a plan, up to a place in the ledger, that hold so many rows or fewer; at least one.
SELECT id
FROM (
  SELECT entry.id, sum(entry.row_count) OVER (ORDER BY entry.id) - entry.row_count AS rows_before
  FROM holdfast.ledger AS entry
  WHERE entry.plan_id = $1 AND entry.entry = 'BATCH' AND entry.id <= $2
    AND EXISTS (SELECT FROM holdfast.backup AS saved WHERE saved.batch = entry.id)
) AS summed
WHERE rows_before < $3
ORDER BY id;

-- name: purge_batches
-- Delete the rows of some batches; write down what went, and of each batch how many rows had not come back. Returns how many went.
WITH deleted AS (
  DELETE FROM holdfast.backup WHERE batch = ANY ($2::bigint[]) RETURNING batch, restored_by
),
entry AS (
  INSERT INTO holdfast.ledger (plan_id, step, entry, row_count)
  SELECT $1, 0, 'PURGED', count(*) FROM deleted
  RETURNING id, row_count
),
counted AS (
  SELECT batch, count(*) FILTER (WHERE restored_by IS NULL) AS gone FROM deleted GROUP BY batch
),
noted AS (
  UPDATE holdfast.ledger AS batch
  SET purged_by = entry.id, gone_rows = counted.gone
  FROM counted, entry
  WHERE batch.id = counted.batch
)
SELECT row_count FROM entry;
