"""A sample database to try everything on: audited, behind the service on its usual ports, until Ctrl-C. Run it by `make playground`."""

import asyncio
import logging
import os
import signal
import sys

# Before grpc is imported: starting other programs must not make it complain.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import structlog
from stage import DATABASE, DSN_VARIABLE, built

from holdfast import DsnSource, Holdfast
from holdfast.client import DEFAULT_SERVER

HTTP = "127.0.0.1:7480"
WELCOME = """
Database {database} is registered and audited. Nothing here is yours: it is all gone when you press Ctrl-C.

  console    http://{http}
  terminal   holdfast report {database} · holdfast plan {database}
  psql       {dsn}
"""


async def main(listen: str = DEFAULT_SERVER, http: str = HTTP) -> None:
    """Start, register, audit, and wait."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    print("Starting a throw-away PostgreSQL with a sample database, and the service …")
    async with built(listen, http) as stage, Holdfast(stage.server, principal="playground") as holdfast:
        await holdfast.add_database(DATABASE, DsnSource(env=DSN_VARIABLE))
        async for _ in holdfast.audit(DATABASE):
            pass
        print(WELCOME.format(database=DATABASE, http=stage.http, dsn=stage.dsn), flush=True)
        await asked.wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except RuntimeError as error:
        sys.exit(f"{error}\nIs something else using {DEFAULT_SERVER} or {HTTP}?")
