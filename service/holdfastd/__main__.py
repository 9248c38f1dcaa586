"""The command `holdfastd`: the only reader of the environment.

Exit codes: 0 stopped when asked to, 1 a fault of ours (in the log), 2 could not start (one sentence on standard error).
"""

import asyncio
import os
import sys

from holdfastd.config.model import Config, ConfigError, LogFormat, NewToken, RotateKeys
from holdfastd.config.parse import parse
from holdfastd.identity.new_token import new_token
from holdfastd.logs.set_up import catch_crashes, set_up
from holdfastd.rotate_keys import rotate_keys


def main() -> int:
    """Run the command."""
    # grpc reads both when it is imported: its fork handlers complain at every program that we start, and it reports handshakes.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from holdfastd.server import StartError, serve  # noqa: PLC0415 (after the two lines above)

    try:
        command = parse(sys.argv[1:], dict(os.environ), is_root=os.geteuid() == 0, is_terminal=sys.stdout.isatty())
        match command:
            case Config():
                set_up(command.log_format)
                catch_crashes()
                asyncio.run(serve(command))
            case NewToken():
                token, digest = new_token()
                print(f"{token}\n{digest}")  # noqa: T201 (this is the command)
            case RotateKeys():
                # Its answer alone goes to standard output.
                set_up(LogFormat.CONSOLE, sys.stderr)
                catch_crashes()
                rotation = asyncio.run(rotate_keys(command))
                print(rotation)  # noqa: T201 (this is the command)
                return 1 if rotation.unreadable else 0
    except (ConfigError, StartError) as error:
        print(f"holdfastd: {error}", file=sys.stderr)  # noqa: T201 (this is the command)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
