"""One file per kind of step. Each builds the step as data: statements, undo, done_when, hazards."""
