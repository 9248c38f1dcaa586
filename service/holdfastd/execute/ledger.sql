-- name: write_target
-- Remember which database this ledger belongs to; a copy of another database's ledger is taken over.
INSERT INTO holdfast.target (system_identifier, database_oid)
VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid;

-- name: read_target
-- Which database this ledger says it belongs to.
SELECT system_identifier, database_oid
FROM holdfast.target;

-- name: write_fence
-- From now on only this job in this epoch may write.
INSERT INTO holdfast.fence (job_id, epoch)
VALUES ($1, $2)
ON CONFLICT (only_row) DO UPDATE SET job_id = EXCLUDED.job_id, epoch = EXCLUDED.epoch;

-- name: worked_later
-- What the ledger knows of the time after this job, in this epoch: another job that wrote after it, or a later epoch of itself.
SELECT entry.job_id, entry.epoch
FROM holdfast.ledger AS entry
WHERE (entry.job_id = $1 AND entry.epoch > $2)
   OR (entry.job_id <> $1 AND entry.entry <> 'PURGED' AND entry.id > (SELECT max(own.id) FROM holdfast.ledger AS own WHERE own.job_id = $1))
ORDER BY entry.id DESC
LIMIT 1;

-- name: hold_fence
-- Is it still us? Keeps it so until the transaction ends.
SELECT true
FROM holdfast.fence
WHERE job_id = $1 AND epoch = $2
FOR SHARE;

-- name: write_entry
-- Add one entry and return its id.
INSERT INTO holdfast.ledger (plan_id, job_id, epoch, step, entry, row_count)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id;

-- name: end_begun
-- A crash came between the effect of a step and its DONE, which is written now; one that was not begun gets none.
INSERT INTO holdfast.ledger (plan_id, job_id, epoch, step, entry, row_count)
SELECT $1, $2, $3, $4, 'DONE', (
  SELECT coalesce(sum(batch.row_count), 0)
  FROM holdfast.ledger AS batch
  WHERE batch.plan_id = $1 AND batch.job_id = $2 AND batch.step = $4 AND batch.entry = 'BATCH')
WHERE (
  SELECT last.entry
  FROM holdfast.ledger AS last
  WHERE last.plan_id = $1 AND last.step = $4 AND last.entry IN ('INTENT', 'DONE', 'UNDONE')
  ORDER BY last.id DESC
  LIMIT 1) = 'INTENT';

-- name: close_batch
-- Write down how many rows a batch saved.
UPDATE holdfast.ledger
SET row_count = $2
WHERE id = $1;

-- name: drop_batch
-- A batch that found nothing leaves no trace.
DELETE FROM holdfast.ledger
WHERE id = $1;

-- name: saved_in_batch
-- What one batch saved: rows to delete, rows to change, and how many of them are the orphan rows themselves.
SELECT
  count(*) FILTER (WHERE action = 'DELETE') AS deletes,
  count(*) FILTER (WHERE action = 'UPDATE') AS updates,
  count(*) FILTER (WHERE via = 0) AS orphans
FROM holdfast.backup
WHERE batch = $1;

-- name: saved_addresses
-- Where the rows were that one batch saved so far.
SELECT coalesce(array_agg(row_id::text), '{}')
FROM holdfast.backup
WHERE batch = $1;

-- name: changed_so_far
-- Rows that this transaction deleted and updated, cascades and triggers included, our own tables aside.
SELECT
  coalesce(sum(n_tup_del), 0)::bigint AS deletes,
  coalesce(sum(n_tup_upd), 0)::bigint AS updates,
  pg_catalog.current_setting('track_counts')::boolean AS are_counted
FROM pg_catalog.pg_stat_xact_user_tables
WHERE schemaname <> 'holdfast';

-- name: rows_of_step
-- Rows of the batches of a step, those left out that were put back.
SELECT coalesce(sum(batch.row_count), 0)::bigint
FROM holdfast.ledger AS batch
WHERE batch.plan_id = $1 AND batch.step = $2 AND batch.entry = 'BATCH'
  AND NOT EXISTS (
    SELECT FROM holdfast.ledger AS later
    WHERE later.plan_id = $1 AND later.step = $2 AND later.entry IN ('UNDONE', 'RESTORED') AND later.id > batch.id);

