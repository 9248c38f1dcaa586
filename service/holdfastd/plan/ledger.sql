-- What Holdfast changed in this database, and the rows it took away. Kept here so that a change and its record share a transaction.
-- Statements are separated by empty lines; all of them may run again, and bring a ledger of an earlier version up to date.
CREATE SCHEMA IF NOT EXISTS holdfast

-- Which database this ledger belongs to: a copy of the database carries a copy of the ledger, and must not be taken for the original.
CREATE TABLE IF NOT EXISTS holdfast.target (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  system_identifier text NOT NULL,
  database_oid bigint NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- Who may write: a batch whose job and epoch are not in this row was overtaken.
CREATE TABLE IF NOT EXISTS holdfast.fence (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  job_id text NOT NULL,
  epoch bigint NOT NULL
)

CREATE TABLE IF NOT EXISTS holdfast.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plan_id text NOT NULL,
  job_id text,
  epoch bigint NOT NULL DEFAULT 0,
  step integer NOT NULL,
  entry text NOT NULL,
  row_count bigint NOT NULL DEFAULT 0,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
)

-- Of a batch: the PURGED entry that its rows went with, and how many of them had not come back.
ALTER TABLE holdfast.ledger
  ADD COLUMN IF NOT EXISTS purged_by bigint,
  ADD COLUMN IF NOT EXISTS gone_rows bigint NOT NULL DEFAULT 0,
  DROP CONSTRAINT IF EXISTS ledger_entry_check,
  ADD CONSTRAINT ledger_entry_check CHECK (entry IN ('INTENT', 'DONE', 'BATCH', 'RESTORED', 'UNDONE', 'PURGED'))

CREATE INDEX IF NOT EXISTS ledger_plan_idx ON holdfast.ledger (plan_id, step)

-- Rows as they were: row_image::schema.table is the row; left_image, where triggers changed more than we did, how they left it.
-- No foreign key to the ledger: whoever lists the keys of this database should find the application's, and both rows are written
-- in one transaction.
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
)

-- The backup holds rows that the application hides from others: only the owner keeps rights, whatever default privileges hand out.
-- And it must survive a crash.
DO $$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT pg_catalog.format('ALTER TABLE %s SET LOGGED', oid::pg_catalog.regclass) FROM pg_catalog.pg_class
      WHERE relnamespace = 'holdfast'::pg_catalog.regnamespace AND relkind = 'r' AND relpersistence = 'u'
    UNION ALL
    SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE', owned.kind, owned.name,
        CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::pg_catalog.regrole::text END)
      FROM (
        SELECT 'SCHEMA' AS kind, 'holdfast' AS name, nspacl AS rights, nspowner AS owner
          FROM pg_catalog.pg_namespace WHERE nspname = 'holdfast'
        UNION ALL
        SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::pg_catalog.regclass::text, relacl, relowner
          FROM pg_catalog.pg_class WHERE relnamespace = 'holdfast'::pg_catalog.regnamespace AND relkind IN ('r', 'S')
      ) AS owned, pg_catalog.aclexplode(owned.rights) AS given
      WHERE given.grantee <> owned.owner
  LOOP
    EXECUTE statement;
  END LOOP;
END
$$
