"""Apply from automation what somebody else approves: python 06_ask_for_approval.py NAME. Prints plan and job.

The database asks for a second pair of eyes: `holdfast databases update NAME --four-eyes`.
"""

import asyncio
import os
import sys

from holdfast import Holdfast, HoldfastError, Job, Plan
from holdfast.v1.core_pb2 import JOB_STATE_SUCCEEDED, PLAN_STATE_APPROVED, PLAN_STATE_PROPOSED

PAUSE = 0.5


async def main(name: str) -> None:
    """Make a plan, wait until a person approved or rejected it, and apply it."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="automation") as holdfast:
        plan = await holdfast.plan(name)
        print(plan.id, flush=True)
        plan = await decided(holdfast, plan)
        if plan.state != PLAN_STATE_APPROVED:
            sys.exit(f"{plan.reviewer} rejected {plan.id}")
        job = Job()
        async for item in holdfast.apply(plan.id):
            job = item if isinstance(item, Job) else job
        if job.state != JOB_STATE_SUCCEEDED:
            raise HoldfastError.from_job(job)
        print(job.id)


async def decided(holdfast: Holdfast, plan: Plan) -> Plan:
    """Return the plan once somebody has decided about it."""
    while plan.state == PLAN_STATE_PROPOSED:
        await asyncio.sleep(PAUSE)
        plan = (await holdfast.get_plan(plan.id)).plan
    return plan


asyncio.run(main(sys.argv[1]))
