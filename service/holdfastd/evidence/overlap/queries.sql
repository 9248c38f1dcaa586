-- name: list_readable
-- Of the given tables those that this role may read whole: nothing hidden by row security.
SELECT relation.oid AS oid
FROM pg_catalog.pg_class AS relation
WHERE relation.oid = ANY ($1::pg_catalog.oid[])
  AND pg_catalog.has_schema_privilege(relation.relnamespace, 'USAGE')
  AND pg_catalog.has_table_privilege(relation.oid, 'SELECT')
  AND NOT pg_catalog.row_security_active(relation.oid);
