"""`kubectl_complete-viridian`: kubectl runs it to complete what follows `kubectl viridian`."""

import sys
from collections.abc import Sequence

import click
from click.shell_completion import ShellComplete

from .main import COMPLETE, NAME, plugin

_DEFAULT, _NO_FILES = 0, 4
"""What kubectl shall do when there is no more: complete names of files, or nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one completion a line with its help, and at last what else kubectl shall do.

    Args:
        arguments: the words after `kubectl viridian`, the last one incomplete; None for the process's own.
    """
    *words, incomplete = (sys.argv[1:] if arguments is None else arguments) or [""]
    found = ShellComplete(plugin, {}, NAME, COMPLETE).get_completions(list(words), incomplete)
    files = any(item.type == "file" for item in found)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help or ''}".rstrip())
    click.echo(f":{_DEFAULT if files else _NO_FILES}")
    return 0
