"""`kubectl viridian lint`: manifests read offline."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from viridian.cli.options import OUTPUT, Seconds, print_data, says_errors

if TYPE_CHECKING:
    from viridian.cli.linting.lint import Finding


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--rpm",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="Requests a minute: also judge whether holds are long enough.",
)
@click.option(
    "--scrape-interval", type=Seconds(), default="15s", show_default=True, help="How often Prometheus reads the pods."
)
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@OUTPUT
@says_errors
def lint(files: tuple[str, ...], rpm: float | None, scrape_interval: float, strict: bool, output: str | None) -> int:
    """Check manifests without a cluster.

    Schema, unknown fields, and risky settings. FILE is a path, or - for standard input. Other kinds of objects in it
    are left out. What else a cluster refuses, such as by its policies, `kubectl apply --dry-run=server -f FILE` says.

    \b
    Exit statuses:
      0    no errors (with --strict: no warnings either)
      1    errors, or a file that cannot be read
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from viridian.cli.linting.lint import Level
    from viridian.cli.linting.lint import lint as check
    from viridian.cli.manifests import models_in
    from viridian_shared.words import count

    found = [
        (file, manifest, finding)
        for file in files
        for manifest in models_in(file)
        for finding in check(manifest, rpm, timedelta(seconds=scrape_interval))
    ]
    if output:
        print_data(
            [{"file": file, **asdict(finding), "level": str(finding.level)} for file, _, finding in found], output
        )
    else:
        for file, manifest, finding in found:
            click.echo(_line(file, manifest, finding))
    errors = sum(finding.level is Level.ERROR for *_, finding in found)
    if not output:
        click.echo(f"{count(errors, 'error')}, {count(len(found) - errors, 'warning')}", err=True)
    return 1 if errors or (strict and found) else 0


def _line(file: str, manifest: dict[str, Any], finding: "Finding") -> str:
    metadata = manifest.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
    return f"{file}: {name}: {finding.level}: {finding.field} {finding.message}"
