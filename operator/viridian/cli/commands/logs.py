"""`kubectl viridian logs`: what the pods of both colors write."""

import sys
import threading
from subprocess import Popen

import click

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, Color
from viridian.cli.kubectl import Kubectl
from viridian.cli.options import NAME, fail, on_cluster

_CONTAINERS = ("api", "triton")
_AT_ONCE = 100
"""Pods of a color that are read at the same time; kubectl refuses more than 5 without being asked."""


@click.command()
@NAME
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
@click.option("-c", "--container", type=click.Choice(_CONTAINERS), default="api", show_default=True, help="Container.")
@click.option("--color", "only", type=click.Choice([str(color) for color in Color]), help="Only this color.")
@click.option("--tail", default=20, show_default=True, help="Lines of each pod to begin with; -1 for all.")
@on_cluster
def logs(kubectl: Kubectl, name: str, follow: bool, container: str, only: str | None, tail: int) -> int:
    """Print the logs of NAME's pods.

    Each line has its role, version and pod.
    """
    model = kubectl.model(name)
    roles = [(role, found) for role in ("stable", "candidate") if (found := model.status.get(role))]
    chosen = [(role, found) for role, found in roles if only in {None, found["color"]}]
    if not chosen:
        fail(f"{name} has no {only or 'pods'} now: `kubectl viridian status {model.arguments}` shows where it stands")
    processes, threads = [], []
    for role, found in chosen:
        arguments = [
            "logs",
            f"--selector={LABEL_MODEL}={name},{LABEL_COLOR}={found['color']}",
            f"--container={container}",
            f"--tail={tail}",
            f"--max-log-requests={_AT_ONCE}",
            "--prefix",
            *(["--follow"] if follow else []),
        ]
        processes.append(kubectl.stream(*arguments))
        prefix = f"{role} {found['version']} "
        threads.append(threading.Thread(target=_print_lines, args=(processes[-1], prefix), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if any(process.returncode for process in processes) else 0


def _print_lines(process: Popen[str], prefix: str) -> None:
    with process:
        for line in process.stdout or ():
            sys.stdout.write(prefix + line)
            sys.stdout.flush()
