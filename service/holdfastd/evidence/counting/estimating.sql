-- name: limit_draw
-- Few rows are looked up, in no order: neither a merge nor, where there is an index, a hash of the whole key pays.
SELECT pg_catalog.set_config('statement_timeout', $1, true),
       pg_catalog.set_config('enable_mergejoin', 'off', true),
       pg_catalog.set_config('enable_hashjoin', $2, true);
