"""``viridian``: the command of whoever brings models."""

import argparse
import sys
from collections.abc import Sequence

from viridian_import.commands import baselining, checking, importing, outcomes
from viridian_import.faults import ImportFault

REFUSED = 1
"""Exit code when something is wrong with the model or the files; 2, of argparse, is for the command itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Of the command line; this process's by default.

    Returns:
        The exit code: 0, or 1 when the model cannot be imported or does not pass.
    """
    parser = argparse.ArgumentParser(prog="viridian", description="Brings models to Viridian.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (importing, checking, baselining, outcomes):
        command.add_to(commands)
    given = parser.parse_args(arguments)
    try:
        code: int = given.run(given)
    except ImportFault as fault:
        sys.stderr.write(f"viridian: {fault}\n")
        return REFUSED
    return code


if __name__ == "__main__":
    sys.exit(main())
