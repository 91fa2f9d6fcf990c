"""`kubectl viridian digest`."""

from pathlib import Path

import click

from viridian.cli.options import says_errors


@click.command()
@click.argument("uri")
@click.option("--endpoint", metavar="URL", help="Of a store: the server, such as https://minio.storage.svc:9000.")
@click.option("--region", help="Of the bucket of an s3 URI.")
@click.option("--path-style/--no-path-style", default=None, help="Whether a bucket is a folder of the server.")
@click.option("--anonymous", is_flag=True, help="Ask a store without credentials.")
@click.option("--ca", type=click.Path(path_type=Path), metavar="FILE", help="Certificates of authorities of your own.")
@says_errors
def digest(
    uri: str, endpoint: str | None, region: str | None, path_style: bool | None, anonymous: bool, ca: Path | None
) -> None:
    """Print what to write as spec.model.digest.

    URI is a file or folder here, https://HOST/PATH, an address of a store (s3://BUCKET/KEY, gs://BUCKET/KEY,
    az://ACCOUNT/CONTAINER/KEY, hf://OWNER/REPO@COMMIT, mlflow://NAME/VERSION, oci://REGISTRY/REPOSITORY@sha256:DIGEST),
    or - for standard input. For pvc://CLAIM/PATH, run it where the claim's files are. An archive has the digest of its
    own bytes, not of the files in it.

    A store is read with the credentials of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_SESSION_TOKEN, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY, HF_TOKEN, MLFLOW_TRACKING_TOKEN, or
    MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. A registry of images is asked with what docker login
    has written.
    """
    from viridian.cli.digest import Reach, digest_of_uri  # loads TLS and more

    click.echo(digest_of_uri(uri, Reach(endpoint, region, path_style, anonymous, ca)))
