"""What deleting rows would do: which rows of which tables would go along, lose a value, forbid it, or be left behind."""
