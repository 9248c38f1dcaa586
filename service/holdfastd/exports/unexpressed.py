"""What schemas of object mappers have no words for. Pure."""

from collections.abc import Iterator

from holdfastd.catalog.model import Match
from holdfastd.catalog.outline import KeyOutline


def unexpressed(key: KeyOutline) -> Iterator[str]:
    """Yield what neither Drizzle nor Prisma can say of a foreign key."""
    if key.set_null_columns:
        yield f"SET NULL ({', '.join(key.set_null_columns)}) only"
    if key.deferrable:
        yield "DEFERRABLE INITIALLY DEFERRED" if key.deferred else "DEFERRABLE"
    if key.match is Match.FULL:
        yield "MATCH FULL"
    if not key.enforced:
        yield "NOT ENFORCED"
    elif not key.validated:
        yield "NOT VALID: orphan rows remain"