-- name: steps_begun
-- Steps of a plan that were begun and not undone since.
SELECT DISTINCT entry.step
FROM holdfast.ledger AS entry
WHERE entry.plan_id = $1 AND entry.entry = 'INTENT'
  AND NOT EXISTS (
    SELECT FROM holdfast.ledger AS later
    WHERE later.plan_id = entry.plan_id AND later.step = entry.step AND later.entry = 'UNDONE' AND later.id > entry.id);

-- name: batches_to_restore
-- Batches of a plan that hold rows to put back, the last one first.
SELECT entry.id, entry.step, entry.row_count
FROM holdfast.ledger AS entry
WHERE entry.plan_id = $1 AND entry.entry = 'BATCH'
  AND EXISTS (SELECT FROM holdfast.backup AS saved WHERE saved.batch = entry.id AND saved.restored_by IS NULL)
ORDER BY entry.id DESC;

-- name: damaged_batches
-- Batches of a plan whose backup no longer holds as many rows as they saved, purged ones aside. purged_by is read by name: a ledger
-- that an earlier version made knows no purging.
SELECT entry.id, entry.row_count, (SELECT count(*) FROM holdfast.backup AS saved WHERE saved.batch = entry.id) AS present
FROM holdfast.ledger AS entry
WHERE entry.plan_id = $1 AND entry.entry = 'BATCH' AND pg_catalog.to_jsonb(entry.*) ->> 'purged_by' IS NULL
  AND entry.row_count <> (SELECT count(*) FROM holdfast.backup AS saved WHERE saved.batch = entry.id);

-- name: purged_rows
-- How many rows of a plan, or of some of its steps, were purged before they came back, and when the last of them.
SELECT coalesce(sum((pg_catalog.to_jsonb(entry.*) ->> 'gone_rows')::bigint), 0)::bigint AS row_count, max(purge.written_at) AS time
FROM holdfast.ledger AS entry
JOIN holdfast.ledger AS purge ON purge.id = (pg_catalog.to_jsonb(entry.*) ->> 'purged_by')::bigint
WHERE entry.plan_id = $1 AND ($2::int[] IS NULL OR entry.step = ANY ($2)) AND (pg_catalog.to_jsonb(entry.*) ->> 'gone_rows')::bigint > 0;

-- name: is_awaited
-- Does a batch hold rows that are to come back?
SELECT EXISTS (SELECT FROM holdfast.backup WHERE batch = $1 AND restored_by IS NULL);

-- name: mark_restored
-- The rows of a batch that were not back are back now.
UPDATE holdfast.backup
SET restored_by = $2
WHERE batch = $1 AND restored_by IS NULL;

-- name: count_held
-- How many rows of a batch are held back.
SELECT count(*)
FROM holdfast.backup
WHERE batch = $1 AND restored_by = 0;

-- name: settle_held
-- Rows of a batch that were held back are not to come back any more.
UPDATE holdfast.backup
SET restored_by = $2
WHERE batch = $1 AND restored_by = 0;

-- name: release
-- Rows that were held back from this restore may come back by the next.
UPDATE holdfast.backup
SET restored_by = NULL
WHERE batch = $1 AND restored_by = 0;

-- name: rows_to_restore
-- How many rows of a plan are to come back.
SELECT count(*)
FROM holdfast.ledger AS entry
JOIN holdfast.backup AS saved ON saved.batch = entry.id
WHERE entry.plan_id = $1 AND saved.restored_by IS NULL;

-- name: move_steps
-- Put the batches of some steps under another name, so that questions about a plan are about them alone. Rolled back afterwards.
UPDATE holdfast.ledger
SET plan_id = $2
WHERE plan_id = $1 AND step = ANY ($3::int[]) AND entry = 'BATCH';

-- name: backed_up_by_step
-- Rows in the backup per step of a plan, not restored yet.
SELECT entry.step, count(*) AS row_count
FROM holdfast.ledger AS entry
JOIN holdfast.backup AS saved ON saved.batch = entry.id
WHERE entry.plan_id = $1 AND saved.restored_by IS NULL
GROUP BY entry.step;
