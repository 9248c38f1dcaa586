-- When databases are audited without anybody asking.

CREATE TABLE holdfastd.schedules (
    database_id text PRIMARY KEY REFERENCES holdfastd.databases ON DELETE CASCADE,
    -- One of the two.
    cron text NOT NULL DEFAULT '',
    every interval,
    time_zone text NOT NULL DEFAULT '',
    jitter interval NOT NULL DEFAULT '0',
    options jsonb NOT NULL DEFAULT '{}',
    -- What the recurrence says, and when to start: later by the jitter. The next due time is computed from the one, never from the other.
    due_time timestamptz NOT NULL,
    next_time timestamptz NOT NULL,
    last_time timestamptz,
    -- No reference: the audit may go, and the schedule stays.
    last_audit_id text NOT NULL DEFAULT '',
    missed_runs bigint NOT NULL DEFAULT 0,
    missed_reason text NOT NULL DEFAULT '',
    principal text NOT NULL,
    CHECK ((cron = '') = (every IS NOT NULL))
);
CREATE INDEX schedules_next_time_idx ON holdfastd.schedules (next_time);
