"""Which flow works on which kind of job."""

from collections.abc import Mapping
from functools import partial

from holdfastd.flows.context import Services
from holdfastd.flows.run_audit import run_audit
from holdfastd.flows.run_migration import run_application, run_restore, run_rollback
from holdfastd.jobs.model import JobKind
from holdfastd.jobs.worker import Runner


def runners(services: Services) -> Mapping[JobKind, Runner]:
    """Return the runner of every kind of job."""
    return {
        JobKind.AUDIT: partial(run_audit, services),
        JobKind.APPLICATION: partial(run_application, services),
        JobKind.ROLLBACK: partial(run_rollback, services),
        JobKind.RESTORE: partial(run_restore, services),
    }
