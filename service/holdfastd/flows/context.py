"""What every flow is handed: the services of this replica, and who asks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from holdfastd.store.model import DsnKind
from holdfastd.store.pool import Store
from holdfastd.store.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of this replica."""

    store: Store
    secrets: Secrets
    #: Set when this replica is about to stop: streams end, jobs are given back.
    stopping: asyncio.Event
    #: What DSNs given as `env:NAME` are read from.
    environment: Mapping[str, str]
    #: Tell what a blocker runs: the text of a query may hold values.
    tells_queries: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, as the client stated, and the id that makes repeating the request harmless (may be empty)."""

    principal: str
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DsnSource:
    """Where a DSN comes from: `value` is a variable, a path, or the DSN itself."""

    kind: DsnKind
    value: str
