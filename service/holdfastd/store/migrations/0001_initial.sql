-- The store as it begins: registered databases, what was found, planned and done there, and who asked for it.

-- Ids say what they name and sort by the moment they were made: microseconds since 1970 and a random part, hexadecimal.
CREATE FUNCTION holdfastd.new_id(prefix text) RETURNS text
LANGUAGE sql VOLATILE
RETURN prefix || '-'
    || lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000000)::bigint), 13, '0')
    || left(replace(gen_random_uuid()::text, '-', ''), 7);

CREATE TABLE holdfastd.databases (
    id text PRIMARY KEY DEFAULT holdfastd.new_id('db'),
    name text NOT NULL CONSTRAINT databases_name_key UNIQUE,
    reachable boolean NOT NULL,
    host text NOT NULL,
    port integer NOT NULL,
    database_name text NOT NULL,
    role text NOT NULL,
    dsn_kind text NOT NULL CHECK (dsn_kind IN ('env', 'file', 'inline')),
    dsn_reference text NOT NULL,
    dsn_encrypted bytea,
    system_identifier text NOT NULL,
    database_oid bigint NOT NULL,
    server_version_number integer NOT NULL,
    server_version text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    etag text NOT NULL DEFAULT gen_random_uuid()::text,
    CONSTRAINT databases_identity_key UNIQUE (system_identifier, database_oid),
    CHECK ((dsn_kind = 'inline') = (dsn_encrypted IS NOT NULL))
);

-- State and times of an audit are those of its job.
CREATE TABLE holdfastd.audits (
    id text PRIMARY KEY DEFAULT holdfastd.new_id('audit'),
    database_id text NOT NULL REFERENCES holdfastd.databases ON DELETE CASCADE,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time timestamptz,
    summary jsonb
);
CREATE INDEX audits_database_id_idx ON holdfastd.audits (database_id, id);

CREATE TABLE holdfastd.audit_relationships (
    audit_id text NOT NULL REFERENCES holdfastd.audits ON DELETE CASCADE,
    position integer NOT NULL,
    id text NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (audit_id, position)
);

CREATE TABLE holdfastd.audit_findings (
    audit_id text NOT NULL REFERENCES holdfastd.audits ON DELETE CASCADE,
    position integer NOT NULL,
    severity smallint NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (audit_id, position)
);

CREATE TABLE holdfastd.plans (
    id text PRIMARY KEY DEFAULT holdfastd.new_id('plan'),
    database_id text NOT NULL REFERENCES holdfastd.databases ON DELETE CASCADE,
    audit_id text NOT NULL REFERENCES holdfastd.audits ON DELETE CASCADE,
    state text NOT NULL,
    author text NOT NULL,
    reviewer text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    document jsonb NOT NULL
);
CREATE INDEX plans_database_id_idx ON holdfastd.plans (database_id, id);
CREATE INDEX plans_audit_id_idx ON holdfastd.plans (audit_id);

-- The row of a job is its place in the queue, its lease and the counter of its events.
CREATE TABLE holdfastd.jobs (
    id text PRIMARY KEY DEFAULT holdfastd.new_id('job'),
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'QUEUED',
    database_id text NOT NULL REFERENCES holdfastd.databases ON DELETE CASCADE,
    principal text NOT NULL,
    audit_id text REFERENCES holdfastd.audits ON DELETE CASCADE,
    plan_id text REFERENCES holdfastd.plans ON DELETE CASCADE,
    application_id text REFERENCES holdfastd.jobs ON DELETE CASCADE,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    start_time timestamptz,
    end_time timestamptz,
    progress jsonb NOT NULL DEFAULT '{}',
    error_reason text NOT NULL DEFAULT '',
    error_message text NOT NULL DEFAULT '',
    cancel_requested boolean NOT NULL DEFAULT false,
    verifications jsonb NOT NULL DEFAULT '[]',
    -- How often it was taken. Every write of a worker names the epoch it was given, so a worker that lost the job writes nothing.
    epoch bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_end timestamptz,
    last_sequence bigint NOT NULL DEFAULT 0,
    CHECK ((state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')) = (end_time IS NOT NULL))
);
CREATE INDEX jobs_database_id_idx ON holdfastd.jobs (database_id, id);
CREATE INDEX jobs_plan_id_idx ON holdfastd.jobs (plan_id);
CREATE INDEX jobs_application_id_idx ON holdfastd.jobs (application_id);
CREATE UNIQUE INDEX jobs_audit_id_key ON holdfastd.jobs (audit_id);
CREATE INDEX jobs_waiting_idx ON holdfastd.jobs (id) WHERE state IN ('QUEUED', 'RUNNING');
-- Audits only read and may overlap with anything.
CREATE UNIQUE INDEX jobs_one_change_per_database_key ON holdfastd.jobs (database_id)
    WHERE kind <> 'AUDIT' AND state IN ('QUEUED', 'RUNNING');

CREATE TABLE holdfastd.events (
    job_id text NOT NULL REFERENCES holdfastd.jobs ON DELETE CASCADE,
    sequence bigint NOT NULL,
    time timestamptz NOT NULL DEFAULT clock_timestamp(),
    document jsonb NOT NULL,
    PRIMARY KEY (job_id, sequence)
);

-- What a request_id was answered with; answer_id is empty only inside the transaction that works on it.
CREATE TABLE holdfastd.requests (
    principal text NOT NULL,
    method text NOT NULL,
    request_id text NOT NULL,
    digest text NOT NULL,
    answer_id text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, method, request_id)
);

-- Outlives the databases it tells about: names, not references.
CREATE TABLE holdfastd.audit_log (
    sequence bigint PRIMARY KEY,
    time timestamptz NOT NULL,
    principal text NOT NULL,
    action text NOT NULL,
    database text NOT NULL,
    subject text NOT NULL,
    outcome text NOT NULL,
    details jsonb NOT NULL,
    hash text NOT NULL
);
CREATE INDEX audit_log_database_idx ON holdfastd.audit_log (database, sequence);

CREATE FUNCTION holdfastd.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_keeps_rows BEFORE UPDATE OR DELETE ON holdfastd.audit_log
    FOR EACH ROW EXECUTE FUNCTION holdfastd.refuse_change();
CREATE TRIGGER audit_log_keeps_all BEFORE TRUNCATE ON holdfastd.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION holdfastd.refuse_change();
