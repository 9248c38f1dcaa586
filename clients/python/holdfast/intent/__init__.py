"""What applications declare: schemas of Prisma, Drizzle, Rails, SQLAlchemy and Django in, IntendedRelationship out.

`sources.read_intent` takes a path or a specification as `holdfast audit --intent` does; each module reads one kind of source.
"""
