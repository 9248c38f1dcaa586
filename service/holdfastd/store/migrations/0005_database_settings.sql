-- What the people responsible for a database ask of Holdfast.

ALTER TABLE holdfastd.databases ADD COLUMN four_eyes boolean NOT NULL DEFAULT false;
-- 0: the service's own limit.
ALTER TABLE holdfastd.databases ADD COLUMN max_running_jobs integer NOT NULL DEFAULT 0 CHECK (max_running_jobs >= 0);
