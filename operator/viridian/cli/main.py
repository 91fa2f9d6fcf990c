"""The command line of the kubectl plugin. A command's module is loaded when it is used: each has to start fast."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from viridian_shared import __version__

from .options import choose_cluster

NAME: Final = "kubectl viridian"
COMPLETE: Final = "_KUBECTL_VIRIDIAN_COMPLETE"
"""The variable by which a shell asks for completions."""
_COMMANDS: Final = {
    "list": "show:list_models",
    "status": "show:status",
    "watch": "show:watch",
    "history": "show:history",
    "explain": "show:explain",
    "receipt": "receipt:receipt",
    "wait": "wait:wait",
    "approve": "act:approve",
    "promote": "act:promote",
    "pause": "act:pause",
    "resume": "act:resume",
    "abort": "act:abort",
    "retry": "act:retry",
    "rollback": "act:rollback",
    "lint": "lint:lint",
    "plan": "plan:plan",
    "simulate": "simulate:simulate",
    "diff": "diff:diff",
    "logs": "logs:logs",
    "drift": "drift:drift",
    "dashboard": "dashboard:dashboard",
    "digest": "digest:digest",
}
"""Each command, and where in `commands` it is."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which they are of use."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is none of this name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"viridian.cli.commands.{module}"), attribute)
        return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit statuses: 0 done, 1 failed (standard error says why), 2 wrong usage; `wait` has its own.",
)
@choose_cluster
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
def plugin(**_: Any) -> None:  # noqa: ANN401 - the choice of a cluster, which the commands look up
    """See and steer the rollouts of Viridian's ModelDeployments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The command line, or None for the process's own.

    Returns:
        The exit status; the page docs/reference/cli.md lists them.
    """
    status: Any
    try:
        status = plugin.main(arguments, prog_name=NAME, complete_var=COMPLETE, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
