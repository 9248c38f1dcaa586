-- name: blockers
-- Whom a backend waits for. Parameters: its pid, whether to tell queries.
SELECT
  activity.pid,
  coalesce(nullif(activity.application_name, ''), activity.backend_type, 'unnamed') AS application,
  coalesce(extract(epoch FROM clock_timestamp() - coalesce(activity.xact_start, activity.query_start)), 0)::bigint AS age_seconds,
  CASE WHEN $2::boolean THEN left(activity.query, 1000) ELSE '' END AS query,
  activity.backend_type = 'autovacuum worker' AND activity.query NOT LIKE '%(to prevent wraparound)%' AS yields
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.pid = ANY (pg_catalog.pg_blocking_pids($1))
UNION ALL
-- pg_blocking_pids says 0 for a transaction that is prepared and so belongs to no backend; which one, it does not say.
SELECT 0, 'prepared transaction ' || prepared.gid, extract(epoch FROM clock_timestamp() - prepared.prepared)::bigint, '', false
FROM pg_catalog.pg_prepared_xacts AS prepared
WHERE prepared.database = pg_catalog.current_database() AND 0 = ANY (pg_catalog.pg_blocking_pids($1))
ORDER BY 3 DESC;

-- name: blockers_of_application
-- Whom the sessions of an application wait for. Parameters: its application_name, whether to tell queries.
SELECT
  activity.pid,
  coalesce(nullif(activity.application_name, ''), activity.backend_type, 'unnamed') AS application,
  coalesce(extract(epoch FROM clock_timestamp() - coalesce(activity.xact_start, activity.query_start)), 0)::bigint AS age_seconds,
  CASE WHEN $2::boolean THEN left(activity.query, 1000) ELSE '' END AS query,
  false AS yields
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.pid IN (
  SELECT unnest(pg_catalog.pg_blocking_pids(waiting.pid))
  FROM pg_catalog.pg_stat_activity AS waiting
  WHERE waiting.application_name = $1 AND waiting.wait_event_type = 'Lock' AND waiting.datname = pg_catalog.current_database()
)
ORDER BY 3 DESC;

-- name: holders
-- Who holds a lock on tables, or on partitions of them, that conflicts with ours; age_seconds is NULL where the role may not know it.
-- Parameters, in parallel: table, lock mode; then whether snapshots in this database count, too; sessions to leave out; whether to
-- tell queries.
WITH wanted AS (
  SELECT DISTINCT tree.relation, pair.mode
  FROM unnest($1::text[], $2::text[]) AS pair (name, mode)
  CROSS JOIN LATERAL (
    SELECT pg_catalog.to_regclass(pair.name)::oid
    UNION
    SELECT relid::oid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(pair.name))) AS tree (relation)
),
found AS (
  SELECT held.pid, held.virtualtransaction
  FROM pg_catalog.pg_locks AS held
  JOIN wanted ON wanted.relation = held.relation AND wanted.mode = held.mode
  WHERE held.locktype = 'relation' AND held.granted
    AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  UNION
  SELECT activity.pid, NULL
  FROM pg_catalog.pg_stat_activity AS activity
  WHERE $3::boolean AND activity.datname = pg_catalog.current_database() AND activity.backend_xmin IS NOT NULL
    AND activity.backend_type <> 'autovacuum worker'
),
-- A prepared transaction holds its locks without a backend; what it has of its own is its transaction id.
prepared AS (
  SELECT own.virtualtransaction, transaction.gid, transaction.prepared
  FROM pg_catalog.pg_prepared_xacts AS transaction
  JOIN pg_catalog.pg_locks AS own ON own.locktype = 'transactionid' AND own.transactionid = transaction.transaction AND own.pid IS NULL
)
SELECT
  coalesce(found.pid, 0) AS pid,
  max(found.virtualtransaction) AS transaction,
  coalesce('prepared transaction ' || prepared.gid, nullif(activity.application_name, ''), activity.backend_type, 'unnamed') AS application,
  extract(epoch FROM clock_timestamp() - coalesce(prepared.prepared, activity.xact_start))::float8 AS age_seconds,
  CASE WHEN $5::boolean THEN coalesce(left(activity.query, 1000), '') ELSE '' END AS query,
  coalesce(activity.backend_type = 'autovacuum worker' AND activity.query NOT LIKE '%(to prevent wraparound)%', false) AS yields
FROM found
LEFT JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = found.pid
LEFT JOIN prepared ON found.pid IS NULL AND found.virtualtransaction = prepared.virtualtransaction
WHERE coalesce(found.pid, 0) <> ALL ($4::int[])
GROUP BY 1, 3, 4, 5, 6;

-- name: building
-- How far a backend's concurrent build is.
SELECT phase, blocks_done, blocks_total, tuples_done, tuples_total
FROM pg_catalog.pg_stat_progress_create_index
WHERE pid = $1;
