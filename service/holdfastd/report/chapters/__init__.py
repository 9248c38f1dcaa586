"""One file per chapter of the report: in comes a view of the facts, out come blocks; none where there is nothing to say."""
