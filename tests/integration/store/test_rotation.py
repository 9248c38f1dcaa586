"""`holdfastd rotate-keys` as operators run it: the old key can be dropped afterwards, whatever happened on the way."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from cryptography.fernet import Fernet

from holdfastd.errors import Refused
from holdfastd.store import audit_log, databases
from holdfastd.store.model import DsnKind
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from support.listener import wait_until
from support.postgres import Server, database_name
from support.stored import a_registration

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
DSN = "postgresql://me:c4n4ry-p4ssword@host/{}"


class Rotating:
    """A store of its own, with three databases: two inline, one by reference."""

    def __init__(self, url: str, store: Store, folder: Path) -> None:
        self.url, self.store, self.folder = url, store, folder

    async def tokens(self) -> dict[str, bytes]:
        async with self.store.connection() as connection:
            return dict(await databases.list_encrypted(connection))

    async def start(self, keys: str) -> asyncio.subprocess.Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "holdfastd", "rotate-keys", "--data-dir", str(self.folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment | {"HOLDFAST_STORE_URL": self.url, "HOLDFAST_SECRET_KEY": keys},
        )

    async def rotate(self, keys: str) -> tuple[int | None, str, str]:
        process = await self.start(keys)
        output, errors = await process.communicate()
        assert not any(secret in output + errors for secret in (b"c4n4ry", OLD.encode(), NEW.encode()))
        return process.returncode, output.decode(), errors.decode()

    def readable(self, keys: str, tokens: dict[str, bytes]) -> set[str]:
        secrets = Secrets(keys, self.folder)
        found = set()
        for name, token in tokens.items():
            try:
                assert secrets.decrypt(token) == DSN.format(name)
            except Refused:
                continue
            found.add(name)
        return found


@pytest.fixture
async def rotating(postgres: Server, tmp_path: Path) -> AsyncIterator[Rotating]:
    url = await postgres.create_database()
    store = await Store.open(url)
    old = Secrets(OLD, tmp_path)
    async with store.transaction() as connection:
        for number, name in enumerate(("books", "shop")):
            token = old.encrypt(DSN.format(name))
            await databases.add(
                connection, a_registration(name, oid=number, dsn_kind=DsnKind.INLINE, dsn_reference="", dsn_encrypted=token)
            )
        await databases.add(connection, a_registration("by-variable", oid=9))
    yield Rotating(url, store, tmp_path)
    await store.close()
    await postgres.drop_database(database_name(url))


async def test_the_old_key_can_be_dropped(rotating: Rotating) -> None:
    """Every stored DSN is encrypted with the first key then; running it again changes nothing and notes nothing."""
    code, output, _ = await rotating.rotate(f"{NEW},{OLD}")
    tokens = await rotating.tokens()
    again = await rotating.rotate(f"{NEW},{OLD}")
    async with rotating.store.connection() as connection:
        entries = await audit_log.list_page(connection, limit=10)

    assert (code, output) == (0, "2 stored DSNs were encrypted anew with the first key; 0 stored DSNs were already.\n")
    assert rotating.readable(NEW, tokens) == {"books", "shop"}
    assert rotating.readable(OLD, tokens) == set()
    assert again[1].startswith("0 stored DSNs were encrypted anew with the first key; 2 ")
    assert await rotating.tokens() == tokens
    assert [(entry.action, entry.principal.partition(":")[0], entry.details) for entry in entries] == [
        ("keys.rotate", "local", {"databases": "2"})
    ]


async def test_killed_half_way_nothing_is_half_done(rotating: Rotating) -> None:
    """It is one transaction: after a kill the old key reads everything, and another run does it all."""
    before = await rotating.tokens()
    holder = await asyncpg.connect(rotating.url)
    transaction = holder.transaction()
    await transaction.start()
    # Held up before its last entry: everything else is done by then.
    await holder.execute("LOCK holdfastd.audit_log IN ACCESS EXCLUSIVE MODE")
    process = await rotating.start(f"{NEW},{OLD}")
    waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'holdfastd.audit_log'::regclass"
    await wait_until(holder, waiting)
    process.kill()
    await process.communicate()
    await transaction.rollback()
    await holder.close()

    assert await rotating.tokens() == before
    assert rotating.readable(OLD, before) == {"books", "shop"}
    assert (await rotating.rotate(f"{NEW},{OLD}"))[0] == 0
    assert rotating.readable(NEW, await rotating.tokens()) == {"books", "shop"}


async def test_a_dsn_that_no_key_opens_is_named(rotating: Rotating) -> None:
    """The others are rotated, and the exit code says that something is left."""
    async with rotating.store.connection() as connection:
        await databases.set_encrypted(connection, "books", Fernet(Fernet.generate_key()).encrypt(b"lost"))

    code, output, _ = await rotating.rotate(f"{NEW},{OLD}")

    assert code == 1
    assert "None of the keys opens the DSN of books:" in output
    assert rotating.readable(NEW, await rotating.tokens()) == {"shop"}


@pytest.mark.parametrize(("keys", "says"), [("", "no key"), ("nonsense", "must hold Fernet keys")])
async def test_it_says_what_is_missing(keys: str, says: str, rotating: Rotating) -> None:
    """Without keys nothing is done, and no key is made up."""
    before = await rotating.tokens()

    code, output, errors = await rotating.rotate(keys)

    assert (code, output) == (2, "")
    assert says in errors
    assert errors.count("\n") == 1
    assert await rotating.tokens() == before
    assert list(rotating.folder.iterdir()) == []


async def test_without_a_store_none_is_made(tmp_path: Path) -> None:
    """A mistyped --data-dir is told, not filled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "holdfastd", "rotate-keys", "--data-dir", str(tmp_path / "nowhere")),
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
    )
    _, errors = await process.communicate()

    assert (process.returncode, b"There is no store in" in errors) == (2, True)
    assert list(tmp_path.iterdir()) == []
