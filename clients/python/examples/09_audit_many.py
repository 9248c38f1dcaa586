"""Audit from another service, without waiting for each: python 09_audit_many.py NAME…. Prints orphan rows per database.

Starting is a short call; what runs at the same time is the service's business.
"""

import asyncio
import os
import sys

from holdfast import Holdfast, HoldfastError, Job


async def main(names: list[str]) -> None:
    """Start all audits, then gather what they found; one that fails does not stop the others."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="nightly") as holdfast:
        started = [await holdfast.start_audit(name) for name in names]
        results = await asyncio.gather(*(orphan_rows(holdfast, each.job) for each in started), return_exceptions=True)
    for name, result in zip(names, results, strict=True):
        print(f"{name}: {result}")


async def orphan_rows(holdfast: Holdfast, job: Job) -> int:
    """Return how many orphan rows there are once the audit has ended."""
    async for item in holdfast.watch(job.id):
        job = item if isinstance(item, Job) else job
    audit = (await holdfast.get_audit(job.audit_id)).audit
    if not audit.HasField("summary"):
        raise HoldfastError.from_job(job)
    return audit.summary.orphan_rows


asyncio.run(main(sys.argv[1:]))
