-- Jobs can be paused, and remember how they were asked to be done.

ALTER TABLE holdfastd.jobs ADD COLUMN pause_requested boolean NOT NULL DEFAULT false;
ALTER TABLE holdfastd.jobs ADD COLUMN options jsonb NOT NULL DEFAULT '{}';
