"""Drizzle: TypeScript schemas, parsed and never run. `read` puts the parts together."""
