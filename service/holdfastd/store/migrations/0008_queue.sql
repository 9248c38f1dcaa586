-- The queue: who is next, and finding what is no longer kept.

CREATE INDEX jobs_running_idx ON holdfastd.jobs (database_id) WHERE state = 'RUNNING';
CREATE INDEX jobs_queued_idx ON holdfastd.jobs (database_id, (kind = 'AUDIT'), id) WHERE state = 'QUEUED' AND NOT pause_requested;
CREATE INDEX jobs_end_time_idx ON holdfastd.jobs (end_time) WHERE end_time IS NOT NULL;
CREATE INDEX requests_create_time_idx ON holdfastd.requests (create_time);

-- How often it was given back, with nothing done in between, because its database was out of reach; and who leaves it to others until when.
ALTER TABLE holdfastd.jobs ADD COLUMN passed_on integer NOT NULL DEFAULT 0;
ALTER TABLE holdfastd.jobs ADD COLUMN passed_on_by text NOT NULL DEFAULT '';
ALTER TABLE holdfastd.jobs ADD COLUMN passed_on_until timestamptz;

-- Takes the next job: one whose worker was lost or gave it back, else a change, else an audit of the database where the fewest jobs
-- run, the oldest first. Paused jobs take no room. jobs_of_all 0: no limit; jobs_per_database: where the database itself names none.
-- A function, because the counts must be read after the lock is had, and in one statement, because a client that is stopped or cut
-- off in the middle must not keep the lock.
CREATE FUNCTION holdfastd.claim_job(
    claimer text, time_to_live interval, kinds text[], jobs_of_all integer, jobs_per_database integer
) RETURNS TABLE (job holdfastd.jobs, database text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    candidate text;
    chosen text;
BEGIN
    -- One claim at a time, so that each counts what the one before took ("hjob" in ASCII).
    PERFORM pg_advisory_xact_lock(1751805794);

    -- Its place is its own already, whatever the limits are by now.
    SELECT jobs.id INTO chosen
    FROM holdfastd.jobs
    WHERE jobs.state = 'RUNNING' AND jobs.lease_end < clock_timestamp() AND jobs.kind = ANY (kinds)
      AND NOT (jobs.passed_on_by = claimer AND jobs.passed_on_until > clock_timestamp())
    ORDER BY jobs.id
    LIMIT 1
    FOR UPDATE SKIP LOCKED;

    IF chosen IS NULL AND (
        jobs_of_all = 0
        OR (SELECT count(*) FROM holdfastd.jobs WHERE jobs.state = 'RUNNING' AND NOT jobs.pause_requested) < jobs_of_all
    ) THEN
        FOR candidate IN
            -- Only databases that wait are visited, by one look into the index each.
            WITH RECURSIVE waiting (database_id) AS (
                (
                    SELECT jobs.database_id FROM holdfastd.jobs
                    WHERE jobs.state = 'QUEUED' AND NOT jobs.pause_requested
                    ORDER BY jobs.database_id LIMIT 1
                )
                UNION ALL
                SELECT (
                    SELECT jobs.database_id FROM holdfastd.jobs
                    WHERE jobs.state = 'QUEUED' AND NOT jobs.pause_requested AND jobs.database_id > waiting.database_id
                    ORDER BY jobs.database_id LIMIT 1
                )
                FROM waiting WHERE waiting.database_id IS NOT NULL
            ), running AS (
                SELECT jobs.database_id, count(*) AS number
                FROM holdfastd.jobs
                WHERE jobs.state = 'RUNNING' AND NOT jobs.pause_requested
                GROUP BY jobs.database_id
            )
            SELECT oldest.id
            FROM waiting
            JOIN holdfastd.databases ON databases.id = waiting.database_id
            LEFT JOIN running ON running.database_id = waiting.database_id
            CROSS JOIN LATERAL (
                SELECT jobs.id, jobs.kind = 'AUDIT' AS is_audit
                FROM holdfastd.jobs
                WHERE jobs.database_id = waiting.database_id AND jobs.state = 'QUEUED' AND NOT jobs.pause_requested
                  AND jobs.kind = ANY (kinds)
                ORDER BY jobs.kind = 'AUDIT', jobs.id
                LIMIT 1
            ) AS oldest
            WHERE coalesce(running.number, 0) < coalesce(nullif(databases.max_running_jobs, 0), jobs_per_database)
            ORDER BY oldest.is_audit, coalesce(running.number, 0), oldest.id
        LOOP
            -- Somebody may be pausing or cancelling it this very moment.
            SELECT jobs.id INTO chosen
            FROM holdfastd.jobs
            WHERE jobs.id = candidate AND jobs.state = 'QUEUED' AND NOT jobs.pause_requested
            FOR UPDATE SKIP LOCKED;
            EXIT WHEN chosen IS NOT NULL;
        END LOOP;
    END IF;

    RETURN QUERY
    UPDATE holdfastd.jobs
    SET state = 'RUNNING', epoch = jobs.epoch + 1, lease_owner = claimer, lease_end = clock_timestamp() + time_to_live,
        start_time = coalesce(jobs.start_time, clock_timestamp()),
        -- Who gives a job back is not lost, and nothing is expected of a paused one.
        lost_workers = jobs.lost_workers + (jobs.lease_owner IS NOT NULL AND NOT jobs.pause_requested)::integer
    FROM holdfastd.databases
    WHERE jobs.id = chosen AND databases.id = jobs.database_id
    RETURNING jobs, databases.name;
END
$$;
