-- Who paused a job, and how many workers in a row were lost over it.

ALTER TABLE holdfastd.jobs ADD COLUMN paused_by text NOT NULL DEFAULT '';
-- Counted when a lease ran out; 0 again as soon as something got done.
ALTER TABLE holdfastd.jobs ADD COLUMN lost_workers integer NOT NULL DEFAULT 0;
