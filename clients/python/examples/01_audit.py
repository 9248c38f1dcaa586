"""Register a database and audit it: python 01_audit.py NAME DSN_VARIABLE (an environment variable of the service)."""

import asyncio
import os
import sys

from holdfast import DsnSource, Event, Holdfast


async def main(name: str, variable: str) -> None:
    """Print what happens, then every relationship with its orphan rows."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        await holdfast.add_database(name, DsnSource(env=variable))
        async for item in holdfast.audit(name):
            if isinstance(item, Event):
                print(item.message)
        for relationship in (await holdfast.list_relationships(name, page_size=1000)).relationships:
            print(f"{relationship.orphan_rows.value:>8} orphan rows  {relationship.id}")


asyncio.run(main(*sys.argv[1:3]))
