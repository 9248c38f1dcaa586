-- The two roles that Holdfast needs in a target database, each with the least that it can work with.
--
--   psql -v ON_ERROR_STOP=1 -v database=shop -v schema=public -v owner=shop_owner -f roles.sql
--
-- Run it in that database, as a role that may create roles and grant the owner's. Run it again for every further schema or
-- owner; running it twice for the same one changes nothing. Give the roles passwords afterwards (\password), or certificates.
--
-- What everybody (PUBLIC) may do in that database, the auditor may, too, and PostgreSQL has no way to except one role. As it comes, its
-- sessions are read-only and refuse that as well. Where nobody needs these rights, add -v strict=1: it takes from PUBLIC temporary
-- tables, large objects and, in databases older than PostgreSQL 15, new objects in schema public.
--
-- Register the database with holdfast_auditor where Holdfast shall only look: every application is then refused, and the
-- refusal names what is missing. Register it with holdfast_migrator where it shall also repair.

\set ON_ERROR_STOP on

SELECT 'CREATE ROLE holdfast_auditor LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'holdfast_auditor')
\gexec

SELECT 'CREATE ROLE holdfast_migrator LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'holdfast_migrator')
\gexec

-- An audit reads the catalog, which everyone may, and counts rows, which needs SELECT on the tables. How far a sequence has come
-- tells whether a missing row was deleted or never there.
GRANT CONNECT ON DATABASE :"database" TO holdfast_auditor, holdfast_migrator;
GRANT USAGE ON SCHEMA :"schema" TO holdfast_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO holdfast_auditor;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA :"schema" TO holdfast_auditor;
-- Tables that the owner creates later are part of the next audit.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT ON TABLES TO holdfast_auditor;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT ON SEQUENCES TO holdfast_auditor;
-- A belt beside the braces: the missing grants are what really keeps it from writing.
ALTER ROLE holdfast_auditor SET default_transaction_read_only = on;

-- Only the owner of a table may add a constraint or an index to it, so the migrator is a member of the owner. It then has the
-- owner's other rights, too: PostgreSQL has no smaller grant for ALTER TABLE.
GRANT :"owner" TO holdfast_migrator;
-- An index is an object of its schema: the owner of the table alone is not enough.
GRANT USAGE, CREATE ON SCHEMA :"schema" TO holdfast_migrator;
-- Schema `holdfast` (ledger and backups) is created by the first application and belongs to the migrator alone.
GRANT CREATE ON DATABASE :"database" TO holdfast_migrator;

\if :{?strict}
REVOKE TEMPORARY ON DATABASE :"database" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
\endif

-- Left to you: functions of yours that are SECURITY DEFINER do what their owner may for everybody who may call them, and PUBLIC may
-- unless you revoked it (REVOKE EXECUTE ON FUNCTION … FROM PUBLIC).
--
-- Not granted on purpose:
--   SUPERUSER    triggers and index expressions of the target would run with it.
--   BYPASSRLS    where a table has row security, an audit as holdfast_auditor says that it cannot count it, rather than counting
--                what a policy lets through. The owner's members see all rows unless row security is forced. Decide yourself:
--                ALTER ROLE holdfast_auditor BYPASSRLS;
--   pg_read_all_stats   lets Holdfast show the application name and the age of the transaction it waits for, not only its pid, and
--                lets `holdfast plans check` tell old transactions and late standbys. It also shows the text of queries, which Holdfast
--                tells nobody unless it is set up to (HOLDFAST_TELL_QUERIES):
--                GRANT pg_read_all_stats TO holdfast_migrator;
