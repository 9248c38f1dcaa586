"""What every flow is handed: the services of this replica, and who asks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfastd.jobs.feed import Feed
from holdfastd.store.model import DsnKind
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets
from holdfastd.target.destination import TargetPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of this replica."""

    store: Store
    secrets: Secrets
    #: Set when this replica is about to stop: streams end, jobs are given back.
    stopping: asyncio.Event
    #: What DSNs given as `env:NAME` are read from.
    environment: Mapping[str, str]
    #: Where this service may connect to, and how.
    targets: TargetPolicy = field(default_factory=TargetPolicy)
    #: Tell what a blocker runs: the text of a query may hold values.
    tells_queries: bool = False
    #: The jobs that are watched on this replica.
    feed: Feed = field(default_factory=Feed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and the id that makes repeating the request harmless (may be empty)."""

    #: As recognised; as stated where nobody needs to be recognised.
    principal: str
    request_id: str = ""
    #: The names of the databases that the answer may tell of; None: all.
    visible: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DsnSource:
    """Where a DSN comes from: `value` is a variable, a path, or the DSN itself."""

    kind: DsnKind
    value: str
