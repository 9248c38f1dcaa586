"""Apply an approved plan: python 03_apply.py PLAN. Prints the id of the job."""

import asyncio
import os
import sys

from holdfast import Event, Holdfast, HoldfastError
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, Job


async def main(plan_id: str) -> None:
    """Follow the application to its end, through broken connections, and print what was verified."""
    job = Job()
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        async for item in holdfast.apply(plan_id):
            if isinstance(item, Event):
                print(item.message, file=sys.stderr)
            else:
                job = item
    for verified in job.verifications:
        print(
            f"{verified.orphan_rows_before} -> {verified.orphan_rows_after} orphan rows  {verified.relationship_id}",
            file=sys.stderr,
        )
    if job.state != JOB_STATE_SUCCEEDED:
        raise HoldfastError.from_job(job)
    print(job.id)


asyncio.run(main(sys.argv[1]))
