-- Findings that somebody decided to live with, and how an audit was asked to be made.

CREATE TABLE holdfastd.ignored_findings (
    database_id text NOT NULL REFERENCES holdfastd.databases ON DELETE CASCADE,
    finding_id text NOT NULL,
    -- SHA-256 of the id, which may name 64 columns; an index entry holds 2704 bytes.
    finding_hash bytea NOT NULL,
    reason text NOT NULL,
    principal text NOT NULL,
    create_time timestamptz NOT NULL,
    -- From when on the finding is open again; NULL: never.
    expire_time timestamptz,
    PRIMARY KEY (database_id, finding_hash)
);

ALTER TABLE holdfastd.audits ADD COLUMN options jsonb NOT NULL DEFAULT '{}';

-- The id is computed from the document; kept beside it so that a finding can be looked up.
ALTER TABLE holdfastd.audit_findings ADD COLUMN id text;
UPDATE holdfastd.audit_findings SET id = lower(document ->> 'kind') || ':' || coalesce(
    nullif(document ->> 'relationship_id', ''),
    (
        SELECT string_agg(
            CASE WHEN part COLLATE "C" ~ '^[a-z_][a-z0-9_$]*$' THEN part ELSE '"' || replace(part, '"', '""') || '"' END,
            '.' ORDER BY number
        )
        FROM (VALUES (1, document -> 'table' ->> 'schema'), (2, document -> 'table' ->> 'name')) AS name (number, part)
    )
);
ALTER TABLE holdfastd.audit_findings ALTER COLUMN id SET NOT NULL;
