"""Undo an application exactly: python 04_roll_back.py JOB."""

import asyncio
import os
import sys

from holdfast import Holdfast, HoldfastError
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, Job


async def main(job_id: str) -> None:
    """Roll back; a rollback that could not be exact is refused before anything is touched."""
    last = None
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        try:
            async for item in holdfast.roll_back(job_id):
                last = item
        except HoldfastError as error:
            sys.exit(f"{error.message} [{error.reason}]")
    if not isinstance(last, Job) or last.state != JOB_STATE_SUCCEEDED:
        sys.exit("The rollback did not succeed.")
    print("rolled back")


asyncio.run(main(sys.argv[1]))
