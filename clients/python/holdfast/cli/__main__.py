"""The command `holdfast`, also as `python -m holdfast.cli`."""

import os


def main() -> None:
    """Run the command that was typed."""
    # What the transport has to say is in our errors already. gRPC reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from holdfast.cli.main import main as run  # noqa: PLC0415 (after the line above)

    run()


if __name__ == "__main__":
    main()
