"""Follow a job, today or tomorrow: python 07_follow_a_job.py JOB TOKEN_FILE. Started again, it goes on where it stopped.

Broken connections are none of its business: the client reconnects by itself. The file is for when we are the ones who stop.
"""

import asyncio
import os
import sys
from pathlib import Path

from holdfast import Holdfast
from holdfast.v1.core_pb2 import JobState


async def main(job_id: str, path: Path) -> None:
    """Print every event once, however often this is started."""
    token = path.read_text() if path.exists() else ""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        async for message in holdfast.watch_job(job_id, resume_token=token):
            match message.WhichOneof("payload"):
                case "event":
                    print(f"{message.event.sequence:>4}  {message.event.message}")
                    # Only what was dealt with: after a crash, better twice than never.
                    path.write_text(message.resume_token)
                case "final":
                    print(JobState.Name(message.final.state))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
