-- What Holdfast changed in this database, and the rows it took away. Kept here so that a change and its record share a transaction.
CREATE SCHEMA IF NOT EXISTS holdfast;
REVOKE ALL ON SCHEMA holdfast FROM PUBLIC;
-- Which database this ledger belongs to: a copy of the database carries a copy of the ledger, and must not be taken for the original.
CREATE TABLE IF NOT EXISTS holdfast.target (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  system_identifier text NOT NULL,
  database_oid bigint NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Who may write: a batch whose job and epoch are not in this row was overtaken.
CREATE TABLE IF NOT EXISTS holdfast.fence (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  job_id text NOT NULL,
  epoch bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS holdfast.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plan_id text NOT NULL,
  job_id text,
  epoch bigint NOT NULL DEFAULT 0,
  step integer NOT NULL,
  entry text NOT NULL CHECK (entry IN ('INTENT', 'DONE', 'BATCH', 'RESTORED', 'UNDONE')),
  row_count bigint NOT NULL DEFAULT 0,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS ledger_plan_idx ON holdfast.ledger (plan_id, step);
-- Rows as they were: row_image::schema.table is the row; left_image, where triggers changed more than we did, how they left it. No foreign key to the ledger: whoever lists the keys of this database
-- should find the application's, and both rows are written in one transaction.
CREATE TABLE IF NOT EXISTS holdfast.backup (
  batch bigint NOT NULL,
  table_number integer NOT NULL,
  row_id tid NOT NULL,
  action text NOT NULL CHECK (action IN ('DELETE', 'UPDATE')),
  via integer NOT NULL,
  table_schema text NOT NULL,
  table_name text NOT NULL,
  changed_columns text[] NOT NULL DEFAULT '{}',
  row_image text NOT NULL,
  left_image text,
  restored_by bigint,
  PRIMARY KEY (batch, table_number, row_id)
);
REVOKE ALL ON ALL TABLES IN SCHEMA holdfast FROM PUBLIC;
