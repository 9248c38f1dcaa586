"""The list of hosts and the least sslmode hold for every way to register a database, and for registered ones when they change."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfastd.config.model import Targets
from holdfastd.errors import HoldfastError, Reason, Refused
from holdfastd.flows import audits, databases, migrations
from holdfastd.flows.context import Caller, DsnSource
from holdfastd.rpc import encode_record
from holdfastd.store.model import DsnKind
from holdfastd.target.destination import TargetPolicy
from support.harness import CALLER, Harness, harness
from support.postgres import Server
from support.shop import OVERRIDES, TABLES

ELSEWHERE = TargetPolicy.of(Targets(allowed_hosts=("192.0.2.0/24", "*.example.org")))
STRICT = TargetPolicy.of(Targets(least_ssl_mode="require"))


@pytest.fixture
async def here(postgres: Server) -> AsyncIterator[Harness]:
    async with harness(postgres) as replica:
        yield replica


def under(replica: Harness, policy: TargetPolicy, **environment: str) -> Harness:
    """The same replica, after the operator changed its settings."""
    return Harness(replace(replica.services, targets=policy, environment=environment))


@pytest.mark.parametrize(("policy", "reason"), [(ELSEWHERE, Reason.HOST_NOT_ALLOWED), (STRICT, Reason.TARGET_TLS_REQUIRED)])
async def test_every_kind_of_dsn_is_checked(policy: TargetPolicy, reason: Reason, here: Harness, database: str, tmp_path: Path) -> None:
    """At AddDatabase and at UpdateDatabase; the refusal says nothing of the DSN."""
    file = tmp_path / "dsn"
    file.write_text(database)
    await here.register(database)
    strict = under(here, policy, TARGET=database)

    for source in (
        DsnSource(kind=DsnKind.INLINE, value=database),
        DsnSource(kind=DsnKind.ENV, value="TARGET"),
        DsnSource(kind=DsnKind.FILE, value=str(file)),
    ):
        with pytest.raises(Refused) as added:
            await databases.add(strict.services, CALLER, "again", source)
        with pytest.raises(Refused) as updated:
            await databases.update(strict.services, CALLER, "shop", source, None, "")
        assert {added.value.reason, updated.value.reason} == {reason}
        assert "127.0.0.1" not in added.value.message


async def test_registered_databases_are_checked_again(here: Harness, postgres: Server, database: str) -> None:
    """A database that was registered before the list changed is neither audited nor changed, and the check says why."""
    await postgres.execute(TABLES, database=database.rpartition("/")[2])
    await here.register(database)
    await here.audit()
    plan = await here.plan("shop", *OVERRIDES)
    elsewhere = under(here, ELSEWHERE)

    record, checks = await databases.check(elsewhere.services, "shop")
    with pytest.raises(HoldfastError) as applied:
        await migrations.apply(elsewhere.services, CALLER, plan.id)

    assert not record.reachable
    assert [(check.id, check.reason) for check in checks] == [("connection", Reason.HOST_NOT_ALLOWED)]
    assert "HOLDFAST_ALLOWED_HOSTS" in checks[0].cure
    assert applied.value.reason is Reason.HOST_NOT_ALLOWED


async def test_the_store_is_no_target(here: Harness, postgres: Server) -> None:
    """It is a PostgreSQL that the service can reach, and holds what callers must not read."""
    store = here.services.store
    async with store.connection() as connection:
        name = await connection.fetchval("SELECT current_database()")

    with pytest.raises(Refused) as refused:
        await databases.add(here.services, CALLER, "own", DsnSource(kind=DsnKind.INLINE, value=postgres.dsn(name)))
    assert refused.value.reason is Reason.HOST_NOT_ALLOWED


async def test_a_pooler_is_told_when_it_is_registered(
    here: Harness, postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the endpoint's name tells it, and with the server behind it; other registrations say nothing."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo
    monkeypatch.setattr(loop, "getaddrinfo", lambda _, *rest, **options: real("127.0.0.1", *rest, **options))
    await here.register(await postgres.create_database(), "direct")
    await here.register(database.replace("127.0.0.1", "ep-odd-1-pooler.eu-west-2.aws.neon.tech"), "pooled")

    direct, pooled = [encode_record.database(await databases.get(here.services, name)).pooler for name in ("direct", "pooled")]

    assert direct == ""
    assert pooled.endswith(f"Register the DSN of the server itself (ep-odd-1.eu-west-2.aws.neon.tech:{postgres.port}).")


async def test_a_pipe_is_no_file(here: Harness, tmp_path: Path) -> None:
    """Reading one would wait, and everybody with it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(Refused) as refused:
        await databases.add(here.services, Caller(principal="p"), "piped", DsnSource(kind=DsnKind.FILE, value=str(pipe)))
    assert refused.value.reason is Reason.DSN_UNREADABLE


async def test_a_dsn_that_went_bad_ends_the_job(here: Harness, database: str) -> None:
    """Whoever asks for the audit did not type the DSN, so nobody is told that a field of theirs is wrong."""
    good = under(here, TargetPolicy(), TARGET=database)
    await databases.add(good.services, CALLER, "shop", DsnSource(kind=DsnKind.ENV, value="TARGET"))
    bad = under(here, TargetPolicy(), TARGET="postgresql://me:s3cret@h:port/db")

    _, checks = await databases.check(bad.services, "shop")
    _, job = await audits.start(here.services, CALLER, "shop")
    ended = await here.end(job)

    assert [(check.id, check.reason) for check in checks] == [("connection", Reason.DSN_UNREADABLE)]
    assert ended.error_reason == Reason.DSN_UNREADABLE
