"""Write findings where code scanning reads them: python 08_export_sarif.py NAME FILE."""

import asyncio
import os
import sys
from pathlib import Path

from holdfast import Holdfast
from holdfast.v1.export_service_pb2 import FINDINGS_FORMAT_SARIF


async def main(name: str, path: Path) -> None:
    """Write the findings of the latest audit as SARIF 2.1."""
    async with Holdfast(os.environ.get("HOLDFAST_SERVER", "127.0.0.1:7443"), principal="example") as holdfast:
        files = await holdfast.export_findings(name, FINDINGS_FORMAT_SARIF)
    [text] = files.values()
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
