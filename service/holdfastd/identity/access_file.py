"""The access file in force. It is read again when it changes; a new one that cannot be meant leaves the old one in force."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from holdfastd.access.document import AccessError
from holdfastd.access.roster import Roster, read_roster
from holdfastd.config.model import ConfigError
from holdfastd.identity.stamps import Stamp, stamp_of

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What the file said at one time."""

    roster: Roster
    #: Set as soon as a later edition is in force.
    replaced: asyncio.Event = field(default_factory=asyncio.Event)


class AccessFile:
    """The file, and its last edition that could be meant."""

    def __init__(self, path: Path) -> None:
        """Read the file; ConfigError, one sentence with line and path, when it cannot be meant."""
        self._path = path
        self._seen: Stamp = ()
        try:
            self._seen = stamp_of(path)
            self.edition = Edition(roster=self._read())
        except (AccessError, OSError) as error:
            raise ConfigError(_sentence(path, error)) from None

    async def look(self) -> None:
        """Read the file again if it changed. What cannot be meant is told in the log, once."""
        # Thousands of principals take seconds to read, in which calls go on.
        roster = await asyncio.to_thread(self._changed)
        if roster is None:
            return
        old, self.edition = self.edition, Edition(roster=roster)
        old.replaced.set()
        log.info("access_file_read", principals=len(roster.principals), issuers=len(roster.providers))

    def _changed(self) -> Roster | None:
        """Return what the file says if it changed and can be meant."""
        try:
            stamp = stamp_of(self._path)
        except OSError as error:
            self._reject(error, seen=())
            return None
        if stamp == self._seen:
            return None
        try:
            roster = self._read()
        except (AccessError, OSError) as error:
            self._reject(error, seen=stamp)
            return None
        self._seen = stamp
        return roster

    async def keep_fresh(self) -> None:
        """Look again, for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    def _reject(self, error: AccessError | OSError, *, seen: Stamp) -> None:
        if seen != self._seen:
            log.error("access_file_rejected", problem=_sentence(self._path, error))
        self._seen = seen

    def _read(self) -> Roster:
        with self._path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise AccessError("it is larger than 16 MiB.")
        try:
            return read_roster(content.decode())
        except UnicodeDecodeError:
            raise AccessError("it is no UTF-8.") from None


def _sentence(path: Path, error: AccessError | OSError) -> str:
    if isinstance(error, OSError):
        return f"The access file {path} cannot be read ({error.strerror}); name one that this account may read."
    return f"The access file {path}: {error}"
