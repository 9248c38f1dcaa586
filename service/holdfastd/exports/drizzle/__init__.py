"""A database as a Drizzle schema."""
