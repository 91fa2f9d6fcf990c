"""The command line of the kubectl plugin. A command's module is loaded when it is used: each has to start fast."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import click

from viridian_shared import __version__

from .options import choose_cluster

NAME: Final = "kubectl viridian"
_SUMMARY: Final = 62
"""Characters of what a command does, so that it fits on a line of 80."""
_COLUMN: Final = 12
"""Where summaries begin."""
COMPLETE: Final = "_KUBECTL_VIRIDIAN_COMPLETE"
"""The variable by which a shell asks for completions."""
_SECTIONS: Final = {
    "See": {
        "list": "show:list_models",
        "status": "show:status",
        "watch": "show:watch",
        "history": "show:history",
        "explain": "show:explain",
        "logs": "logs:logs",
        "drift": "drift:drift",
        "dashboard": "dashboard:dashboard",
    },
    "Steer": {
        "approve": "act:approve",
        "promote": "act:promote",
        "pause": "act:pause",
        "resume": "act:resume",
        "abort": "act:abort",
        "retry": "act:retry",
        "rollback": "act:rollback",
        "drill": "drill:drill",
    },
    "Before you apply a manifest": {
        "lint": "lint:lint",
        "diff": "diff:diff",
        "plan": "plan:plan",
        "simulate": "simulate:simulate",
        "digest": "digest:digest",
    },
    "In pipelines, and for the record": {
        "wait": "wait:wait",
        "receipt": "receipt:receipt",
    },
}
"""Each command, and where in `commands` it is, under the heading that it has in the help."""
_COMMANDS: Final = {name: place for commands in _SECTIONS.values() for name, place in commands.items()}


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the first sentence of its help."""
        for heading, names in _SECTIONS.items():
            commands = {name: self.get_command(ctx, name) for name in names}
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, command.get_short_help_str(_SUMMARY)) for name, command in commands.items() if command],
                    col_spacing=_COLUMN - max(map(len, names)),
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; one that does not exist may be misspelt."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=_COMMANDS, ctx=ctx) from None


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit statuses: 0 done, 1 failed (standard error says why), 2 wrong usage; `wait` has more.",
)
@choose_cluster
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
def plugin(**_: Any) -> None:  # noqa: ANN401 - the choice of a cluster, which the commands look up
    """See and steer the rollouts of Viridian's ModelDeployments.

    A rollout brings the candidate, which is the version that the manifest asks for, step by step to all traffic. Guards
    compare it with stable, which is the version that serves, and turn it back if it is worse.

    Begin with `kubectl viridian list -A`. `kubectl viridian COMMAND --help` explains a command.
    """


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
