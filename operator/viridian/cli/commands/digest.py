"""`kubectl viridian digest`."""

import click

from viridian.cli.options import says_errors


@click.command()
@click.argument("uri")
@says_errors
def digest(uri: str) -> None:
    """Print what to write as spec.model.digest.

    URI is a file or folder here, https://HOST/PATH, or - for standard input. For pvc://CLAIM/PATH, run it where the
    claim's files are. An archive has the digest of its own bytes, not of the files in it.
    """
    from viridian.cli.digest import digest_of_uri  # loads TLS and more

    click.echo(digest_of_uri(uri))
