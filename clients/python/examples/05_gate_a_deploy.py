"""Stop a deploy that would go out onto bad references: python 05_gate_a_deploy.py NAME [info|warn|error]. Exit code 1 stops it."""

import asyncio
import os
import sys

from holdfast import Holdfast, HoldfastError, Job
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, Severity


async def main(name: str, severity: str = "error") -> int:
    """Audit the database and return 1 when an open finding is at least this bad."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="deploy") as holdfast:
        job = Job()
        async for item in holdfast.audit(name):
            job = item if isinstance(item, Job) else job
        if job.state != JOB_STATE_SUCCEEDED:
            raise HoldfastError.from_job(job)
        minimum = Severity.Value(f"SEVERITY_{severity.upper()}")
        found = (await holdfast.list_findings(name, audit_id=job.audit_id, minimum_severity=minimum)).findings
    for finding in found:
        print(f"{finding.message} {finding.cure}")
    return 1 if found else 0


sys.exit(asyncio.run(main(*sys.argv[1:3])))
