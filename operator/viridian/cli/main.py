"""The command line of the kubectl plugin."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .digest import CannotDigest, Reach, digest_of_uri

_WHERE = """\
URI is a file or folder here, https://HOST/PATH, an address of a store (s3://BUCKET/KEY, gs://BUCKET/KEY,
az://ACCOUNT/CONTAINER/KEY, hf://OWNER/REPO@COMMIT), or - for standard input. For pvc://CLAIM/PATH, run it where the
claim's files are. An archive has the digest of its own bytes, not of the files in it. A store is read with the
credentials of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY, or HF_TOKEN.
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
    digest.add_argument("uri", metavar="URI", help="a path, https://HOST/PATH, an address of a store, or -")
    store = digest.add_argument_group("a store that is not the cloud's own, as in spec.model.store")
    store.add_argument("--endpoint", metavar="URL", help="the server, such as https://minio.storage.svc:9000")
    store.add_argument("--region", help="of the bucket of an s3 uri")
    store.add_argument("--path-style", action=argparse.BooleanOptionalAction, help="whether a bucket is a folder of it")
    store.add_argument("--anonymous", action="store_true", help="ask without credentials")
    store.add_argument("--ca", type=Path, metavar="FILE", help="certificates of authorities of your own")
    digest.set_defaults(run=_digest)
    chosen = parser.parse_args(arguments)
    status: int = chosen.run(chosen)
    return status


def _digest(chosen: argparse.Namespace) -> int:
    reach = Reach(chosen.endpoint, chosen.region, chosen.path_style, chosen.anonymous, chosen.ca)
    try:
        digest = digest_of_uri(chosen.uri, reach)
    except CannotDigest as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    sys.stdout.write(f"{digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
