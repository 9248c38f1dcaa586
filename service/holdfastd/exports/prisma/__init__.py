"""A database as a Prisma schema."""
