"""The command line of the kubectl plugin."""

import argparse
import sys
from collections.abc import Sequence

from .digest import CannotDigest, digest_of_uri

_WHERE = """\
URI is a file or folder here, https://HOST/PATH, or - for standard input. For pvc://CLAIM/PATH, run it where the claim's
files are. An archive has the digest of its own bytes, not of the files in it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line, or None for the process's own.

    Returns:
        The exit status: 0, or 1 with a sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog="kubectl viridian", description="Helps with Viridian's ModelDeployments.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    digest = commands.add_parser(
        "digest", help="print what to write as spec.model.digest", description=f"Print a model's digest. {_WHERE}"
    )
    digest.add_argument("uri", metavar="URI", help="a path, https://HOST/PATH, or -")
    digest.set_defaults(run=lambda chosen: _digest(chosen.uri))
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _digest(uri: str) -> int:
    try:
        digest = digest_of_uri(uri)
    except CannotDigest as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
