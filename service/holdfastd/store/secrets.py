"""DSNs given inline, encrypted at rest.

In come a key (or a list of keys, the newest first) or a data directory to keep one in; out go encrypted bytes. No key is ever shown.
"""

import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from holdfastd.errors import InvalidField, Reason, Refused

_FILE = "secret.key"


class Secrets:
    """Encrypts with the first key, decrypts with any."""

    def __init__(self, keys: str | None, data_dir: Path) -> None:
        """Take comma-separated Fernet keys, or the directory whose key file is made when the first DSN is encrypted."""
        self._path = data_dir / _FILE
        self._fernets = _fernets(keys, "HOLDFAST_SECRET_KEY") if keys else ()

    def encrypt(self, text: str) -> bytes:
        """Return the text encrypted."""
        return self._keys()[0].encrypt(text.encode())

    def decrypt(self, token: bytes) -> str:
        """Return the text; Refused when none of the keys opens it."""
        try:
            # A key that is made now opens nothing, and the next replica that looks for one would take it for the right one.
            return MultiFernet(self._keys() if self.has_keys else ()).decrypt(token).decode()
        except (InvalidToken, ValueError):
            message = "The stored DSN cannot be decrypted with HOLDFAST_SECRET_KEY; restore the key, or update the database's DSN."
            raise Refused(message, reason=Reason.DSN_UNREADABLE) from None

    def renew(self, token: bytes) -> bytes:
        """Return the same text encrypted with the first key; the token itself when it is. Refused as `decrypt` is."""
        try:
            self._keys()[0].decrypt(token)
        except InvalidToken:
            return self.encrypt(self.decrypt(token))
        return token

    @property
    def has_keys(self) -> bool:
        """Tell whether there is a key already."""
        return bool(self._fernets) or self._path.exists()

    def _keys(self) -> tuple[Fernet, ...]:
        if not self._fernets:
            if not self._path.exists():
                self._make_file()
            self._fernets = _fernets(self._path.read_text(), str(self._path))
        return self._fernets

    def _make_file(self) -> None:
        """Write a new key, whole or not at all, and never over another replica's."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes files of mode 0600.
        handle, unfinished = tempfile.mkstemp(dir=self._path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            self._path.hardlink_to(unfinished)
        except FileExistsError:
            pass
        finally:
            Path(unfinished).unlink()


def _fernets(keys: str, source: str) -> tuple[Fernet, ...]:
    message = f"{source} must hold Fernet keys, separated by commas: 32 bytes in URL-safe base64 each."
    try:
        fernets = tuple(Fernet(key.strip()) for key in keys.split(",") if key.strip())
    except ValueError:
        # The library's message may tell about the key.
        raise InvalidField(source, message) from None
    if not fernets:
        raise InvalidField(source, message)
    return fernets
