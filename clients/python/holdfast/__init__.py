"""The Python client of Holdfast: `async with Holdfast("127.0.0.1:7443") as holdfast: …`.

All messages and enums of the contract are in holdfast.v1; the nouns that most callers need are here, too.
"""

from holdfast.addresses import CannotConnect
from holdfast.client import DEFAULT_SERVER, Holdfast
from holdfast.errors import HoldfastError
from holdfast.pages import every_page
from holdfast.security import Tls, token_in
from holdfast.v1.audit_service_pb2 import Audit
from holdfast.v1.core_pb2 import Event, Finding, Job, Plan, Relationship
from holdfast.v1.database_service_pb2 import Database, DsnSource
from holdfast.v1.plan_service_pb2 import Override, Policy
from holdfast.watching import Patience

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_SERVER",
    "Audit",
    "CannotConnect",
    "Database",
    "DsnSource",
    "Event",
    "Finding",
    "Holdfast",
    "HoldfastError",
    "Job",
    "Override",
    "Patience",
    "Plan",
    "Policy",
    "Relationship",
    "Tls",
    "every_page",
    "token_in",
]
