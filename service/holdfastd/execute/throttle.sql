-- name: load
-- WAL positions, and sessions that work, ours aside. Of sessions that the role may not see: those in a transaction.
SELECT
  (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8 AS written,
  (pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8 AS flushed,
  (
    SELECT count(*)
    FROM pg_catalog.pg_stat_activity AS activity
    WHERE NOT pg_catalog.starts_with(coalesce(activity.application_name, ''), 'holdfast/')
      AND CASE
        WHEN activity.backend_type IS NOT NULL THEN activity.backend_type = 'client backend' AND activity.state = 'active'
        ELSE activity.datid IS NOT NULL AND EXISTS (
          SELECT
          FROM pg_catalog.pg_locks AS held
          WHERE held.pid = activity.pid AND held.locktype = 'virtualxid' AND held.mode = 'ExclusiveLock' AND held.granted)
      END
  ) AS active_sessions;

-- name: replicas
-- Physical replicas; a logical one confirms when it likes. Without pg_monitor everything but the pid is NULL.
SELECT
  replica.pid,
  coalesce(nullif(replica.application_name, ''), replica.pid::pg_catalog.text) AS name,
  (replica.replay_lsn - '0/0'::pg_catalog.pg_lsn)::pg_catalog.int8 AS replayed,
  coalesce(extract(epoch FROM replica.replay_lag), 0)::pg_catalog.float8 AS lag_seconds
FROM pg_catalog.pg_stat_replication AS replica
WHERE (replica.state IS NULL OR replica.replay_lsn IS NOT NULL)
  AND NOT EXISTS (
    SELECT
    FROM pg_catalog.pg_replication_slots AS slot
    WHERE slot.active_pid = replica.pid AND slot.slot_type = 'logical');
