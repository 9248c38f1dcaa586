-- name: keys
-- Which foreign keys are there, and are they validated? Parameters: qualified tables, names.
SELECT wanted.table_name, wanted.name, actual.convalidated AS is_valid
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS wanted (table_name, name)
JOIN pg_catalog.pg_constraint AS actual ON actual.conrelid = pg_catalog.to_regclass(wanted.table_name) AND actual.conname = wanted.name
WHERE actual.contype = 'f'
ORDER BY wanted.name, wanted.table_name;

-- name: indexes
-- Which indexes are there, and are they valid? Parameters: qualified tables, names.
SELECT wanted.table_name, wanted.name, actual.indisvalid AND actual.indisready AS is_valid
FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS wanted (table_name, name)
JOIN pg_catalog.pg_index AS actual ON actual.indrelid = pg_catalog.to_regclass(wanted.table_name)
JOIN pg_catalog.pg_class AS relation ON relation.oid = actual.indexrelid AND relation.relname = wanted.name
ORDER BY wanted.name, wanted.table_name;
