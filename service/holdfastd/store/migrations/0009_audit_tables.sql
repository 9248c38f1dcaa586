-- The tables that an audit saw, by schema and name: what reports, maps and exports are made of.
CREATE TABLE holdfastd.audit_tables (
    audit_id text NOT NULL REFERENCES holdfastd.audits ON DELETE CASCADE,
    position integer NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (audit_id, position)
);
