"""Plan a migration and approve it: python 02_plan.py NAME. Prints the id of the plan."""

import asyncio
import os
import sys

from holdfast import Holdfast


async def main(name: str) -> None:
    """Print the steps to stderr for the reviewer, and the id to stdout for the next example."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        plan = await holdfast.plan(name)
        for step in plan.steps:
            print(f"{step.number:>4}  {step.title}", file=sys.stderr)
        # The fingerprint says which plan was read; another one would not be approved.
        await holdfast.approve_plan(plan.id, fingerprint=plan.fingerprint)
        print(plan.id)


asyncio.run(main(sys.argv[1]))
