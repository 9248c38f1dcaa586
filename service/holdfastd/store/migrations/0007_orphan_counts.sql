-- How many orphan rows every relationship had at every audit. Outlives the audits: two years of nightly audits of 2000 relationships
-- are 1.5 million rows, so each holds numbers only.

CREATE TABLE holdfastd.counted_relationships (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No reference, here and below: removing a database must not wait for millions of rows. They are pruned in batches.
    database_id text NOT NULL,
    -- SHA-256 of the id, which may name 64 columns; an index entry holds 2704 bytes.
    relationship_hash bytea NOT NULL,
    relationship_id text NOT NULL,
    CONSTRAINT counted_relationships_key UNIQUE (database_id, relationship_hash)
);

CREATE TABLE holdfastd.counted_audits (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_id text NOT NULL,
    -- No reference: the audit may go, and its counts stay.
    audit_id text NOT NULL CONSTRAINT counted_audits_audit_id_key UNIQUE,
    time timestamptz NOT NULL
);
CREATE INDEX counted_audits_database_id_idx ON holdfastd.counted_audits (database_id, time, number);
CREATE INDEX counted_audits_time_idx ON holdfastd.counted_audits (time);

CREATE TABLE holdfastd.orphan_counts (
    audit_number bigint NOT NULL REFERENCES holdfastd.counted_audits ON DELETE CASCADE,
    relationship_number bigint NOT NULL REFERENCES holdfastd.counted_relationships,
    value bigint NOT NULL,
    -- Where an estimate lies with 95 % confidence; NULL for exact counts, and where that is not known.
    low bigint,
    high bigint,
    estimated boolean NOT NULL,
    PRIMARY KEY (audit_number, relationship_number)
);
CREATE INDEX orphan_counts_relationship_idx ON holdfastd.orphan_counts (relationship_number, audit_number);
